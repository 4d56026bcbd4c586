"""A model of a small panel without training, for tests of planning."""

from mmm_models.federated_spec import ChannelDeclaration, FederatedModel
from mmm_models.panel import Panel
from mmm_models.spec import ModelSpec
from mmm_models.stored_model import StoredModel
from mmm_models.training import get_vector
from tests.mmm_models.small_panels import prepared, scattered_response

SPEC = ModelSpec(max_lag_weeks=4)


def small_model(panel: Panel) -> StoredModel:
    """Scattered parameters under the panel's own scales."""
    scales, _ = prepared(panel, SPEC)
    channels = tuple(ChannelDeclaration(name=channel.name, kind=channel.kind) for channel in panel.channels)
    described = FederatedModel(
        channels=channels, media_per=scales.per, weeks=panel.n_weeks, holdout_weeks=8, model=SPEC
    )
    return StoredModel(described, scales, get_vector(scattered_response(SPEC, panel.n_channels)))
