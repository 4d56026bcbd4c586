"""Channels about which the model says what it believed beforehand."""

import numpy as np

from mmm_models.diagnostics.finding_words import percent
from mmm_models.diagnostics.posterior_summary import PosteriorSummary
from mmm_models.results import Finding

MOSTLY_PRIOR, ALL_PRIOR = 0.7, 0.9  # of the prior's standard deviation is left


def prior_dominated(channel_names: tuple[str, ...], posterior: PosteriorSummary) -> tuple[Finding, ...]:
    """One finding per channel whose uncertainty the data hardly narrowed."""
    known = posterior.prior_sd > 0
    left = np.where(known, posterior.posterior_sd / np.where(known, posterior.prior_sd, 1.0), 0.0)
    return tuple(
        _finding(name, float(share))
        for name, share in zip(channel_names, left, strict=True)
        if share >= MOSTLY_PRIOR
    )


def _finding(name: str, left: float) -> Finding:
    return Finding(
        "prior-only",
        "review" if left >= ALL_PRIOR else "note",
        (name,),
        f"The data say little about {name}: {percent(min(left, 1.0))} of the uncertainty there was before them is "
        "left. Its numbers are mostly what is usual for channels like it.",
        f"An experiment on {name} would teach more than any model.",
    )
