"""`mixroom room replay`: an owner runs a corpus of queries against its own tables before going live."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mixroom.cli_help import Command, example
from mixroom.errors import CommandError
from mixroom.output import AsJson, print_json, say, table


class ReplayDiffers(CommandError):
    """Queries that came to something other than expected; each was printed before."""


def add_command(app: typer.Typer) -> None:
    """Mount the command."""
    app.command(
        cls=Command,
        short_help="Run a corpus of queries in throw-away rooms on your own tables.",
        epilog=example("mixroom room replay corpus.yaml --tables tables/ --json"),
    )(replay)


def replay(
    corpus: Annotated[Path, typer.Argument(help="YAML list of queries: id, sql, expected, ...")],
    tables: Annotated[
        Path,
        typer.Option(help="Folder of exposures.parquet, conversions.parquet and crm.parquet.", metavar="DIR"),
    ],
    rules: Annotated[
        Path | None,
        typer.Option(help="Rules of all datasets, by name; the reference rules without it.", metavar="FILE"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run every query of a corpus in a throw-away room and say what it came to, beside what was expected.

    Refused (before any data were touched), suppressed (something was withheld), noised, or allowed. Nothing leaves
    this machine. Without --json the exit code is 1 when a verdict differs.
    """
    from cleanroom.replay.corpus import read_corpus
    from cleanroom.replay.replaying import Replayed
    from cleanroom.replay.replaying import replay as run_replay
    from cleanroom.rules.reference_rules import reference_rules
    from cleanroom.rules.rules_file import read_rules
    from cleanroom.worker.run_job import USUAL_LIMITS

    queries = read_corpus(corpus)
    documents = read_rules(rules) if rules is not None else reference_rules()

    def told(result: Replayed) -> None:
        if not result.as_expected:
            say(f"{result.id}: expected {result.expected}, came to {result.verdict}")

    say(f"{len(queries)} queries on {', '.join(documents)}")
    results = run_replay(queries, tables, documents, limits=USUAL_LIMITS, progress=told)
    differ = [result for result in results if not result.as_expected]
    if as_json:
        print_json([result.to_plain() for result in results])
    else:
        rows = [
            [result.id, result.expected, result.verdict, "" if result.as_expected else "differs"]
            for result in results
        ]
        typer.echo(table(["query", "expected", "verdict", ""], rows))
    say(f"{len(results) - len(differ)} of {len(results)} as expected")
    if differ and not as_json:
        raise ReplayDiffers(
            f"{len(differ)} of {len(results)} queries came to something else than expected",
            hint="read each above; --json has rows and reasons; mend the rules, or the expectation",
        )
