"""The neural MMM on one panel, start to end: scales, training, results. No federation, no privacy."""

from dataclasses import dataclass, field, replace

import numpy as np

from mmm_models.attribution import Naming, results_from_sum
from mmm_models.averaged_readings import fit_readings
from mmm_models.diagnostics.diagnose import diagnose
from mmm_models.diagnostics.effect_waves import effect_waves_unidentified
from mmm_models.diagnostics.required_history import require_history
from mmm_models.errors import NothingToLearnFrom
from mmm_models.evaluation import UnitErrors, holdout_errors
from mmm_models.experiments.contradiction import ModelPrediction, compare_experiment, contradictions
from mmm_models.experiments.lift import LiftTest
from mmm_models.experiments.placed_lift import place
from mmm_models.frequency_findings import frequency_findings
from mmm_models.lift_likelihood import lift_term, predicted_lift
from mmm_models.log_contributions import summarise
from mmm_models.network import MediaResponse
from mmm_models.panel import Panel
from mmm_models.partial_pooling import with_unit_deviations
from mmm_models.posterior import SCOUTS, Posterior
from mmm_models.results import ExperimentCheck, Results, UnitFit
from mmm_models.same_week_media import with_same_week_media
from mmm_models.scaling import MediaPer, Scales, octave_counts, scale_quantities, scales_from
from mmm_models.spec import ModelSpec, TrainingSpec
from mmm_models.training import Progress, Trained, train
from mmm_models.unit_data import UnitData, prepare, split_weeks, unit_level
from mmm_models.unit_records import RecordLayout, unit_records


@dataclass(frozen=True, eq=False)
class FittedNeuralMmm:
    """A trained response with the scales it was trained under and what it says about its own panel.

    `posterior` says how sure it is; with experiments, `results.experiments` says how each compares with the model
    before it was calibrated.
    """

    trained: Trained
    scales: Scales
    posterior: Posterior
    results: Results


@dataclass(frozen=True)
class NeuralMmm:
    """A `ModelFamily`: settings in, fitted model out; deterministic. `lifts` are experiments it is calibrated with."""

    model: ModelSpec = field(default_factory=ModelSpec)
    training: TrainingSpec = field(default_factory=TrainingSpec)
    lifts: tuple[LiftTest, ...] = ()

    def fit(self, panel: Panel, *, holdout_weeks: int, progress: Progress | None = None) -> FittedNeuralMmm:
        """Train on all but the last `holdout_weeks`.

        Raises `HistoryTooShort`, `NothingToLearnFrom`, `TrainingDiverged`, and `LiftMisplaced` for experiments the
        panel lacks.
        """
        require_history(panel, holdout_weeks=holdout_weeks, spec=self.model)
        placed, model = place(self.lifts, panel), self._identified(panel, holdout_weeks)
        scales = pooled_scales(panel, model, holdout_weeks)
        data = prepare(panel, scales, model, holdout_weeks=holdout_weeks)
        if not data.train.any():
            raise NothingToLearnFrom(panel.silo)
        response = MediaResponse(model, scales.spend_per_revenue.tolist())
        trained = train(response, data.some(SCOUTS), self.training, progress=progress)
        posterior = fit_readings(response, data)
        experiments: tuple[ExperimentCheck, ...] = ()
        if placed:
            terms = [lift_term(lift, data, response) for lift in placed]
            before = [predicted_lift(term, response, posterior.covariance) for term in terms]
            posterior = fit_readings(response, data, terms)
            experiments = tuple(
                compare_experiment(
                    term.lift,
                    ModelPrediction(*found, predicted_lift(term, response, posterior.covariance)[0]),
                )
                for term, found in zip(terms, before, strict=True)
            )
        # A baseline that makes up for what lies between readings.
        data = with_same_week_media(data, response, {lift.channel for lift in placed})
        results = self._results(panel, data, scales, response, posterior, holdout_weeks=holdout_weeks)
        findings = (*contradictions(experiments), *results.findings, *frequency_findings(panel, response))
        results = replace(results, experiments=experiments, findings=findings)
        return FittedNeuralMmm(trained, scales, posterior, results)

    def _identified(self, panel: Panel, holdout_weeks: int) -> ModelSpec:
        """The model with a response of frequency where one is known, and without waves of effects where the panel
        cannot tell them: `Results.findings` has the reason."""
        model = self.model.model_copy(update={"reach_frequency": bool(panel.has_frequency.any())})
        waves = model.effect_waves if panel.n_channels else 0
        if waves and effect_waves_unidentified(panel, holdout_weeks=holdout_weeks, waves=waves, spec=model):
            return model.model_copy(update={"effect_waves": 0})
        return model

    def _results(
        self,
        panel: Panel,
        data: UnitData,
        scales: Scales,
        response: MediaResponse,
        posterior: Posterior,
        *,
        holdout_weeks: int,
    ) -> Results:
        layout = RecordLayout(panel.n_channels, private=False, parameters=posterior.mode.size)
        pooled = with_unit_deviations(data, response)
        total = unit_records(response, panel, pooled, scales=scales, layout=layout).sum(axis=0)
        results = results_from_sum(
            total,
            Naming(panel.channels, panel.outcome_unit, panel.currency),
            response=response,
            scales=scales,
            layout=layout,
            covariance=posterior.covariance,
        )
        known = None
        if layout.parameters:
            known = summarise(total, layout, response, posterior.covariance, outcome=scales.outcome)
        tested = {lift.channel for lift in self.lifts}
        findings = diagnose(
            panel, holdout_weeks=holdout_weeks, posterior=known, spec=self.model, tested=tested
        )
        fits = unit_fits(panel, holdout_errors(response, pooled), data.level.double().numpy())
        return replace(results, findings=findings, holdout=replace(results.holdout, per_unit=fits))


def pooled_scales(panel: Panel, model: ModelSpec, holdout_weeks: int) -> Scales:
    """The scales one panel alone agrees on."""
    per = MediaPer.OUTCOME if np.isnan(panel.population).any() else MediaPer.POPULATION
    train_weeks, _ = split_weeks(panel, model, holdout_weeks)
    quantities = scale_quantities(panel, per, level=unit_level(panel, train_weeks), train=train_weeks)
    return scales_from(octave_counts(quantities).sum(axis=0), per)


def unit_fits(panel: Panel, errors: UnitErrors, level: np.ndarray) -> tuple[UnitFit, ...]:
    """Each unit's own held-out fit; private to whoever owns the units."""
    tested = np.where(errors.weeks > 0, errors.weeks, np.nan)
    rmse = np.sqrt(errors.squared / tested) * level
    mape = np.where(errors.weeks > 0, errors.mape, np.nan)
    rows = zip(panel.units, rmse.tolist(), mape.tolist(), errors.r2.tolist(), strict=True)
    return tuple(UnitFit(*row) for row in rows)
