"""What a plan, a what-if answer and a frontier say on the terminal: tables on stdout, what they mean on stderr."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from mixroom.output import say, table
from mixroom.run_output import between

if TYPE_CHECKING:
    from mmm_models.planning.frontier import Frontier
    from mmm_models.planning.plan import (
        ChangedChannel,
        Flight,
        FrontierPoint,
        Plan,
        PlannedCell,
        Split,
        WhatIf,
    )
    from mmm_models.results import Finding

NOTHING = "-"


def show_answer(answer: Plan | WhatIf | Frontier) -> None:
    """Print it; the same numbers as in its JSON, rounded."""
    from mmm_models.planning.plan import Plan, WhatIf

    if isinstance(answer, Plan):
        _show_plan(answer)
    elif isinstance(answer, WhatIf):
        _show_what_if(answer)
    else:
        _show_frontier(answer)


def _show_plan(plan: Plan) -> None:
    say(f"{plan.goal}; {_period(plan)}")
    bounded = math.isfinite(plan.interval_level)
    apart = len({cell.part for cell in plan.cells}) > 1
    interval = ["interval"] if bounded else []
    header = ["channel", "last spend", "spend", "change", "revenue", *interval, "marginal ROI", *interval]
    rows = [_cell_row(cell, bounded=bounded, apart=apart) for cell in plan.cells]
    typer.echo(table([*header, "at its"], rows))
    typer.echo("")
    typer.echo(_split_table([plan.planned, plan.last, *plan.others], bounded=bounded))
    if plan.flights:
        typer.echo("")
        typer.echo(_flight_table(plan.flights, apart=apart))
    if math.isfinite(plan.marginal_roi):
        say(
            f"one more {plan.currency or 'unit of money'} in any channel off its limits: {plan.marginal_roi:.2f}"
        )
    if math.isfinite(plan.risk):
        say(f"chosen by the revenue that all but {plan.risk:.0%} of possible worlds exceed")
    _tell_outcome(plan)
    _tell_findings(plan.findings)


def _show_what_if(answer: WhatIf) -> None:
    say(_period(answer))
    bounded = math.isfinite(answer.interval_level)
    apart = len({row.part for row in answer.channels}) > 1
    interval = ["interval"] if bounded else []
    header = ["channel", "change", "last spend", "spend", "last revenue", "revenue", *interval]
    rows = [_changed_row(row, bounded=bounded, apart=apart) for row in answer.channels]
    typer.echo(table(header, rows))
    typer.echo("")
    typer.echo(_split_table([answer.changed, answer.last], bounded=bounded))
    _tell_outcome(answer)
    _tell_findings(answer.findings)


def _show_frontier(frontier: Frontier) -> None:
    from mmm_models.intervals import INTERVAL_LEVEL

    points = [*frontier.budgets, *frontier.risks]
    bounded = any(math.isfinite(point.split.revenue_interval.low) for point in points)
    typer.echo(_split_table([point.split for point in points], bounded=bounded))
    typer.echo("")
    typer.echo(_share_table(points))
    if bounded:
        say(f"intervals are {INTERVAL_LEVEL:.0%} intervals, if the model's form is right")


def _cell_row(cell: PlannedCell, *, bounded: bool, apart: bool) -> list[str]:
    from mmm_models.reporting.number_format import amount, decimal

    return [
        _label(cell.part, cell.channel, apart),
        *(_money(cell.last_spend), _money(cell.spend), _share(cell.change), _money(cell.revenue)),
        *([between(cell.revenue_interval, amount)] if bounded else []),
        _ratio(cell.marginal_roi),
        *([between(cell.marginal_roi_interval, decimal)] if bounded else []),
        cell.bound or NOTHING,
    ]


def _changed_row(row: ChangedChannel, *, bounded: bool, apart: bool) -> list[str]:
    from mmm_models.reporting.number_format import amount

    return [
        _label(row.part, row.channel, apart),
        _share(row.change) if row.change else NOTHING,
        *(_money(row.last_spend), _money(row.spend), _money(row.last_revenue), _money(row.revenue)),
        *([between(row.revenue_interval, amount)] if bounded else []),
    ]


def _name(split: Split) -> str:
    """With a mark where a plan may not choose it."""
    return split.name if split.keeps_limits else f"{split.name} (breaks limits)"


def _split_table(splits: Sequence[Split], *, bounded: bool) -> str:
    """Ways to spend side by side; `better`: how probably each brings more than last period's."""
    from mmm_models.reporting.number_format import amount

    interval = ["interval"] if bounded else []
    header = ["split", "spend", "ROI", "media revenue", *interval, "more than last", *interval]
    rows = []
    for split in splits:
        sure = [] if not bounded else [_chance(split.better)]
        rows.append(
            [
                *(_name(split), _money(split.spend), _ratio(split.roi), _money(split.revenue)),
                *([between(split.revenue_interval, amount)] if bounded else []),
                f"{split.gain:+,.0f}",
                *([between(split.gain_interval, amount)] if bounded else []),
                *sure,
            ]
        )
    return table([*header, *(["better"] if bounded else [])], rows)


def _flight_table(flights: Sequence[Flight], *, apart: bool) -> str:
    """Week by week is in flights.csv; here, how concentrated each channel is and what that brings."""
    rows = [
        [
            _label(flight.part, flight.channel, apart),
            f"{_weeks_on(flight.last_spend)}",
            f"{_weeks_on(flight.spend)}",
            *(_money(max(flight.last_spend)), _money(max(flight.spend)), _share(flight.gain)),
        ]
        for flight in flights
    ]
    return table(["channel", "weeks on, last", "planned", "highest week, last", "planned", "gain"], rows)


def _share_table(points: Sequence[FrontierPoint]) -> str:
    """Which share of the money each channel gets along the way, parts together."""
    channels = list(dict.fromkeys(channel for point in points for _, channel, _ in point.cells))
    rows = []
    for point in points:
        spent = dict.fromkeys(channels, 0.0)
        for _, channel, money in point.cells:
            spent[channel] += money
        total = sum(spent.values())
        shares = [f"{spent[channel] / total:.0%}" if total > 0 else NOTHING for channel in channels]
        rows.append([point.label, *shares])
    return table(["split", *channels], rows)


def _weeks_on(spend: Sequence[float]) -> int:
    """Weeks with at least a tenth of an even week's money."""
    even = sum(spend) / len(spend)
    return sum(money > 0.1 * even for money in spend)


def _period(answer: Plan | WhatIf) -> str:
    since = f", from {answer.last_from}" if answer.last_from else ""
    return f"compared with the last {answer.weeks} weeks{since}, and kept up as long"


def _tell_outcome(answer: Plan | WhatIf) -> None:
    text = f"the whole outcome: {answer.outcome:,.0f} {answer.outcome_unit}".rstrip()
    last, bounds = answer.last_outcome, answer.outcome_interval
    if last > 0:
        text += f" ({answer.outcome / last - 1.0:+.1%} of last period's {last:,.0f}"
        if math.isfinite(answer.interval_level):
            text += f"; between {bounds.low / last - 1:+.1%} and {bounds.high / last - 1:+.1%}"
        text += ")"
    say(f"{text}, all else as it was")
    if math.isfinite(answer.interval_level):
        say(f"intervals are {answer.interval_level:.0%} intervals, if the model's form is right")


def _tell_findings(findings: Sequence[Finding]) -> None:
    for line in _finding_lines(findings):
        say(line)


def _finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings:
        yield f"{finding.severity}: {' '.join(finding.text.split())} {' '.join(finding.advice.split())}"


def _label(part: str, channel: str, apart: bool) -> str:
    """As changes and limits name cells."""
    return f"{part}/{channel}" if apart else channel


def _money(value: float) -> str:
    return f"{value:,.0f}"


def _share(value: float) -> str:
    return NOTHING if math.isnan(value) else f"{value:+.1%}"


def _ratio(value: float) -> str:
    return NOTHING if math.isnan(value) else f"{value:.2f}"


def _chance(value: float) -> str:
    return NOTHING if math.isnan(value) else f"{value:.0%}"
