"""The neural MMM on one panel, start to end: scales, training, results. No federation, no privacy."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from mmm_models.attribution import Naming, results_from_sum
from mmm_models.errors import NothingToLearnFrom
from mmm_models.evaluation import UnitErrors, holdout_errors
from mmm_models.network import MediaResponse
from mmm_models.panel import Panel
from mmm_models.results import Results, UnitFit
from mmm_models.scaling import MediaPer, Scales, octave_counts, scale_quantities, scales_from
from mmm_models.spec import ModelSpec, TrainingSpec
from mmm_models.training import Progress, Trained, train
from mmm_models.unit_data import prepare, split_weeks, unit_level
from mmm_models.unit_records import RecordLayout, unit_records


@dataclass(frozen=True, eq=False)
class FittedNeuralMmm:
    """A trained response with the scales it was trained under and what it says about its own panel."""

    trained: Trained
    scales: Scales
    results: Results


@dataclass(frozen=True)
class NeuralMmm:
    """A `ModelFamily`: settings in, fitted model out; deterministic."""

    model: ModelSpec = field(default_factory=ModelSpec)
    training: TrainingSpec = field(default_factory=TrainingSpec)

    def fit(self, panel: Panel, *, holdout_weeks: int, progress: Progress | None = None) -> FittedNeuralMmm:
        """Train on all but the last `holdout_weeks`. Raises `TrainingDiverged` and `NothingToLearnFrom`."""
        scales = pooled_scales(panel, self.model, holdout_weeks)
        data = prepare(panel, scales, self.model, holdout_weeks=holdout_weeks)
        if not data.train.any():
            raise NothingToLearnFrom(panel.silo)
        response = MediaResponse(self.model, scales.spend_per_revenue.tolist())
        trained = train(response, data, self.training, progress=progress)
        layout = RecordLayout(panel.n_channels, private=False)
        with torch.no_grad():
            records = unit_records(response, panel, data, scales=scales, layout=layout)
        naming = Naming(panel.channels, panel.outcome_unit, panel.currency)
        total = records.sum(axis=0)
        results = results_from_sum(total, naming, response=response, scales=scales, layout=layout)
        fits = unit_fits(panel, holdout_errors(response, data), data.level.double().numpy())
        return FittedNeuralMmm(
            trained, scales, replace(results, holdout=replace(results.holdout, per_unit=fits))
        )


def pooled_scales(panel: Panel, model: ModelSpec, holdout_weeks: int) -> Scales:
    """The scales one panel alone agrees on."""
    per = MediaPer.OUTCOME if np.isnan(panel.population).any() else MediaPer.POPULATION
    train_weeks, _ = split_weeks(panel, model, holdout_weeks)
    quantities = scale_quantities(panel, per, unit_level(panel, train_weeks))
    return scales_from(octave_counts(quantities).sum(axis=0), per)


def unit_fits(panel: Panel, errors: UnitErrors, level: np.ndarray) -> tuple[UnitFit, ...]:
    """Each unit's own held-out fit; private to whoever owns the units."""
    tested = np.where(errors.weeks > 0, errors.weeks, np.nan)
    rmse = np.sqrt(errors.squared / tested) * level
    mape = np.where(errors.weeks > 0, errors.mape, np.nan)
    rows = zip(panel.units, rmse.tolist(), mape.tolist(), errors.r2.tolist(), strict=True)
    return tuple(UnitFit(*row) for row in rows)
