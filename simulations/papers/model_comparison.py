"""Families of models on the same study panel: how far off they predict held-out rows and credit channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mmm_models.family import ModelFamily
from mmm_models.peers.boosting import Boosting
from mmm_models.peers.registry import family
from simulations.papers.claims import Reading
from simulations.papers.linear_mmm import LinearMmm
from simulations.papers.study_panel import StudyPanel

LINEAR, MEDIA_ONLY, UNTUNED = "linear", "linear, media only", "boosting, 200 trees"
COMPARED: Mapping[str, Callable[[], ModelFamily]] = MappingProxyType(
    {
        LINEAR: LinearMmm,
        MEDIA_ONLY: lambda: LinearMmm(media_only=True),
        "ridge": lambda: family("ridge"),
        "boosting": lambda: family("boosting"),
        UNTUNED: lambda: Boosting(trees=200),
        "recurrent": lambda: family("recurrent"),
        "neural": lambda: family("neural"),
    }
)
# Family -> the claims it is held to: hold-out RMSE, contributions.
PUBLISHED = {
    "boosting": ("boosting-rmse", "shap-contributions"),
    UNTUNED: ("boosting-rmse", "shap-contributions"),
    "recurrent": ("recurrent-rmse", "recurrent-contributions"),
}


@dataclass(frozen=True)
class FamilyFit:
    """One family on one panel of one seed: hold-out RMSE in outcome units, and the mean over channels of
    |contribution / truth - 1|."""

    study: str
    family: str
    seed: int
    rmse: float
    contribution_error: float


def compare_families(study: StudyPanel, *, seed: int) -> tuple[FamilyFit, ...]:
    """Every compared family, fitted to the same panel."""
    return tuple(_fit(study, name, make(), seed) for name, make in COMPARED.items())


def comparison_readings(fits: tuple[FamilyFit, ...]) -> tuple[Reading, ...]:
    """The claims about boosting and recurrent models, per study panel; ours stand beside.

    Fits of several seeds belong together where study and family are the same.
    """
    readings = []
    for study in dict.fromkeys(fit.study for fit in fits):
        for name, (rmse, contributions) in PUBLISHED.items():
            setting = f"{study}; nothing tuned" if name == UNTUNED else study
            readings += [
                Reading(rmse, setting, below(fits, study, name, LINEAR)),
                Reading(
                    rmse, f"{setting}; against media only", below(fits, study, name, MEDIA_ONLY), judged=False
                ),
                Reading(contributions, setting, errors(fits, study, name)),
            ]
        readings += [
            Reading(
                "boosting-rmse", f"{study}; ridge instead", below(fits, study, "ridge", LINEAR), judged=False
            ),
            Reading(
                "boosting-rmse",
                f"{study}; neural instead",
                below(fits, study, "neural", LINEAR),
                judged=False,
            ),
            Reading(
                "shap-contributions", f"{study}; neural instead", errors(fits, study, "neural"), judged=False
            ),
        ]
    return tuple(readings)


def below(fits: tuple[FamilyFit, ...], study: str, name: str, reference: str) -> tuple[float, ...]:
    """By how much a family's hold-out RMSE is below another's, as a share of it; one a seed."""
    found = _of(fits, study, name)
    return tuple(
        1.0 - fit.rmse / other.rmse for fit, other in zip(found, _of(fits, study, reference), strict=True)
    )


def errors(fits: tuple[FamilyFit, ...], study: str, name: str) -> tuple[float, ...]:
    """Contribution errors, one a seed."""
    return tuple(fit.contribution_error for fit in _of(fits, study, name))


def _of(fits: tuple[FamilyFit, ...], study: str, name: str) -> list[FamilyFit]:
    return [fit for fit in fits if (fit.study, fit.family) == (study, name)]


def _fit(study: StudyPanel, name: str, chosen: ModelFamily, seed: int) -> FamilyFit:
    results = chosen.fit(study.panel, holdout_weeks=study.holdout).results
    found = np.array([row.contribution for row in results.channels])
    error = float(np.abs(found / study.truth - 1.0).mean())
    return FamilyFit(study.name, name, seed, results.holdout.rmse, error)
