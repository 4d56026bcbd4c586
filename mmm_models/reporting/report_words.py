"""What a run's numbers are called: "sales" only where the outcome is money, revenue only where known."""

import math

from mmm_models.peers.registry import FAMILIES
from mmm_models.results import ChannelResult, Results


def outcome_word(results: Results) -> str:
    """`sales` when the outcome is counted in the run's currency, else `the outcome`."""
    return "sales" if outcome_is_money(results) else "the outcome"


def outcome_is_money(results: Results) -> bool:
    """Whether outcome and money are counted in the same unit."""
    return bool(results.currency) and results.outcome_unit.casefold() == results.currency.casefold()


def roi_is_money(results: Results) -> bool:
    """Whether ROI is money per money: else an outcome without a known revenue stands in for revenue."""
    return outcome_is_money(results) or not math.isclose(results.revenue, results.outcome, rel_tol=1e-6)


def outcome_unit(results: Results) -> str:
    """The unit to print behind an outcome."""
    return results.outcome_unit or results.currency


def by_contribution(results: Results) -> tuple[ChannelResult, ...]:
    """Channels from the largest to the smallest contribution, those without a number last."""
    return tuple(sorted(results.channels, key=lambda channel: -_or_lowest(channel.contribution)))


def largest(results: Results) -> ChannelResult | None:
    """The channel that contributed most, unless none contributed anything."""
    ranked = by_contribution(results)
    return ranked[0] if ranked and _or_lowest(ranked[0].contribution) > 0 else None


def media_totals(results: Results) -> ChannelResult:
    """All channels as if they were one; ROI counts only channels with spend."""
    paid = [channel for channel in results.channels if channel.spend > 0 and math.isfinite(channel.roi)]
    spend = sum(channel.spend for channel in paid)
    return ChannelResult(
        channel="All media",
        kind="",
        spend=spend,
        contribution=sum(channel.contribution for channel in results.channels),
        share=results.media_share,
        roi=sum(channel.roi * channel.spend for channel in paid) / spend if spend else math.nan,
        marginal_roi=math.nan,
    )


def join_words(names: list[str] | tuple[str, ...]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def join_some(names: list[str] | tuple[str, ...], most: int = 4) -> str:
    """As `join_words`; of more than `most` names the last say how many more there are."""
    if len(names) <= most:
        return join_words(names)
    return join_words([*names[: most - 1], f"{len(names) - most + 1} more"])


def model_summary(results: Results) -> str:
    """What family of models the results come from: its name, and one sentence where the name is known."""
    known = FAMILIES.get(results.model)
    return f"{results.model} ({known.summary})" if known else results.model


def _or_lowest(value: float) -> float:
    return value if math.isfinite(value) else -math.inf
