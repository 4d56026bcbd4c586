"""Whether a panel can tell how effects change over time."""

import numpy as np
from numpy.typing import NDArray

from mmm_models.diagnostics.finding_words import counted, listed
from mmm_models.diagnostics.panel_evidence import PanelEvidence, gather_evidence
from mmm_models.panel import Panel
from mmm_models.response_prior import coarsening
from mmm_models.results import Finding
from mmm_models.spec import ModelSpec

Array = NDArray[np.float64]
FEWEST_WEEKS = 104
CODE = "no-time-varying-effects"


def effect_waves_unidentified(
    panel: Panel, *, holdout_weeks: int, waves: int, spec: ModelSpec
) -> tuple[Finding, ...]:
    """Why `waves` slow waves of each effect cannot be learnt from this panel; empty when they can.

    They can when there are two years of training weeks and, in every one of waves + 1 equal periods, the data
    say more about each channel's effect than the prior does, which lets it swing by `ResponsePrior.wave_sd`.
    Raises `NothingToLearnFrom`.
    """
    return waves_unidentified(gather_evidence(panel, holdout_weeks=holdout_weeks, spec=spec), waves, spec)


def waves_unidentified(evidence: PanelEvidence, waves: int, spec: ModelSpec) -> tuple[Finding, ...]:
    """The same from evidence that is at hand."""
    weeks = int(evidence.train.any(axis=0).sum())
    if weeks < FEWEST_WEEKS:
        reason = f"there are {counted(weeks, 'training week')}, and {FEWEST_WEEKS} are needed"
        return (_finding((), reason),)
    weakest = period_evidence(evidence, waves + 1, spec).min(axis=0)
    names = evidence.panel.channel_names
    unclear = tuple(names[i] for i in np.flatnonzero((weakest < 1.0) & evidence.used))
    if not unclear:
        return ()
    reason = (
        f"in at least one of {waves + 1} periods the data say too little about {listed(unclear)} to know "
        "an effect of that period"
    )
    return (_finding(unclear, reason),)


def period_evidence(evidence: PanelEvidence, periods: int, spec: ModelSpec) -> Array:
    """What the data say about each channel's effect within each period, over what the prior says of its swing.

    `[period, channel]`, a ratio of precisions: above one the data decide. Each period's share of the panel's
    information is the variation within the period, around unit means; other channels are taken out. Units count as
    they do in training, where the prior keeps the weight of one unit in `units_per_prior`.
    """
    of_period = np.array_split(np.arange(evidence.panel.n_weeks), periods)
    within = np.stack([_movement(evidence, weeks) for weeks in of_period])
    whole = _movement(evidence, np.arange(evidence.panel.n_weeks))
    share = within / np.maximum(whole, np.finfo(float).tiny)
    alone = 1.0 / np.diag(np.linalg.inv(evidence.information + _trace(evidence.information)))
    counts = coarsening(spec.prior, float(evidence.train.any(axis=1).sum()))
    swing = spec.prior.wave_sd * evidence.typical_effect
    return np.asarray(share * alone * counts * swing**2)


def _movement(evidence: PanelEvidence, weeks: NDArray[np.intp]) -> Array:
    """Squared deviation of media in these weeks from each unit's mean in the same weeks `[channel]`."""
    saturated, train = evidence.saturated[:, weeks], evidence.train[:, weeks, None].astype(np.float64)
    mean = (saturated * train).sum(axis=1, keepdims=True) / np.maximum(train.sum(axis=1, keepdims=True), 1.0)
    return np.asarray((((saturated - mean) * train) ** 2).sum(axis=(0, 1)))


def _trace(information: Array) -> Array:
    return np.asarray(1e-9 * np.diag(np.diag(information)) + 1e-9 * np.eye(len(information)))


def _finding(channels: tuple[str, ...], reason: str) -> Finding:
    return Finding(
        CODE,
        "note",
        channels,
        f"Effects are held constant over time: {reason}.",
        "More weeks, or media that vary in every part of them, would show whether effects change.",
    )
