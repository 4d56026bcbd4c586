"""Channels that run together: only what they do together is known."""

import math

import numpy as np
from numpy.typing import NDArray

from mmm_models.diagnostics.finding_words import listed, percent
from mmm_models.diagnostics.panel_evidence import PanelEvidence
from mmm_models.diagnostics.posterior_summary import PosteriorSummary
from mmm_models.results import Finding

Array = NDArray[np.float64]
HIGH_INFLATION, VERY_HIGH_INFLATION = 5.0, 10.0  # of the variance; Belsley, Kuh, Welsch 1980
CLOSE_CORRELATION, CLOSE_PARTIAL = 0.8, 0.5
TRADED_OFF = -0.7  # correlation of two log contributions in the posterior
MOST_SHOWN = 1000.0  # more is a copy


def collinear_channels(
    evidence: PanelEvidence, posterior: PosteriorSummary | None = None
) -> tuple[Finding, ...]:
    """One finding per group of channels that cannot be told apart.

    Judged by the variance inflation of each channel's effect, within units and beside their baselines, and
    with a posterior also by pairs of contributions that it trades off against each other.
    """
    inflation = variance_inflation(evidence)
    close = _close(evidence, inflation)
    if posterior is not None:
        close |= posterior.correlation <= TRADED_OFF
    return tuple(_finding(evidence, group, inflation, posterior) for group in _groups(close))


def variance_inflation(evidence: PanelEvidence) -> Array:
    """By how much the other channels inflate the variance of each channel's effect `[channel]`.

    1: nothing in common with the others; NaN for a channel the data say nothing about.
    """
    inflation = np.full(len(evidence.used), math.nan)
    told = np.flatnonzero(evidence.told)
    if len(told):
        inflation[told] = np.diag(_inverse(_correlation(evidence, told)))
    return inflation


def _close(evidence: PanelEvidence, inflation: Array) -> NDArray[np.bool_]:
    """Pairs `[channel, channel]` that inflate each other: alike themselves, or alike beside the others."""
    high = np.flatnonzero(np.nan_to_num(inflation) >= HIGH_INFLATION)
    told = np.flatnonzero(evidence.told)
    close = np.zeros((len(inflation), len(inflation)), dtype=np.bool_)
    if not len(high):
        return close
    correlation = _correlation(evidence, told)
    precision = _inverse(correlation)
    scale = np.sqrt(np.diag(precision))
    alike = np.abs(correlation) >= CLOSE_CORRELATION
    beside_others = np.abs(precision / np.outer(scale, scale)) >= CLOSE_PARTIAL * (1 - 1e-6)
    near = np.ix_(told, told)
    close[near] = alike | beside_others
    is_high = np.isin(np.arange(len(inflation)), high)
    return np.asarray(close & np.outer(is_high, is_high))


def _correlation(evidence: PanelEvidence, channels: NDArray[np.intp]) -> Array:
    chosen = evidence.information[np.ix_(channels, channels)]
    scale = np.sqrt(np.diag(chosen))
    return np.asarray(chosen / np.outer(scale, scale))


def _inverse(correlation: Array) -> Array:
    """With a trace of ridge: copies of a channel have an inflation of about a million, not infinity."""
    return np.asarray(np.linalg.inv(correlation + 1e-6 * np.eye(len(correlation))))


def _groups(close: NDArray[np.bool_]) -> list[tuple[int, ...]]:
    """Connected channels, each group in the panel's order."""
    reach = close | np.eye(len(close), dtype=np.bool_)
    for _ in range(len(close)):
        reach = reach @ reach
    groups = {tuple(int(i) for i in np.flatnonzero(row)) for row in reach}
    return sorted(group for group in groups if len(group) > 1)


def _finding(
    evidence: PanelEvidence, group: tuple[int, ...], inflation: Array, posterior: PosteriorSummary | None
) -> Finding:
    names = tuple(evidence.panel.channel_names[index] for index in group)
    worst = float(np.nan_to_num(inflation[list(group)]).max())
    traded = 0.0 if posterior is None else float(posterior.correlation[np.ix_(group, group)].min())
    why = _run_alike(evidence, group, worst) if worst >= HIGH_INFLATION else _traded_off(names, traded)
    return Finding(
        "collinear",
        "review" if worst >= VERY_HIGH_INFLATION or traded <= TRADED_OFF else "note",
        names,
        why + _known_together(names, group, posterior),
        f"Read {listed(names)} as one; to tell them apart, vary one while the other stays, or run an experiment "
        "on one of them.",
    )


def _run_alike(evidence: PanelEvidence, group: tuple[int, ...], worst: float) -> str:
    opposed = len(group) == 2 and evidence.information[group] < 0
    how = "run at each other's expense" if opposed else "run together"
    known = "how much one sells beyond the other" if opposed else "what they sell together"
    names = [evidence.panel.channel_names[index] for index in group]
    return (
        f"{listed(names)} {how}: within units, beside season, trend and controls, other channels make up to "
        f"{percent(1 - 1 / worst)} of one's variation (variance inflation {min(worst, MOST_SHOWN):.0f}). "
        f"The data know {known}, not what each sells."
    )


def _traded_off(names: tuple[str, ...], correlation: float) -> str:
    return (
        f"The model can give {listed(names)} more or less of what they sell together without fitting worse "
        f"(correlation {correlation:.2f}): their sum is known, not what each sells."
    )


def _known_together(
    names: tuple[str, ...], group: tuple[int, ...], posterior: PosteriorSummary | None
) -> str:
    """How well the model knows the sum and each part, where it says."""
    if posterior is None or not math.isfinite(together := posterior.relative_sd(group)):
        return ""
    parts = [
        f"{name} {percent(posterior.relative_sd((index,)))}" for name, index in zip(names, group, strict=True)
    ]
    return f" Standard error of their sum: {percent(together)}; alone: {', '.join(parts)}."
