"""What of an answer is doubtful, said aloud: extrapolation, gains hardly likelier than losses, no intervals."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mmm_models.planning.outlook import Outlook
from mmm_models.planning.plan import Split
from mmm_models.results import Finding

Array = NDArray[np.float64]
BEYOND, FAR_BEYOND = 1.05, 1.75
TOSS_UP, WHOLE = 0.75, 1.0


def doubts(look: Outlook, reach: Array, split: Split) -> tuple[Finding, ...]:
    """Of a split whose media reach so high `[part, channel]`, as multiples of the highest ever observed."""
    return (*_beyond(look, reach), *_toss_up(split), *_unknown(look))


def spent_beyond(marginal_roi: float, currency: str) -> tuple[Finding, ...]:
    """Where the last unit of money comes back less than whole; without a currency nobody knows what whole is."""
    if not currency or not marginal_roi < WHOLE:
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


def _toss_up(split: Split) -> Iterator[Finding]:
    if split.better < TOSS_UP and abs(split.gain) > 0 and split.gain > 0:
        yield Finding(
            "toss-up",
            "review",
            (),
            f"The probability that this beats last period is {split.better:.0%}: the data hardly tell the two apart.",
            "Plan with a risk of 0.1, which moves less, or run a lift test on the channels that change most.",
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
