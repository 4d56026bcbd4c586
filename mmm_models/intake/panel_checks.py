"""What the numbers themselves reveal: signs, constants, spend without exposure, currencies. Pure."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmm_models.intake.panel_report import MAX_EXAMPLES, Example, Finding, Findings, counted
from mmm_models.intake.panel_rows import PanelRows
from mmm_models.intake.silo_spec import SiloSpec
from mmm_models.intake.silo_tables import ChannelSpec

MAX_SPEND_WITHOUT_EXPOSURE = 0.05  # share of a channel's weeks with spend; above it is a problem
MAX_POPULATION_CHANGE = 0.2  # last over first and the like; above it is a problem


def check_values(rows: PanelRows, spec: SiloSpec) -> Findings:
    """Every check that needs no calendar. Columns the data lack are skipped: they are reported already."""
    found = Findings(_mixed_currencies(spec)) + _value_notes(spec) + Findings(_signs(rows, spec))
    for name, channel in spec.all_channels.items():
        if all(column in rows.numbers for column in channel.columns):
            found += _channel(rows, name, channel)
    found += _no_media(rows, spec) + Findings((), _constant_controls(rows, spec))
    return found + _population(rows, spec) + _outcome(rows, spec)


def channel_media(rows: PanelRows, channel: ChannelSpec) -> NDArray[np.float64]:
    """What the model sees, per row: exposure, reach x frequency, or spend where neither is given."""
    if channel.reach:
        return rows.numbers[channel.reach] * rows.numbers[channel.frequency]
    return rows.numbers[channel.exposure or channel.spend]


def channel_spend(rows: PanelRows, channel: ChannelSpec) -> NDArray[np.float64]:
    """Money per row; 0 where no spend column is given."""
    return rows.numbers[channel.spend] if channel.spend else np.zeros(len(rows.days))


def channel_reach(rows: PanelRows, channel: ChannelSpec) -> NDArray[np.float64]:
    """People reached per row; 0 where no reach column is given. Days add up: a person reached on two counts twice."""
    return rows.numbers[channel.reach] if channel.reach else np.zeros(len(rows.days))


def _mixed_currencies(spec: SiloSpec) -> tuple[Finding, ...]:
    stated = {f"channel {name}": item.currency for name, item in spec.channels.items() if item.currency}
    if spec.columns.currency:
        stated["columns.currency"] = spec.columns.currency
    if spec.outcome_is_money and spec.columns.outcome_unit:
        stated["the outcome"] = spec.columns.outcome_unit
    if len(set(stated.values())) < 2:
        return ()
    examples = tuple(Example(0, f"{where}: {currency}") for where, currency in stated.items())
    hint = "convert all money to one currency and state it once, in columns.currency"
    return (Finding("mixed_currencies", "money in several currencies", "", 0, examples[:MAX_EXAMPLES], hint),)


def _value_notes(spec: SiloSpec) -> Findings:
    """What the silo file leaves open and a reader of the results must know."""
    notes = [
        Finding("roi_unknown", f"channel {name} has no spend column; its ROI cannot be computed")
        for name, item in spec.channels.items()
        if not item.spend
    ]
    if not spec.outcome_is_money and spec.columns.revenue_per_outcome == 1.0:
        unit = spec.columns.outcome_unit
        notes.append(Finding("roi_per_outcome", f"no revenue is given: ROI is in {unit} per unit of spend"))
    return Findings((), tuple(notes))


def _signs(rows: PanelRows, spec: SiloSpec) -> tuple[Finding, ...]:
    channels = spec.all_channels.values()
    never_negative = {spec.columns.outcome: "outcome"}
    never_negative |= {column: "exposure" for item in channels for column in item.columns}
    never_negative |= {item.spend: "spend" for item in channels if item.spend}
    problems: tuple[Finding, ...] = ()
    for column, what in never_negative.items():
        if column in rows.numbers:
            negative = rows.numbers[column] < 0
            problems += rows.cells(column).find(
                f"negative_{what}",
                negative,
                f"{what} below 0",
                "correct it, or book refunds in the week they belong to",
            )
    for column, what in ((spec.revenue_column, "revenue"), (spec.columns.population, "population")):
        if column in rows.numbers:
            low = rows.numbers[column] <= 0
            problems += rows.cells(column).find(
                f"{what}_not_positive", low, f"{what} of 0 or less", "must be above 0"
            )
    return problems


def _channel(rows: PanelRows, name: str, channel: ChannelSpec) -> Findings:
    media, spend = channel_media(rows, channel), channel_spend(rows, channel)
    shown = (
        "*".join((channel.reach, channel.frequency)) if channel.reach else channel.exposure or channel.spend
    )
    if np.isnan(media).all():
        return Findings()  # reported as unreadable already
    if not np.nansum(media) and not np.nansum(spend):
        return Findings(
            (), (Finding("absent_channel", f"channel {name} is 0 throughout: treated as absent", shown),)
        )
    found = _spend_and_exposure(rows, channel, media, spend) + _low_frequency(rows, channel)
    if np.nansum(media) and _constant_in_every_unit(media, rows.unit_codes):
        message = f"channel {name} never changes within a unit: its effect cannot be told from the baseline"
        if channel.allow_constant:
            return found + Findings((), (Finding("constant_channel", message, shown),))
        hint = "leave the channel out, or keep it with allow_constant = true when other silos vary it"
        return found + Findings((Finding("constant_channel", message, shown, len(media), (), hint),))
    return found


def _spend_and_exposure(
    rows: PanelRows, channel: ChannelSpec, media: NDArray[np.float64], spend: NDArray[np.float64]
) -> Findings:
    if not (channel.has_exposure and channel.spend):
        return Findings()
    unseen = (spend > 0) & (media == 0)
    share = unseen.sum() / max(1, (spend > 0).sum())
    message = f"spend above 0 with no exposure, in {share:.0%} of the rows with spend"
    hint = "check the exposure column, or leave it out so that the model sees spend"
    paid_nothing = (spend == 0) & (media > 0)
    free = rows.cells(channel.spend).find(
        "exposure_without_spend", paid_nothing, "exposure above 0 with no spend: it counts as free"
    )
    found = rows.cells(channel.spend).find("spend_without_exposure", unseen, message, hint)
    if share > MAX_SPEND_WITHOUT_EXPOSURE:
        return Findings(found, free)
    return Findings((), found + free)


def _low_frequency(rows: PanelRows, channel: ChannelSpec) -> Findings:
    """Whoever is reached has one contact at least."""
    if not channel.reach:
        return Findings()
    low = (rows.numbers[channel.reach] > 0) & (rows.numbers[channel.frequency] < 1)
    message = "frequency below 1 where people were reached: is it contacts per person reached?"
    return Findings((), rows.cells(channel.frequency).find("frequency_below_one", low, message))


def _constant_in_every_unit(values: NDArray[np.float64], unit_codes: NDArray[np.int64]) -> bool:
    by_unit = pd.Series(values).groupby(unit_codes)
    return bool((by_unit.max() == by_unit.min()).all())


def _no_media(rows: PanelRows, spec: SiloSpec) -> Findings:
    columns = [column for item in spec.all_channels.values() for column in item.columns]
    series = [rows.numbers.get(column, np.array([np.nan])) for column in columns]
    if any(np.isnan(values).all() or np.nansum(values) for values in series):
        return Findings()
    return Findings(
        (Finding("no_media", "every channel is 0 throughout", hint="check the channels' columns"),)
    )


def _constant_controls(rows: PanelRows, spec: SiloSpec) -> tuple[Finding, ...]:
    return tuple(
        Finding("constant_control", "never changes within a unit: it has no effect on the model", column)
        for column in spec.control_columns
        if column in rows.numbers and _constant_in_every_unit(rows.numbers[column], rows.unit_codes)
    )


def _population(rows: PanelRows, spec: SiloSpec) -> Findings:
    column = spec.columns.population
    if column not in rows.numbers or not rows.units:
        return Findings()
    by_unit = pd.Series(rows.numbers[column]).groupby(rows.unit_codes).agg(["min", "max"])
    change = (by_unit["max"] / by_unit["min"].where(by_unit["min"] > 0) - 1).fillna(0.0)
    changing = change[(change > 0) & (change.index >= 0)]
    if changing.empty:
        return Findings()
    examples = tuple(
        Example(0, f"{rows.units[int(code)]}: {by_unit['min'][code]:.10g} to {by_unit['max'][code]:.10g}")
        for code in changing.index[:MAX_EXAMPLES]
    )
    message = f"population changes over time in {len(changing)} of {len(rows.units)} units"
    if changing.max() > MAX_POPULATION_CHANGE:
        hint = "a unit has one population; changes of up to 20 % are allowed and the last one is used"
        return Findings((Finding("population_varies", message, column, 0, examples, hint),))
    return Findings((), (Finding("population_varies", f"{message}; the last is used", column, 0, examples),))


def _outcome(rows: PanelRows, spec: SiloSpec) -> Findings:
    column = spec.columns.outcome
    if column not in rows.numbers:
        return Findings()
    by_unit = pd.Series(rows.numbers[column]).groupby(rows.unit_codes)
    total, spread = by_unit.max(), by_unit.max() - by_unit.min()
    zero = _named(rows, total.index[(total == 0).to_numpy() & (spread == 0).to_numpy()])
    flat = _named(rows, total.index[(total != 0).to_numpy() & (spread == 0).to_numpy()])
    hint = "remove the unit's rows, or check the outcome column"
    found = Findings()
    if zero:
        message = f"the outcome is always 0 in {counted(len(zero), 'unit')}"
        found += Findings((Finding("zero_outcome", message, column, 0, _first(zero), hint),))
    if flat:
        message = f"the outcome never changes in {counted(len(flat), 'unit')}"
        found += Findings((), (Finding("constant_outcome", message, column, 0, _first(flat)),))
    return found


def _named(rows: PanelRows, codes: pd.Index) -> list[str]:
    return [rows.units[int(code)] for code in codes if 0 <= int(code) < len(rows.units)]


def _first(units: list[str]) -> tuple[Example, ...]:
    return tuple(Example(0, unit) for unit in units[:MAX_EXAMPLES])
