"""Whether chance alone can have dealt out treatment: what was known before must not tell who was treated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.experiments.trial import Trial

DOUBTFUL_P_VALUE = 0.001  # chance alone makes one in a thousand trials look so


@dataclass(frozen=True)
class CovariateBalance:
    """Treated less control mean over the pooled standard deviation; beyond 0.1 is usually called unbalanced."""

    name: str
    difference: float


@dataclass(frozen=True)
class Balance:
    """All covariates, the most different first; `p_value` that chance differs them so much together, 1 without any."""

    covariates: tuple[CovariateBalance, ...]
    p_value: float

    @property
    def is_doubtful(self) -> bool:
        """Whether the trial can hardly have been randomised."""
        return self.p_value < DOUBTFUL_P_VALUE


def check_balance(trial: Trial) -> Balance:
    """Of every covariate, and of all at once: the F test of treatment regressed on them, which randomisation passes.

    [Hansen and Bowers 2008, "Covariate Balance in Simple, Stratified and Clustered Comparative Studies"]
    """
    if not trial.covariate_names:
        return Balance((), 1.0)
    import statsmodels.api as sm

    treated, control = trial.covariates[trial.treated], trial.covariates[~trial.treated]
    spread = np.sqrt((treated.var(axis=0) + control.var(axis=0)) / 2)
    apart = treated.mean(axis=0) - control.mean(axis=0)
    difference = np.divide(apart, spread, out=np.full_like(apart, np.inf), where=spread > 0)
    rows = [CovariateBalance(*row) for row in zip(trial.covariate_names, difference.tolist(), strict=True)]
    standard = (trial.covariates - trial.covariates.mean(axis=0)) / trial.covariates.std(axis=0)
    design = sm.add_constant(standard[:, _independent(standard)])
    fitted = sm.OLS(trial.treated.astype(np.float64), design).fit()
    return Balance(tuple(sorted(rows, key=lambda row: -abs(row.difference))), float(fitted.f_pvalue))


def _independent(columns: NDArray[np.float64]) -> list[int]:
    """Columns that no others make up: a joint test of the rest is not defined. Pivoted QR finds them."""
    from scipy.linalg import qr

    _, triangle, order = qr(columns, mode="economic", pivoting=True)
    size = np.abs(np.diag(triangle))
    return sorted(order[: int((size > 1e-8 * size[0]).sum())].tolist())
