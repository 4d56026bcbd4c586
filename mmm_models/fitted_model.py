"""A pooled fit as a stored model: what a run directory keeps of it, and what plans are made from."""

from mmm_models.federated_spec import ChannelDeclaration, FederatedModel
from mmm_models.neural_mmm import FittedNeuralMmm
from mmm_models.panel import Panel
from mmm_models.stored_model import StoredModel
from mmm_models.training import get_vector


def stored_model_of(fitted: FittedNeuralMmm, panel: Panel, *, holdout_weeks: int) -> StoredModel:
    """The model fitted to this panel with so many weeks held out, its posterior covariance included."""
    description = FederatedModel(
        channels=tuple(
            ChannelDeclaration(name=c.name, kind=c.kind, exposure_unit=c.exposure_unit)
            for c in panel.channels
        ),
        media_per=fitted.scales.per,
        weeks=panel.n_weeks,
        holdout_weeks=holdout_weeks,
        intervals=True,
        model=fitted.trained.response.spec,
        currency=panel.currency,
        outcome_unit=panel.outcome_unit,
    )
    parameters = get_vector(fitted.trained.response)
    return StoredModel(description, fitted.scales, parameters, fitted.posterior.covariance)
