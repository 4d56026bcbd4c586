"""Panels whose media, demand and effects are made by hand, so that what must be found in them is known."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmm_models.diagnostics.diagnose import diagnose
from mmm_models.panel import Panel
from mmm_models.results import Finding
from tests.mmm_models.small_panels import small_panel

Array = NDArray[np.float64]
UNITS, WEEKS, HOLDOUT = 12, 140, 20
EFFECT = 0.05  # of the mean outcome, at mean media


def independent_media(channels: int, units: int = UNITS, weeks: int = WEEKS, seed: int = 0) -> Array:
    """Gamma media, mean one, alike in nothing `[unit, week, channel]`."""
    return np.random.default_rng(seed).gamma(4.0, 0.25, (units, weeks, channels))


def season(weeks: int = WEEKS) -> Array:
    """One smooth wave a year, amplitude one `[week]`."""
    return np.sin(2 * np.pi * np.arange(weeks) * 7 / 365.25)


def made_panel(
    media: Array, *, demand: Array | None = None, noise: float = 0.03, seed: int = 0, **parts: Any
) -> Panel:
    """Outcome 100 (1 + demand + EFFECT sum of media + noise), media in hundreds, spend 1 to 3 % of revenue.

    The panel's one control is independent noise unless `parts` replaces it.
    """
    units, weeks, channels = media.shape
    rng = np.random.default_rng(seed)
    moving = np.zeros(weeks) if demand is None else demand
    outcome = 1.0 + moving + EFFECT * media.sum(axis=-1) + noise * rng.standard_normal((units, weeks))
    fields: dict[str, Any] = {
        "outcome": 100.0 * outcome,
        "media": 100.0 * media,
        "spend": 2.0 * media,
    }
    return small_panel(units, weeks, channels, seed, **{**fields, **parts})


def found(panel: Panel, *codes: str, holdout_weeks: int = HOLDOUT, **more: Any) -> dict[str, tuple[str, ...]]:
    """Channels of every finding of these codes (all without any), by code; a code met twice joins its channels."""
    by_code: dict[str, tuple[str, ...]] = {}
    for finding in diagnose(panel, holdout_weeks=holdout_weeks, **more):
        if not codes or finding.code in codes:
            by_code[finding.code] = by_code.get(finding.code, ()) + finding.channels
    return by_code


def the_finding(panel: Panel, code: str, holdout_weeks: int = HOLDOUT, **more: Any) -> Finding:
    """The one finding of that code; fails, showing all, when there is not exactly one."""
    findings = diagnose(panel, holdout_weeks=holdout_weeks, **more)
    chosen = [finding for finding in findings if finding.code == code]
    assert len(chosen) == 1, [(finding.code, finding.channels) for finding in findings]
    return chosen[0]
