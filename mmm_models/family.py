"""What every family of models offers, so that one can stand beside another."""

from typing import Protocol, runtime_checkable

from mmm_models.panel import Panel
from mmm_models.results import Results
from mmm_models.training import Progress


@runtime_checkable
class FittedModel(Protocol):
    """A trained model that can say what it learnt about the panel it was fitted to."""

    @property
    def results(self) -> Results: ...


@runtime_checkable
class ModelFamily(Protocol):
    """Settings that can be fitted to a panel. Fitting twice gives the same results."""

    def fit(self, panel: Panel, *, holdout_weeks: int, progress: Progress | None = None) -> FittedModel:
        """Train on the panel's earlier weeks and judge the fit on its last `holdout_weeks`.

        Contributions are finite, never negative and in the panel's order of channels; a channel without media
        contributes nothing. `progress` is told each step from one, and its loss. Raises `ModelError`.
        """
        ...
