"""Channels that run together are named together, and only they."""

import numpy as np
import pytest

from mmm_models.diagnostics.collinear_channels import variance_inflation
from mmm_models.diagnostics.panel_evidence import gather_evidence
from mmm_models.diagnostics.posterior_summary import PosteriorSummary
from mmm_models.errors import ModelError
from mmm_models.spec import ModelSpec
from tests.mmm_models.diagnostics.made_panels import (
    HOLDOUT,
    UNITS,
    WEEKS,
    found,
    independent_media,
    made_panel,
    season,
    the_finding,
)


def alike(first, noise, seed=9):
    """A series that follows `first` up to noise."""
    return np.maximum(first + noise * np.random.default_rng(seed).standard_normal(first.shape), 0.0)


def evidence(panel):
    return gather_evidence(panel, holdout_weeks=HOLDOUT, spec=ModelSpec())


def summary(correlation, **parts):
    """Two channels, each known to 40 %, prior 70 %."""
    covariance = 0.16 * np.array([[1.0, correlation], [correlation, 1.0]])
    fields = {
        "log_contribution_cov": covariance,
        "prior_sd": np.full(2, 0.7),
        "posterior_sd": np.full(2, 0.4),
        **parts,
    }
    return PosteriorSummary(**fields)


def test_independent_channels_are_not_called_collinear():
    panel = made_panel(independent_media(4))

    assert found(panel, "collinear") == {}
    assert variance_inflation(evidence(panel)) == pytest.approx(np.ones(4), abs=0.1)


def test_a_pair_that_runs_together_is_named_and_nobody_else():
    media = independent_media(3)
    media[..., 2] = alike(media[..., 0], 0.05)

    finding = the_finding(made_panel(media), "collinear")

    assert finding.channels == ("c0", "c2")
    assert finding.severity == "review"
    assert "what they sell together" in finding.text


def test_a_season_in_common_does_not_make_channels_collinear():
    """Both follow one wave that baselines take out; what is left is their own."""
    wave = 1.0 + 0.9 * season()[None, :, None]
    media = wave * independent_media(2)
    plain = np.corrcoef(media[..., 0].ravel(), media[..., 1].ravel())[0, 1]

    assert plain > 0.5
    assert found(made_panel(media), "collinear") == {}


def test_units_of_different_size_do_not_make_channels_collinear():
    size = np.geomspace(1.0, 1e4, UNITS)[:, None, None]
    media = size * independent_media(2)
    panel = made_panel(media, population=1000.0 * size[:, 0, 0])

    assert np.corrcoef(media[..., 0].ravel(), media[..., 1].ravel())[0, 1] > 0.7
    assert found(panel, "collinear") == {}


def test_a_channel_made_of_two_others_is_grouped_with_both():
    media = independent_media(4)
    media[..., 3] = alike(0.5 * (media[..., 0] + media[..., 1]), 0.03)

    assert found(made_panel(media), "collinear") == {"collinear": ("c0", "c1", "c3")}


def test_three_copies_are_one_group():
    media = independent_media(4)
    media[..., 1] = alike(media[..., 0], 0.05, seed=1)
    media[..., 2] = alike(media[..., 0], 0.05, seed=2)

    assert the_finding(made_panel(media), "collinear").channels == ("c0", "c1", "c2")


def test_two_pairs_are_two_groups():
    media = independent_media(4)
    media[..., 2] = alike(media[..., 0], 0.05, seed=1)
    media[..., 3] = alike(media[..., 1], 0.05, seed=2)
    panel = made_panel(media)

    assert found(panel, "collinear") == {"collinear": ("c0", "c2", "c1", "c3")}


def test_exact_copies_have_a_finite_inflation():
    media = np.repeat(independent_media(1), 2, axis=-1)
    panel = made_panel(media)

    assert np.isfinite(variance_inflation(evidence(panel))).all()
    assert the_finding(panel, "collinear").channels == ("c0", "c1")


def test_channels_that_share_a_fixed_budget_are_said_to():
    """A fixed budget that each unit moves to and fro: one gets what the other does not."""
    first = np.random.default_rng(2).uniform(0.6, 1.4, (UNITS, WEEKS))
    media = np.stack([first, 2.0 - first], axis=-1)

    finding = the_finding(made_panel(media), "collinear")

    assert "at each other's expense" in finding.text
    assert "how much one sells beyond the other" in finding.text


def test_a_posterior_that_trades_channels_off_makes_them_a_pair():
    panel = made_panel(independent_media(2))

    assert found(panel, "collinear", posterior=summary(-0.6)) == {}
    finding = the_finding(panel, "collinear", posterior=summary(-0.8))
    assert finding.channels == ("c0", "c1")
    assert "-0.80" in finding.text


def test_the_standard_error_of_the_sum_is_stated_beside_the_parts():
    """Equal parts known to 40 % each, correlated -0.8: the sum to 40 % sqrt((1 - 0.8) / 2) = 13 %."""
    posterior = summary(-0.8, contribution=np.array([50.0, 50.0]))

    text = the_finding(made_panel(independent_media(2)), "collinear", posterior=posterior).text

    assert "their sum: 13 %; alone: c0 40 %, c1 40 %" in text


@pytest.mark.parametrize(
    "parts",
    [
        {"prior_sd": np.ones(3)},
        {"posterior_sd": np.array([1.0, -1.0])},
        {"log_contribution_cov": np.full((2, 2), np.nan)},
        {"contribution": np.ones(3)},
    ],
)
def test_a_posterior_that_does_not_fit_is_refused(parts):
    with pytest.raises(ModelError, match="posterior summary"):
        summary(0.0, **parts)
