"""The privacy terms of a run keep what they promise, and both sides work out the same noise."""

import math

import pytest
from dp_accounting import ComposedDpEvent, GaussianDpEvent, SelfComposedDpEvent
from dp_accounting.pld import PLDAccountant

from privacy.errors import InvalidSetting
from privacy.run_terms import BUDGET_SHARES, PrivacyMode, PrivacyTerms, Release
from privacy.wire import Invitation

TERMS = PrivacyTerms(PrivacyMode.LOCAL, 8.0, 1e-4, 30)


def test_the_releases_share_the_whole_budget() -> None:
    assert set(BUDGET_SHARES) == set(Release)
    assert math.fsum(BUDGET_SHARES.values()) == pytest.approx(1.0, abs=1e-12)


def test_an_independent_accountant_finds_the_promised_epsilon() -> None:
    counts = {Release.SCALES: 1, Release.GRADIENT: 30, Release.CLIP_COUNT: 30, Release.REPORT: 1}
    accountant = PLDAccountant()
    accountant.compose(
        ComposedDpEvent(
            [
                SelfComposedDpEvent(GaussianDpEvent(TERMS.noise_multiplier(release)), count)
                for release, count in counts.items()
            ]
        )
    )

    found = accountant.get_epsilon(1e-4)

    assert found == pytest.approx(8.0, rel=5e-3)
    assert found <= 8.0 * (1 + 5e-3)


def test_what_a_silo_charges_is_what_the_run_releases() -> None:
    charged = sorted((event.noise_multiplier, event.count) for event in TERMS.events)
    released = sorted(
        (TERMS.noise_multiplier(release), 30 if release in (Release.GRADIENT, Release.CLIP_COUNT) else 1)
        for release in Release
    )

    assert charged == released


def test_a_share_of_the_budget_is_a_share_of_mu_squared() -> None:
    mu_squared = {
        release: (30 if release in (Release.GRADIENT, Release.CLIP_COUNT) else 1)
        / TERMS.noise_multiplier(release) ** 2
        for release in Release
    }
    whole = sum(mu_squared.values())

    for release, share in BUDGET_SHARES.items():
        assert mu_squared[release] / whole == pytest.approx(share, rel=1e-6)


def test_a_silo_derives_the_coordinators_noise_from_the_invitation() -> None:
    invited = Invitation("run", "local", 8.0, 1e-4, 30, "masks", "{}").privacy

    assert invited == TERMS
    assert invited.events == TERMS.events


def test_the_clip_count_is_noised_in_multiples_of_half_a_unit() -> None:
    assert TERMS.clip_count_sigma == 0.5 * TERMS.noise_multiplier(Release.CLIP_COUNT)


@pytest.mark.parametrize(
    "epsilon, delta, steps",
    [(0.0, 1e-4, 1), (-1.0, 1e-4, 1), (math.nan, 1e-4, 1), (8.0, 0.0, 1), (8.0, 1.0, 1), (8.0, 1e-4, 0)],
)
def test_a_private_run_needs_whole_terms(epsilon: float, delta: float, steps: int) -> None:
    with pytest.raises(InvalidSetting):
        PrivacyTerms(PrivacyMode.LOCAL, epsilon, delta, steps)


def test_an_epsilon_without_noise_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="mode is none") as refused:
        PrivacyTerms(PrivacyMode.NONE, epsilon=8.0)

    assert "--privacy local" in refused.value.hint


def test_a_run_without_privacy_charges_nothing() -> None:
    assert PrivacyTerms(PrivacyMode.NONE).events == ()
