"""What a ledger's charges cost one by one, and how many more runs fit: counted, and said in plain words."""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.accountant import GaussianEvent, epsilon_of, epsilon_replace_one
from privacy.ledger.budget_ledger import Ledger
from privacy.ledger.budget_outlook import MOST_RUNS, BudgetOutlook, budget_outlook, more_runs
from privacy.ledger.ledger_entries import LifetimeLimit
from privacy.noise_plan import calibrate_noise_multiplier

DELTA = 1e-4


def limit_of(mu: float) -> LifetimeLimit:
    """The limit that Gaussian releases of this mu together just meet, and a hair more for rounding."""
    return LifetimeLimit(epsilon_of([GaussianEvent(1 / mu)], DELTA) * (1 + 1e-9), DELTA)


def outlook_of(path: Path, limit: LifetimeLimit, *runs: GaussianEvent) -> BudgetOutlook:
    ledger = Ledger.open(path / "ledger.jsonl", limit=limit)
    for number, event in enumerate(runs):
        ledger.charge(f"run-{number}", "train", (event,))
    return budget_outlook(ledger.summary())


class TestHowManyMore:
    """A full-batch run of noise z costs mu^2 = 1 / z^2; a limit of mu holds mu^2 z^2 of them."""

    @pytest.mark.parametrize("runs", [1, 2, 3, 12, 63, 64, 65, 1000])
    def test_a_limit_of_so_many_runs_holds_so_many(self, runs: int) -> None:
        limit = limit_of(math.sqrt(runs) / 20.0)

        assert more_runs((), (GaussianEvent(20.0),), limit) == runs

    def test_what_was_spent_is_taken_off(self) -> None:
        """mu^2: limit 25 / 100, spent 4 / 100 and 9 / 100, each run 1 / 100."""
        spent = (GaussianEvent(5.0), GaussianEvent(10.0, 9))

        assert more_runs(spent, (GaussianEvent(10.0),), limit_of(0.5)) == 25 - 4 - 9

    def test_a_run_of_several_releases_counts_whole(self) -> None:
        """mu^2: limit 10 / 100, each run (2 + 1) / 100."""
        run = (GaussianEvent(10.0, 2), GaussianEvent(10.0))

        assert more_runs((), run, limit_of(math.sqrt(10) / 10)) == 3

    def test_counting_stops_at_a_number_nobody_needs(self) -> None:
        assert more_runs((), (GaussianEvent(1e6),), limit_of(1.0)) == MOST_RUNS
        assert more_runs((), (GaussianEvent(100.0),), limit_of(math.sqrt(MOST_RUNS + 5) / 100)) == MOST_RUNS
        assert more_runs((), (GaussianEvent(100.0),), limit_of(math.sqrt(9_997) / 100)) == 9_997

    @settings(max_examples=20)
    @given(st.integers(1, 400), st.floats(5.0, 50.0), st.integers(0, 5))
    def test_one_more_than_that_does_not_fit(self, count: int, noise: float, before: int) -> None:
        run, limit = (GaussianEvent(noise, count),), LifetimeLimit(8.0, DELTA)
        spent = (GaussianEvent(10.0),) * before
        found = more_runs(spent, run, limit)

        assert found == 0 or epsilon_of((*spent, *run * found), DELTA) <= 8.0
        assert found == MOST_RUNS or epsilon_of((*spent, *run * (found + 1)), DELTA) > 8.0

    def test_sampled_runs_are_counted_as_they_compose(self) -> None:
        run, limit = (GaussianEvent(2.0, 20, 0.1),), LifetimeLimit(2.0, DELTA)
        found = more_runs((), run, limit)

        assert found > 1
        assert epsilon_of(run * found, DELTA) <= 2.0 < epsilon_of(run * (found + 1), DELTA)


class TestWords:
    def test_before_the_first_run(self, tmp_path: Path) -> None:
        outlook = outlook_of(tmp_path, LifetimeLimit(20.0, DELTA))

        assert outlook.words == "nothing is spent; one run of epsilon 20 would use it up"

    @pytest.mark.parametrize(
        "runs, words",
        [
            (14, "about 12 more runs like the last"),
            (4, "about 2 more runs like the last"),
            (3, "one more run like the last"),
        ],
    )
    def test_several_runs_and_one(self, tmp_path: Path, runs: int, words: str) -> None:
        """Two of `runs` that fit were made."""
        limit = limit_of(math.sqrt(runs) / 10)

        assert outlook_of(tmp_path, limit, *[GaussianEvent(10.0)] * 2).words == words

    def test_more_than_anyone_will_make(self, tmp_path: Path) -> None:
        outlook = outlook_of(tmp_path, limit_of(1.0), GaussianEvent(1e5))

        assert outlook.words == "more than 10,000 more runs like the last"

    def test_a_smaller_run_still_fits_as_printed(self, tmp_path: Path) -> None:
        limit = LifetimeLimit(8.0, DELTA)
        big = GaussianEvent(calibrate_noise_multiplier(6.0, DELTA, count=1))
        outlook = outlook_of(tmp_path, limit, big)

        start, printed, end = outlook.words.partition(f"{math.floor(1000 * outlook.left) / 1000:g}")
        assert (start, end) == ("no more runs like the last; one of at most epsilon ", " still fits")
        small = GaussianEvent(calibrate_noise_multiplier(float(printed), DELTA, count=1))
        assert epsilon_of([big, small], DELTA) <= 8.0

    def test_nothing_is_left(self, tmp_path: Path) -> None:
        outlook = outlook_of(tmp_path, limit_of(0.1), GaussianEvent(10.0))

        assert outlook.words == "nothing is left"


class TestPrices:
    def test_every_charge_has_its_own_price_for_both_neighbours(self, tmp_path: Path) -> None:
        runs = (GaussianEvent(10.0, 4), GaussianEvent(5.0), GaussianEvent(8.0))
        outlook = outlook_of(tmp_path, LifetimeLimit(8.0, DELTA), *runs)

        assert [c.epsilon for c in outlook.charges] == [epsilon_of([run], DELTA) for run in runs]
        assert [c.epsilon_replace_one for c in outlook.charges] == [
            epsilon_replace_one([run], DELTA) for run in runs
        ]
        assert [c.spent_after for c in outlook.charges] == [
            epsilon_of(runs[: place + 1], DELTA) for place in range(3)
        ]
        assert outlook.spent_replace_one == epsilon_replace_one(runs, DELTA)

    def test_prices_are_at_the_limits_present_delta(self, tmp_path: Path) -> None:
        run = GaussianEvent(10.0, 4)
        outlook_of(tmp_path, LifetimeLimit(8.0, DELTA), run)

        (priced,) = outlook_of(
            tmp_path, LifetimeLimit(8.0, 1e-6), run
        ).charges  # charged before: costs nothing

        assert priced.epsilon == priced.spent_after == epsilon_of([run], 1e-6)

    def test_a_run_that_is_charged_for_two_purposes_is_one_run(self, tmp_path: Path) -> None:
        """mu^2: limit 10 / 100, a run (2 + 1) / 100 in two charges; two more fit."""
        ledger = Ledger.open(tmp_path / "ledger.jsonl", limit=limit_of(math.sqrt(10) / 10))
        ledger.charge("run", "train", (GaussianEvent(10.0, 2),))
        ledger.charge("run", "statistics", (GaussianEvent(10.0),))

        outlook = budget_outlook(ledger.summary())

        assert (outlook.runs, len(outlook.charges), outlook.runs_like_last) == (1, 2, 2)
