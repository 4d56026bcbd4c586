"""What an explanation says on the terminal: sentences and tables on stdout, what is missing on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from mixroom.output import say, table

if TYPE_CHECKING:
    from mmm_models.reporting.explained import Explained
    from mmm_models.reporting.figure import Table

SILOS = "silos"
TITLES = {
    "outcome": "what made the last period",
    "last-period": "what changed since the period before",
    "next-period": "what the plan changes",
    SILOS: "silos beside each other",
}
PLAIN = str.maketrans("\N{NO-BREAK SPACE}\N{EN DASH}\N{MINUS SIGN}\N{SUPERSCRIPT TWO}“”", ' --2""')


def show_explained(found: Explained) -> None:
    """Every channel's sentences, then the tables, then the checks."""
    for fact in found.told.channels:
        _show_sentences(found, fact.channel)
    for name, title in TITLES.items():
        if name in found.figures:
            content = found.figures[name].table
            _show_table(title, _without_intervals(content) if name == SILOS else content)
    typer.echo("health")
    for check in found.checks:
        advice = f" {check.advice}" if check.advice else ""
        typer.echo(plain(f"  {check.health.value:<6}  {check.name}: {check.finding}{advice}"))
    _narrate(found)


def show_channel(found: Explained, channel: str) -> None:
    """One channel's sentences, its curve, and its silos."""
    _show_sentences(found, channel)
    for name, title in {"curves": "at other spends", SILOS: TITLES[SILOS]}.items():
        if name in found.figures:
            whole = found.figures[name].table
            own = tuple(row for row in whole.rows if row[0] == channel)
            _show_table(title, replace(whole, rows=own))
    _narrate(found)


def plain(text: str) -> str:
    """As in reports, in plain ASCII."""
    return text.translate(PLAIN)


def _show_sentences(found: Explained, channel: str) -> None:
    typer.echo(channel)
    for sentence in found.sentences(channel):
        typer.echo(f"  {plain(sentence)}")
    typer.echo("")


def _show_table(title: str, content: Table) -> None:
    header = [column.name for column in content.columns]
    rows = [[*map(plain, row)] for row in (*content.text_rows(), *content.text_totals())]
    typer.echo(title)
    typer.echo(table([*map(plain, header)], rows))
    typer.echo("")


def _without_intervals(content: Table) -> Table:
    """So many silos and measures fit a screen; intervals are told channel by channel."""
    kept = [index for index, column in enumerate(content.columns) if not column.below]
    return replace(
        content,
        columns=tuple(content.columns[index] for index in kept),
        rows=tuple(tuple(row[index] for index in kept) for row in content.rows),
    )


def _narrate(found: Explained) -> None:
    for line in _lines(found):
        say(plain(line))


def _lines(found: Explained) -> Iterator[str]:
    told = found.told
    yield found.insight
    since = f", from {told.last_from}" if told.last_from else ""
    yield f"today is {told.period}{since}"
    if told.interval_level == told.interval_level:
        yield f"in brackets: {told.interval_level:.0%} intervals, if the model's form is right"
    for item in told.absences:
        yield f"no {item.what}: {item.reason}; {item.advice}"
    if told.weeks:
        yield "week by week: in weeks.csv and weeks.svg with --out, and in the report"
