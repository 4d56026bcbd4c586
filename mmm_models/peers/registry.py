"""Every family of models by name. Each is imported when it is asked for: some bring heavy libraries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from mmm_models.errors import ModelError
from mmm_models.intake.nearest_name import nearest_name

if TYPE_CHECKING:
    from mmm_models.family import ModelFamily

NEURAL = "neural"


class ModelUnknown(ModelError):
    """No family of models goes by that name."""

    def __init__(self, name: str) -> None:
        nearest = nearest_name(name, FAMILIES)
        super().__init__(
            f"there is no model {name!r}; nothing was fitted",
            hint=(f"did you mean {nearest}? " if nearest else "") + f"known are {', '.join(FAMILIES)}",
        )


@dataclass(frozen=True)
class FamilyEntry:
    """What a family is, in one sentence, and how to have it with its usual settings."""

    summary: str
    make: Callable[[], ModelFamily]


def family(name: str) -> ModelFamily:
    """The family of that name with its usual settings. Raises ModelUnknown."""
    require_family(name)
    return FAMILIES[name].make()


def require_family(name: str) -> None:
    """Raises ModelUnknown, which lists the known names."""
    if name not in FAMILIES:
        raise ModelUnknown(name)


def _neural() -> ModelFamily:
    from mmm_models.neural_mmm import NeuralMmm

    return NeuralMmm()


def _ridge() -> ModelFamily:
    from mmm_models.peers.ridge import Ridge

    return Ridge()


def _log_linear() -> ModelFamily:
    from mmm_models.peers.log_linear import LogLinear

    return LogLinear()


def _interactions() -> ModelFamily:
    from mmm_models.peers.interaction_regression import InteractionRegression

    return InteractionRegression()


def _boosting() -> ModelFamily:
    from mmm_models.peers.boosting import Boosting

    return Boosting()


def _recurrent() -> ModelFamily:
    from mmm_models.peers.recurrent import Recurrent

    return Recurrent()


def _time_varying() -> ModelFamily:
    from mmm_models.peers.time_varying import TimeVarying

    return TimeVarying()


FAMILIES: Mapping[str, FamilyEntry] = MappingProxyType(
    {
        NEURAL: FamilyEntry("the neural MMM: parametric response, priors on ROI, local baselines", _neural),
        "ridge": FamilyEntry("ridge regression with carry-over and saturation search", _ridge),
        "log-linear": FamilyEntry("regression of the logarithm: channels multiply", _log_linear),
        "interactions": FamilyEntry("ridge with products of channels", _interactions),
        "time-varying": FamilyEntry("regression whose effects drift over time", _time_varying),
        "boosting": FamilyEntry("gradient boosting, explained by SHAP values", _boosting),
        "recurrent": FamilyEntry("a recurrent network over weeks", _recurrent),
    }
)
