"""What made up the last period's outcome, and what made it another than the period before's.

Outcomes are known; how much of them each channel made is as sure as the response is. Contributions are those of the
weeks as they were; the outlook, whose period repeats itself, says by what share possible responses differ.
"""

from collections.abc import Iterator

import numpy as np
import torch

from mmm_models.explaining.estimate import Array, estimate
from mmm_models.explaining.period_before import look_before
from mmm_models.explaining.waterfall import BASELINE, BEFORE, LAST, OUTCOME, Step, Waterfall
from mmm_models.planning.outlook import Outlook


def past_waterfalls(look: Outlook) -> tuple[Waterfall, ...]:
    """Of the outcome itself, and of its change where the calendar holds two periods."""
    basis, weeks = look.basis, look.period.weeks
    now, drawn = _contributions(look, slice(-weeks, None))
    outcome = Waterfall(
        "outcome",
        (
            *_steps(basis.channels, look.period.outcome.sum(), now, drawn),
            Step(OUTCOME, _sold(look), is_total=True),
        ),
    )
    if not basis.by_week or basis.n_weeks < 2 * weeks:
        return (outcome,)
    before = look_before(look)
    then, drawn_then = _contributions(before, slice(-weeks, None))
    change = Waterfall(
        "past",
        (
            Step(BEFORE, _sold(before), is_total=True),
            *_steps(basis.channels, _sold(look) - _sold(before), now - then, drawn - drawn_then),
            Step(LAST, _sold(look), is_total=True),
        ),
    )
    return outcome, change


def _sold(look: Outlook) -> float:
    return float(look.period.outcome.sum())


def _steps(channels: tuple[str, ...], whole: float, parts: Array, drawn: Array) -> Iterator[Step]:
    """The baseline, which is what channels leave of the `whole`, then every channel."""
    rest = estimate(whole - parts.sum(), whole - drawn.sum(axis=1))
    yield Step(BASELINE, rest.value, rest.interval)
    for index, name in enumerate(channels):
        found = estimate(float(parts[index]), drawn[:, index])
        yield Step(name, found.value, found.interval)


def _contributions(look: Outlook, span: slice) -> tuple[Array, Array]:
    """Of all parts `[channel]`, and under every draw `[draw, channel]`."""
    found = np.asarray(sum(part.contribution[span].sum(axis=0) for part in look.basis.parts))
    if look.possible is None:
        return found, found[None][:0]
    media = torch.from_numpy(look.period.intensity)
    with torch.no_grad():
        likely = look.likely.outcome(media)[0].sum(dim=0).numpy()
        possible = look.possible.outcome(media).sum(dim=1).numpy()
    share = np.divide(possible, likely, out=np.ones_like(possible), where=likely > 0)
    return found, found * share
