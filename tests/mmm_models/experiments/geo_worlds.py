"""Panels in which an experiment did something known to some units."""

from typing import Any

import numpy as np

from mmm_models.panel import Panel
from tests.mmm_models.small_panels import small_panel

PRE, DURING = 30, 8


def geo_panel(
    *,
    factor: float,
    effect: float,
    units: int = 14,
    treated: int = 4,
    noise: float = 0.02,
    seed: int = 0,
    **parts: Any,
) -> Panel:
    """The first `treated` units sell more by `effect`, over their mean before, in each of the last `DURING` weeks.

    Their media are `factor` times what the others' are there. Levels differ tenfold; all share seasons.
    """
    rng = np.random.default_rng(seed)
    weeks = PRE + DURING
    level = np.geomspace(100.0, 1000.0, units)[rng.permutation(units)]
    season = 1 + 0.2 * np.sin(np.arange(weeks) / 5)
    relative = season + noise * rng.standard_normal((units, weeks))
    media = np.repeat((50.0 * season)[None, :, None], units, axis=0) * level[:, None, None] / 100
    relative[:treated, PRE:] += effect * relative[:treated, :PRE].mean(axis=1, keepdims=True)
    media[:treated, PRE:] *= factor
    fields = {"outcome": relative * level[:, None], "media": media, "spend": media / 100, **parts}
    return small_panel(units, weeks, 1, **fields)


def first_day(panel: Panel, week: int) -> Any:
    """As a date."""
    return panel.weeks[week].astype("datetime64[D]").item()
