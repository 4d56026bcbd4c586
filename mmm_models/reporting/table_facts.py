"""What every channel does, as a table: the numbers behind its sentences."""

from mmm_models.explaining.channel_facts import ChannelFacts
from mmm_models.explaining.estimate import Estimate
from mmm_models.explaining.explanation import Explanation
from mmm_models.reporting.figure import Cell, Column, Table
from mmm_models.reporting.number_format import amount, decimal, percent
from mmm_models.reporting.told_words import cells, in_unit, money, with_interval
from mmm_models.results import Interval


def facts_table(told: Explanation) -> Table:
    """One row per channel over the last period, in the model's order."""
    shown = (
        Column(in_unit("Brings", told.value_unit), amount),
        Column(f"Per {money(told)}", decimal),
        Column(f"Last {money(told)}", decimal),
        Column("Of twice", _whole),
        Column("Of ceiling", _whole),
        Column("Half-life (weeks)", _tenths),
        Column("10 % more", amount),
        Column("10 % less", amount),
    )
    columns = [Column("Channel"), Column(in_unit("Spend", told.currency), amount)]
    for column in shown:
        columns += with_interval(told, column)
    return Table(tuple(columns), tuple(_row(told, fact) for fact in told.channels))


def _row(told: Explanation, fact: ChannelFacts) -> tuple[Cell, ...]:
    lost = Estimate(-fact.ten_less.value, _negative(fact.ten_less))
    numbers = (
        *(fact.revenue, fact.roi, fact.marginal_roi, fact.of_double, fact.of_ceiling),
        *(fact.timing.half_life_weeks, fact.ten_more, lost),
    )
    found = [cell for number in numbers for cell in cells(told, number.value, number.interval)]
    return (fact.channel, fact.spend if fact.is_paid else None, *found)


def _negative(number: Estimate) -> Interval:
    return Interval(-number.interval.high, -number.interval.low)


def _whole(value: float | None) -> str:
    return percent(value, 0)


def _tenths(value: float | None) -> str:
    return decimal(value, 1)
