"""`mixroom serve`: answers about stored runs over HTTP."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from mixroom.cli_help import Command, example
from mixroom.errors import UsageError
from mixroom.output import AsJson, print_json, say


def add_commands(app: typer.Typer) -> None:
    """Mount the command on the root."""
    app.command(cls=Command, epilog=example("mixroom serve runs/first runs/second --port 8000"))(serve)


def serve(
    runs: Annotated[list[Path], typer.Argument(help="Run directories, named by their last part.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.", min=0, max=65535)] = 8000,
    as_json: AsJson = False,
) -> None:
    """Answer questions about stored runs over HTTP until stopped: results, what-if, plans.

    There are no keys: whoever reaches the address may ask. By default only this machine does.
    """
    named = _named(runs)

    from server.model_service_process import is_loopback, serve_models

    def opened(url: str) -> None:
        if as_json:
            print_json({"url": url, "runs": list(named)})
        else:
            typer.echo(url)
        sys.stdout.flush()
        reach = "only this machine reaches it" if is_loopback(host) else "whoever reaches it may ask"
        say(f"{len(named)} run{'s'[: len(named) != 1]}, {reach}; questions: {url}/openapi.json")

    serve_models(named, host=host, port=port, opened=opened)


def _named(runs: list[Path]) -> dict[str, Path]:
    """Runs by the names they have in paths. Raises UsageError."""
    for path in runs:
        if not path.is_dir():
            raise UsageError(
                f"there is no run directory {path}",
                hint="name directories that `mixroom fit` or `train` wrote",
            )
    named = [(path.resolve().name, path) for path in runs]
    twice = sorted(name for name, times in Counter(name for name, _ in named).items() if times > 1)
    if twice:
        raise UsageError(
            f"two runs are called {', '.join(twice)}", hint="give the directories names of their own"
        )
    return dict(named)
