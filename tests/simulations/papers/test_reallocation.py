"""Money moved, judged by the truth: knowing it is best, moving nothing adds nothing, and a real plan lies between."""

from pathlib import Path

import numpy as np
import pytest

from mmm_models.planning.period import last_period
from mmm_models.planning.stored_basis import load_basis
from mmm_models.spec import ModelSpec, TrainingSpec
from simulations.papers.claims import Verdict
from simulations.papers.reallocation import (
    MOST,
    PlannedMoney,
    best_spend,
    measure_uplifts,
    planned_money,
    uplift_readings,
)
from simulations.pooled_run import PooledSettings, fit_pooled
from simulations.true_outlook import true_outlook
from simulations.world_files import write_world
from tests.simulations.papers.small_world import small_world


@pytest.fixture(scope="module")
def world():
    return small_world()


@pytest.fixture(scope="module")
def run(world, tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("papers")
    specs = write_world(world, home / "world").specs
    settings = PooledSettings(specs, home / "run", 24, ModelSpec(), TrainingSpec())
    return fit_pooled(settings, say=lambda _: None)


@pytest.fixture(scope="module")
def period(run):
    return last_period(load_basis(run).merged())


def test_the_best_plan_keeps_its_bounds_and_beats_all_others(world, period):
    truth = true_outlook(world, period)

    best = best_spend(truth, period, 1.0)

    assert best.sum() == pytest.approx(period.spend.sum())
    assert (best >= 0).all()
    assert (best <= MOST * period.spend * (1 + 1e-9)).all()
    rng = np.random.default_rng(0)
    for _ in range(20):
        tried = period.spend * rng.uniform(0.5, 1.5, period.spend.shape)
        tried *= period.spend.sum() / tried.sum()
        if (tried <= MOST * period.spend).all():
            assert truth.revenue(tried) <= truth.revenue(best) * (1 + 1e-9)


def test_who_knows_the_truth_adds_the_most_and_who_moves_nothing_adds_nothing(world, run, period):
    truth = true_outlook(world, period)
    knowing = measure_uplifts(
        world, run, lambda _, budget: PlannedMoney(best_spend(truth, period, budget), 0.0)
    )
    still = measure_uplifts(world, run, lambda _, budget: PlannedMoney(period.spend * budget, 0.0))

    assert [one.true for one in knowing] == pytest.approx([one.best for one in knowing])
    assert still[0].true == pytest.approx(0.0, abs=1e-12)
    assert 0 < still[1].true < knowing[1].true


def test_a_plan_from_the_run_alone_spends_its_budget_and_adds_less_than_the_best(world, run, period):
    assert planned_money(run, 1.1).spend.sum() == pytest.approx(1.1 * period.spend.sum())

    for uplift in measure_uplifts(world, run, planned_money):
        assert uplift.true <= uplift.best * (1 + 1e-6)
        assert uplift.modelled > 0
        assert 0.2 < uplift.media < 0.4


def test_only_the_truth_is_judged(world, run, period):
    boast = measure_uplifts(world, run, lambda _, budget: PlannedMoney(period.spend * budget, 1e12))

    verdicts = {reading.setting: reading.verdict for reading in uplift_readings(boast, "here")}
    assert verdicts["here; true"] is Verdict.NO
    assert verdicts["here; the model's own word"] is None
