"""A plan basis from own rows and a trained model: of a pooled fit, or of a silo on its own machine."""

from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray

from mmm_models.contribution_totals import MULTIPLIERS, ContributionTotals
from mmm_models.own_response import own_response
from mmm_models.panel import Panel
from mmm_models.planning.basis_from_sums import PartSums, observed_weeks, part_from
from mmm_models.planning.plan_basis import EVERYTHING, Part, PlanBasis
from mmm_models.stored_model import StoredModel
from mmm_models.unit_data import prepare
from mmm_models.weekly_totals import weekly_totals, weekly_totals_from

Array = NDArray[np.float64]
POOLED = "+"  # between the silos' names in a pooled panel's, whose units are named silo/unit


class PartsOf(StrEnum):
    """What money can be moved between: nothing, silos of a pooled panel, or units."""

    ALL = "all"
    SILO = "silo"
    UNIT = "unit"


def basis_of_panel(
    panel: Panel, model: StoredModel, parts: str = PartsOf.ALL, *, own: bool = False
) -> PlanBasis:
    """Of every unit of the panel, with the model's channels; by unit it is for the panel's owner alone.

    Parts by silo are in the order in which their units stand; a panel of one silo is one part of its name. With `own`
    every silo responds in its own way, shrunk towards the shared one (`own_response`); that reads all its rows. Raises
    ModelError when the panel has channels that the model lacks.
    """
    panel = panel.with_channels(model.description.panel_channels)
    rows = [
        _rows(panel.select_units(units), model, own=own) for units in _split(panel, PartsOf.SILO).values()
    ]
    order = np.concatenate([np.flatnonzero(units) for units in _split(panel, PartsOf.SILO).values()])
    weekly, curves, sold, earned = (
        np.concatenate(columns)[np.argsort(order)] for columns in zip(*rows, strict=True)
    )

    def part(name: str, units: NDArray[np.bool_]) -> Part:
        sums = PartSums(
            weekly_totals_from(weekly[units].sum(axis=0)),
            curves[units].sum(axis=0),
            float(sold[units].sum()),
            float(earned[units].sum()),
        )
        return part_from(name, sums, model.scales)

    return observed_weeks(
        PlanBasis(
            channels=panel.channel_names,
            kinds=tuple(channel.kind.value for channel in panel.channels),
            currency=panel.currency,
            outcome_unit=panel.outcome_unit,
            weeks=panel.weeks,
            parts=tuple(part(name, units) for name, units in _split(panel, PartsOf(parts)).items()),
            noise=np.zeros(panel.n_channels),
        )
    )


def _rows(panel: Panel, model: StoredModel, *, own: bool) -> tuple[Array, Array, Array, Array]:
    """Per unit of one silo: weekly columns, curves `[channel, multiplier]`, outcome and revenue, all scaled."""
    described, scales, response = model.description, model.scales, model.response()
    data = prepare(panel, scales, described.model, holdout_weeks=described.holdout_weeks)
    if own:
        response = own_response(response, data)
    weekly = weekly_totals(response, panel, data, scales)
    with torch.no_grad():
        totals = ContributionTotals(response, panel, data, scales).at(response.parameters_by_name)
    sold = panel.outcome * panel.observed
    return (
        weekly.columns(),
        totals.double().numpy()[..., : len(MULTIPLIERS)],
        sold.sum(axis=1) / scales.outcome,
        (sold * panel.revenue_per_outcome).sum(axis=1) / scales.money,
    )


def _split(panel: Panel, parts: PartsOf) -> dict[str, NDArray[np.bool_]]:
    """Which units make up each part."""
    owner = np.array([_owner(panel, unit, parts) for unit in panel.units])
    return {str(name): owner == name for name in dict.fromkeys(owner.tolist())}


def _owner(panel: Panel, unit: str, parts: PartsOf) -> str:
    if parts is PartsOf.ALL:
        return EVERYTHING
    if parts is PartsOf.UNIT:
        return unit
    return unit.partition("/")[0] if POOLED in panel.silo else panel.silo
