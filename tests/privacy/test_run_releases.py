"""The noised sums of a run: bounds from what one unit can add, noise from the terms, together what was charged."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from privacy.accountant import epsilon_of, gaussian_mu
from privacy.distributed_noise import DistributedSum, integer_records
from privacy.errors import CapacityExceeded, InvalidSetting
from privacy.run_releases import RunReleases
from privacy.run_terms import PrivacyMode, PrivacyTerms, Release

QUANTITIES, OCTAVES, PARAMETERS = 7, 96, 10
CURVATURE_VALUES = PARAMETERS * (PARAMETERS + 1) // 2
SCALES_VALUES, RECORD_VALUES = QUANTITIES * OCTAVES + 1, 10
MARGIN = 2.0**-20  # clipping aims that far below the bound
LOCAL = PrivacyTerms(PrivacyMode.LOCAL, 8.0, 1e-4, 30, curvatures=2, values=SCALES_VALUES)
SHARED = replace(LOCAL, mode=PrivacyMode.DISTRIBUTED, survivors=4, colluding=1)
MODES = pytest.mark.parametrize("terms", [LOCAL, SHARED], ids=["local", "distributed"])


def every_release(terms: PrivacyTerms) -> dict[Release, DistributedSum]:
    releases = RunReleases(terms)
    return {
        Release.SCALES: releases.scales(QUANTITIES, SCALES_VALUES),
        Release.ROUND: releases.gradient(PARAMETERS, 2.5),
        Release.CURVATURE: releases.curvature(CURVATURE_VALUES, 3.0),
        Release.DRAFT: releases.draft(RECORD_VALUES, 1.5),
        Release.REPORT: releases.report(RECORD_VALUES, 0.7),
    }


@MODES
def test_each_has_the_noise_the_terms_give_it(terms: PrivacyTerms) -> None:
    """A round's gradient and count are two blocks of one release: 1/z^2 adds up over them."""
    found = {release: made.noise_multiplier for release, made in every_release(terms).items()}

    assert found == pytest.approx(
        {release: terms.noise_multiplier(release) for release in Release}, rel=1e-12
    )


@MODES
def test_all_of_them_together_cost_no_more_than_was_charged(terms: PrivacyTerms) -> None:
    """What is really released, slack of its real lengths included, against what the ledger takes."""
    counts = {Release.ROUND: terms.steps, Release.CURVATURE: terms.curvatures}
    events = [made.event(counts.get(release, 1)) for release, made in every_release(terms).items()]

    assert epsilon_of(events, terms.delta) <= terms.plan.cost.epsilon <= terms.epsilon
    assert gaussian_mu(events) == pytest.approx(gaussian_mu(terms.events), rel=1e-12)
    assert sum(event.slack for event in events) <= sum(event.slack for event in terms.events)


@MODES
def test_the_step_is_chosen_by_who_carries_the_noise(terms: PrivacyTerms) -> None:
    assert {made.shares for made in every_release(terms).values()} == {terms.shares}


def test_a_unit_counted_in_every_quantity_fits_the_bound_of_the_scales_exactly() -> None:
    """Seven octaves and itself: a record of eight ones, sqrt(8) long. It loses the rounding margin and a step."""
    release = RunReleases(LOCAL).scales(QUANTITIES, SCALES_VALUES)
    record = np.zeros((1, SCALES_VALUES))
    record[0, [place * OCTAVES + 40 for place in range(QUANTITIES)]] = record[0, -1] = 1.0
    step = release.blocks[0].step(release.shares)

    assert release.blocks[0].bound == pytest.approx(math.sqrt(8))
    counted = integer_records(record, release).max() * step
    assert 1.0 - MARGIN - step <= counted <= 1.0


def test_a_clip_count_of_a_half_is_not_shortened() -> None:
    release = RunReleases(LOCAL).gradient(PARAMETERS, 2.5)
    record = np.array([[1e9] * PARAMETERS + [0.5]])
    integers = integer_records(record, release)[0]
    gradient, count = release.blocks

    step = count.step(release.shares)
    assert 0.5 * (1.0 - MARGIN) - step <= integers[-1] * step <= 0.5
    assert np.linalg.norm(integers[:-1] * gradient.step(release.shares)) == pytest.approx(2.5, rel=1e-5)


TOO_LONG: dict[str, Callable[[RunReleases], DistributedSum]] = {
    "scales": lambda releases: releases.scales(QUANTITIES, SCALES_VALUES + 1),
    "gradient": lambda releases: releases.gradient(SCALES_VALUES, 1.0),  # and a clip count
    "curvature": lambda releases: releases.curvature(SCALES_VALUES + 1, 1.0),
    "draft": lambda releases: releases.draft(SCALES_VALUES + 1, 1.0),
    "report": lambda releases: releases.report(SCALES_VALUES + 1, 1.0),
}


@pytest.mark.parametrize("what", TOO_LONG)
def test_a_release_of_more_values_than_the_slack_was_charged_for_is_refused(what: str) -> None:
    with pytest.raises(InvalidSetting, match="exceeds the 673 the run was charged for"):
        TOO_LONG[what](RunReleases(SHARED))


@pytest.mark.parametrize("bound", [0.0, -1.0, math.nan, math.inf])
def test_a_bound_that_bounds_nothing_is_refused(bound: float) -> None:
    """A coordinator names clip norm and curvature bound; a silo makes no release of nonsense."""
    for make in (
        lambda: RunReleases(SHARED).gradient(PARAMETERS, bound),
        lambda: RunReleases(SHARED).curvature(CURVATURE_VALUES, bound),
    ):
        with pytest.raises(InvalidSetting):
            make()


def test_curvature_that_was_not_planned_has_no_noise_and_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="no release 'curvature'"):
        RunReleases(replace(LOCAL, curvatures=0)).curvature(CURVATURE_VALUES, 1.0)


@MODES
def test_none_can_leave_64_bits_with_as_many_units_as_a_run_may_have(
    terms: PrivacyTerms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checked with public numbers only: were more units allowed than fit, every release would be refused."""
    assert len(every_release(terms)) == 5

    monkeypatch.setattr("privacy.run_releases.MOST_UNITS", 2**60)
    with pytest.raises(CapacityExceeded):
        every_release(terms)
