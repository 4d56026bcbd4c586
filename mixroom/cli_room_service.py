"""`mixroom room serve`: what an operator runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from pydantic import ValidationError

from mixroom.cli_help import Command, example
from mixroom.errors import UsageError
from mixroom.output import AsJson, print_json, say

if TYPE_CHECKING:
    from cleanroom.service.serving import Opened
    from cleanroom.service.settings import RoomSettings

REDUCED = "serve with --isolation reduced, which owners' brokers refuse unless they are told otherwise"
DATABASE_VARIABLE = "MIXROOM_ROOM_DATABASE"  # not an option alone: its URL may hold a password


def add_commands(app: typer.Typer) -> None:
    """Mount it."""
    app.command(cls=Command, epilog=example("mixroom room serve --data room-service --port 8400"))(serve)


def serve(
    data: Annotated[Path, typer.Option(help="The service's folder; made when it is not there.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.")] = 8400,
    database: Annotated[
        str, typer.Option(help="PostgreSQL's URL; else $MIXROOM_ROOM_DATABASE, else SQLite.")
    ] = "",
    certificate: Annotated[Path | None, typer.Option(help="TLS certificate chain, PEM.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    providers: Annotated[Path | None, typer.Option(help="JSON list of identity providers.")] = None,
    workers: Annotated[int, typer.Option(help="Workers kept warm.")] = 2,
    isolation: Annotated[
        Literal["full", "reduced"], typer.Option(help="reduced: without bubblewrap; owners may refuse it.")
    ] = "full",
    query_seconds: Annotated[float, typer.Option(help="A query's time limit.")] = 120.0,
    insecure: Annotated[bool, typer.Option("--insecure", help="Plain http on a public address.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run the service until it is stopped.

    The first start prints the operator's key and one founding code, once.
    """
    from cleanroom.service.serving import serve as run
    from privacy.errors import EnclaveUnavailable

    settings = _settings(
        data=data,
        host=host,
        port=port,
        database=database or os.environ.get(DATABASE_VARIABLE, ""),
        certificate=certificate,
        key=key,
        identity_providers=providers,
        worker_processes=workers,
        query_seconds=query_seconds,
        isolation=isolation,
        insecure=insecure,
    )
    try:
        run(settings, opened=lambda opened: _announce(opened, as_json=as_json))
    except EnclaveUnavailable as error:
        hint = error.hint.replace("ask for reduced isolation", REDUCED)  # in this command's words
        raise EnclaveUnavailable(str(error), hint=hint) from error


def _settings(**given: object) -> RoomSettings:
    from cleanroom.service.settings import RoomSettings

    try:
        return RoomSettings.model_validate(given)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        told = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg'].removeprefix('Value error, ')}"
            for item in problems
        )
        raise UsageError(told, hint="see `mixroom room serve --help`") from error


def _announce(opened: Opened, *, as_json: bool) -> None:
    shown = {"url": opened.url}
    if opened.first is not None:
        shown["operator_key"] = opened.first.operator_key.reveal()
        shown["founding_code"] = opened.first.founding_code.reveal()
        say("key and code are shown this once; the operator's key reads nothing of a collaboration")
    if as_json:
        print_json(shown)
    else:
        typer.echo("\n".join(f"{name.replace('_', ' ')} {value}" for name, value in shown.items()))
    sys.stdout.flush()
