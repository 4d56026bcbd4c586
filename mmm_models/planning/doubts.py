"""What of an answer is doubtful, said aloud: extrapolation, gains hardly likelier than losses, searches that ended."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mmm_models.planning.feasible import Feasible
from mmm_models.planning.limits_in_money import CEILINGS_SEARCHED
from mmm_models.planning.measures import Comparison
from mmm_models.planning.outlook import Outlook
from mmm_models.planning.plan_basis import PlanBasis
from mmm_models.results import Finding

Array = NDArray[np.float64]
BEYOND, FAR_BEYOND = 1.05, 1.75
TOSS_UP, WHOLE = 0.75, 1.0


def doubts(look: Outlook, reach: Array, *, timed: bool = False) -> tuple[Finding, ...]:
    """Of media that reach so high `[part, channel]`, as multiples of the highest ever observed; `timed`: in a rhythm of
    the plan's own."""
    return (*_beyond(look, reach), *_as_if_alone(look, reach, timed=timed), *_unknown(look))


def toss_up(found: Comparison, than: str) -> tuple[Finding, ...]:
    """Where more is expected than from another split, and hardly likelier than less."""
    if not (found.better < TOSS_UP and found.gain > 0):
        return ()
    return (
        Finding(
            "toss-up",
            "review",
            (),
            f"The probability that this beats {than} is {found.better:.0%}: the data hardly tell the two apart.",
            "Plan with a risk of 0.1, which moves less, or run a lift test on the channels that change most.",
        ),
    )


def spent_beyond(marginal_roi: float, basis: PlanBasis) -> tuple[Finding, ...]:
    """Where the last unit of money comes back less than whole; unless revenue is money nobody knows what whole is."""
    currency = basis.currency
    if not currency or basis.value_unit != currency or not marginal_roi < WHOLE:
        return ()
    return (
        Finding(
            "spent-beyond-return",
            "review",
            (),
            f"The last {currency} of this plan brings {marginal_roi:.2f} {currency} of revenue: at the margin "
            "money does not come back, however it is split.",
            "Ask for the budget at which it does, with a marginal return as target: 1, or more for margins.",
        ),
    )


def nothing_to_change(look: Outlook, channel: str, name: str, *, priced: bool) -> Finding:
    """Where a percentage was asked of media that did not run in the period; `name` is the question's word for them."""
    return Finding(
        "nothing-to-change",
        "review",
        (channel,),
        f"{name} did not run in the last {look.period.weeks} weeks: a percentage of nothing is nothing, so nothing "
        "changes for it.",
        f"Name an amount of money, such as {name}=50000."
        if priced
        else "Ask about a longer period, one in which it ran: no price is known to name an amount at.",
    )


def search_ended(look: Outlook, within: Feasible, spend: Array) -> tuple[Finding, ...]:
    """Where money `[part, channel]` stopped at how far plans are searched, which nobody asked for."""
    cells = within.at_search_end(spend.ravel())
    if not cells:
        return ()
    names, most = look.cell_names(cells), float(within.high[list(cells)].max())
    last, currency = float(look.period.spend.sum()), look.basis.currency
    times = f" ({most / last:.3g} times all of last period's money)" if last > 0 else ""
    return (
        Finding(
            "search-limit",
            "review",
            tuple(dict.fromkeys(look.basis.channels[cell % len(look.basis.channels)] for cell in cells)),
            f"{', '.join(names)} got the most that is searched where no lower ceiling is given, "
            f"{f'{most:,.0f} {currency}'.rstrip()} each{times}: the goal is met better, or only, beyond it.",
            "Ask for a total, or give a ceiling that you would pay: up to "
            f"{CEILINGS_SEARCHED:g} times last period's money it is searched whole.",
        ),
    )


def _beyond(look: Outlook, reach: Array) -> Iterator[Finding]:
    highest = {channel: float(reach[:, index].max()) for index, channel in enumerate(look.basis.channels)}
    far = {channel: times for channel, times in highest.items() if times > FAR_BEYOND}
    some = {channel: times for channel, times in highest.items() if BEYOND < times <= FAR_BEYOND}
    if some:
        yield Finding(
            "beyond-observed", "note", tuple(some), _reached(look, some), "Move towards it in steps."
        )
    if far:
        advice = "Set a ceiling, or raise them in a test region first and measure it with an experiment."
        yield Finding("far-beyond-observed", "review", tuple(far), _reached(look, far), advice)


def _reached(look: Outlook, channels: dict[str, float]) -> str:
    listed = ", ".join(f"{channel} {times:.2g} times" for channel, times in channels.items())
    where = (
        f"higher than ever observed ({listed} the most there was)"
        if look.basis.by_week
        else f"higher than the run's mean week, and single weeks were not released ({listed} that mean)"
    )
    return (
        f"Media would be {where}: the response there is extrapolated, and intervals span everything from no further "
        "effect to no saturation."
    )


def _as_if_alone(look: Outlook, reach: Array, *, timed: bool) -> Iterator[Finding]:
    """Where channels act together, and something was found or continued channel by channel all the same."""
    paired = {channel for pair in look.likely.draws.pairs for channel in pair}
    names = [name for index, name in enumerate(look.basis.channels) if index in paired]
    beyond = [name for name in names if reach[:, look.basis.channels.index(name)].max() > BEYOND]
    if timed and names:
        yield Finding(
            "rhythms-as-if-alone",
            "review",
            tuple(names),
            f"The rhythms of {', '.join(names)} were found as if each ran alone, though they have synergies: what the "
            "plan brings counts them together, but other rhythms may bring more.",
            "Take the weeks as a suggestion; a plan that is not flighted keeps last period's.",
        )
    if beyond and look.possible is not None:
        yield Finding(
            "extrapolated-as-if-alone",
            "review",
            tuple(beyond),
            f"Beyond what was observed the curves of {', '.join(beyond)} are continued as if each ran alone, though "
            "there are synergies: intervals do not span what these may do there.",
            "Keep within what was observed with a tighter limit of change, or move towards it in steps.",
        )


def _unknown(look: Outlook) -> Iterator[Finding]:
    if look.possible is None:
        yield Finding(
            "no-intervals",
            "review",
            (),
            "This run does not say how sure its response is, so nothing here has an interval.",
            "Train with the newton strategy, which sums what intervals need.",
        )
