"""Small panels and their parts, made in memory, for tests of the model."""

from typing import Any

import numpy as np
import torch

from mmm_models.network import MediaResponse
from mmm_models.neural_mmm import pooled_scales
from mmm_models.panel import Channel, ChannelKind, Panel
from mmm_models.scaling import Scales
from mmm_models.spec import ModelSpec
from mmm_models.unit_data import UnitData, prepare

SPEND_PER_MEDIA = 0.01


def small_panel(units: int = 3, weeks: int = 60, channels: int = 2, seed: int = 0, **parts: Any) -> Panel:
    """Money outcome near 100 a week with 5 % noise and a control; gamma media; `parts` replaces any field."""
    rng = np.random.default_rng(seed)
    media = 100.0 * rng.gamma(2.0, 1.0, (units, weeks, channels))
    controls = rng.standard_normal((units, weeks, 1))
    outcome = (
        100.0 + 5.0 * rng.standard_normal((units, weeks)) + 3.0 * controls[..., 0] + 0.02 * media.sum(axis=-1)
    )
    fields: dict[str, Any] = {
        "silo": "north",
        "units": tuple(f"s{u}" for u in range(units)),
        "weeks": np.datetime64("2023-01-02") + 7 * np.arange(weeks).astype("timedelta64[D]"),
        "outcome": outcome,
        "observed": np.ones((units, weeks), dtype=np.bool_),
        "media": media,
        "spend": SPEND_PER_MEDIA * media,
        "controls": controls,
        "revenue_per_outcome": np.ones((units, weeks)),
        "population": np.full(units, np.nan),
        "channels": tuple(Channel(f"c{i}", ChannelKind.PAID, "") for i in range(channels)),
        "control_names": ("price",),
        "treatment_names": (),
        "currency": "EUR",
        "outcome_unit": "EUR",
    }
    return Panel(**{**fields, **parts})


def prepared(panel: Panel, spec: ModelSpec, holdout_weeks: int = 8) -> tuple[Scales, UnitData]:
    scales = pooled_scales(panel, spec, holdout_weeks)
    return scales, prepare(panel, scales, spec, holdout_weeks=holdout_weeks)


def scattered_response(spec: ModelSpec, channels: int, seed: int = 0) -> MediaResponse:
    """A response whose parameters are all different, so that no mix-up between channels goes unnoticed."""
    response = MediaResponse(spec, [0.05] * channels)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in response.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator))
        if response.pairs:
            response.parameters_by_name["synergy"].add_(4.0)
    return response


def own_copies(response: MediaResponse, units: int, seed: int = 1) -> dict[str, torch.Tensor]:
    """Each parameter with a leading unit dimension, every unit's a little different."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: value.detach() + 0.1 * torch.randn((units, *value.shape), generator=generator)
        for name, value in response.parameters_by_name.items()
    }
