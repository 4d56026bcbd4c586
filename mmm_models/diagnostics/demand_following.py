"""Media that move with demand: what they sell and what would have been sold anyway are hard to tell apart."""

import numpy as np
from numpy.typing import NDArray

from mmm_models.diagnostics.finding_words import percent
from mmm_models.diagnostics.panel_evidence import PanelEvidence
from mmm_models.results import Finding

Array = NDArray[np.float64]
NOTABLE_CORRELATION, HIGH_CORRELATION = 0.3, 0.5
LITTLE_LEFT, HARDLY_ANY_LEFT = 0.3, 0.15  # of a channel's variation, beside the baseline
LEAST_SWING = 0.01  # of the mean outcome: a flatter baseline confounds nothing


def demand_following(evidence: PanelEvidence) -> tuple[Finding, ...]:
    """Channels whose media follow the sales expected without media, or are made of season and controls.

    The first is a correlation within units with the baseline fitted beside all media, so a channel that sells
    much is not mistaken for one that follows. It shows only the demand that season, trend, drift and controls
    explain; demand that nobody measured leaves no trace here.
    """
    correlation = baseline_correlation(evidence)
    found = [
        _follows(name, float(value))
        for name, value in zip(evidence.panel.channel_names, correlation, strict=True)
        if abs(value) >= NOTABLE_CORRELATION
    ]
    moving = evidence.used & (evidence.movement > 0)
    made = [
        _made_of_baseline(name, float(left))
        for name, left, moves in zip(evidence.panel.channel_names, evidence.share_left, moving, strict=True)
        if moves and left < LITTLE_LEFT
    ]
    return (*found, *made)


def baseline_correlation(evidence: PanelEvidence) -> Array:
    """Correlation of each channel's media with the baseline, within units over training weeks `[channel]`.

    Zero for a channel that never moves, and for all where the baseline hardly does.
    """
    baseline = _centred(evidence.baseline[..., None], evidence.train)
    swing = np.sqrt((baseline**2).sum() / evidence.train.sum())
    media = _centred(evidence.saturated, evidence.train)
    scale = np.sqrt((media**2).sum(axis=(0, 1)) * (baseline**2).sum())
    moves = (scale > 0) & (swing >= LEAST_SWING)
    return np.asarray(np.where(moves, (media * baseline).sum(axis=(0, 1)) / np.where(moves, scale, 1.0), 0.0))


def _centred(series: Array, train: NDArray[np.bool_]) -> Array:
    counted = train[..., None].astype(np.float64)
    mean = (series * counted).sum(axis=1, keepdims=True) / np.maximum(counted.sum(axis=1, keepdims=True), 1.0)
    return np.asarray((series - mean) * counted)


def _follows(name: str, correlation: float) -> Finding:
    direction, bias = ("with", "too high") if correlation > 0 else ("against", "too low")
    return Finding(
        "follows-demand",
        "review" if abs(correlation) >= HIGH_CORRELATION else "note",
        (name,),
        f"{name} moves {direction} demand: its media and the sales expected without any media correlate "
        f"{correlation:+.2f} over time. Whatever season, trend and controls miss of demand makes its effect {bias}.",
        f"Add a control that measures demand (search queries, a competitor, weather), or run an experiment on {name}.",
    )


def _made_of_baseline(name: str, left: float) -> Finding:
    return Finding(
        "moves-like-baseline",
        "review" if left < HARDLY_ANY_LEFT else "note",
        (name,),
        f"Season, trend, slow drift and controls can make {percent(1 - left)} of what {name} does over time: its "
        f"effect is known from the other {percent(left)} only.",
        f"Vary {name} against the season, in single weeks or units, or run an experiment on it.",
    )
