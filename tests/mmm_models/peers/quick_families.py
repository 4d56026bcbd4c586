"""Every family at a size at which a test takes a blink; those that are quick anyway as they are."""

from mmm_models.family import ModelFamily
from mmm_models.neural_mmm import NeuralMmm
from mmm_models.peers.boosting import Boosting
from mmm_models.peers.recurrent import Recurrent
from mmm_models.peers.recurrent_network import RecurrentSettings
from mmm_models.peers.registry import family
from mmm_models.spec import ModelSpec, TrainingSpec

SMALL: dict[str, ModelFamily] = {
    "neural": NeuralMmm(ModelSpec(max_lag_weeks=6), TrainingSpec(steps=15, learning_rate=0.1)),
    "boosting": Boosting(leaves=(8,), most_trees=100, learning_rate=0.1),
    "recurrent": Recurrent(RecurrentSettings(hidden=4, most_steps=40, networks=1)),
}


def quick_family(name: str) -> ModelFamily:
    """A family by name."""
    return SMALL.get(name) or family(name)
