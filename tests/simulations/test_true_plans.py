"""The truth as a yardstick for plans: it repeats what the world says, and no plan beats its best split."""

import numpy as np
import pytest
import torch

from mmm_models.fitted_model import stored_model_of
from mmm_models.neural_mmm import NeuralMmm
from mmm_models.panel import pool
from mmm_models.planning.basis_of_panel import basis_of_panel
from mmm_models.planning.goals import Budget
from mmm_models.planning.period import last_period
from mmm_models.planning.planner import Planner
from mmm_models.stored_model import StoredModel
from simulations.errors import TruthUnreadable
from simulations.scenario import load_scenario
from simulations.true_outlook import true_basis, true_outlook
from simulations.true_regret import read_world, true_regret
from simulations.world import World, make_world
from simulations.world_files import write_world

SMALL = {"silos": 2, "units_per_silo": 2}


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(load_scenario("geo", seed=1).model_copy(update=SMALL))


def test_the_truth_of_all_weeks_is_what_the_world_says(world: World) -> None:
    truth = true_outlook(world, last_period(true_basis(world), world.scenario.weeks))
    found = truth.expected(torch.from_numpy(truth.period.intensity)).numpy()[0]

    # Media that repeat also carry over into the first weeks.
    np.testing.assert_allclose(found, world.contributions_at(np.ones(found.size)), rtol=0.03)


def test_money_not_spent_brings_nothing_and_twice_brings_less_than_twice(world: World) -> None:
    truth = true_outlook(world, last_period(true_basis(world)))
    spend = truth.period.spend

    assert truth.revenue(0.0 * spend) == 0.0
    assert truth.revenue(spend) < truth.revenue(2.0 * spend) < 2.0 * truth.revenue(spend)


@pytest.fixture(scope="module")
def model(world: World) -> StoredModel:
    panel = pool(world.panels)
    return stored_model_of(NeuralMmm().fit(panel, holdout_weeks=24), panel, holdout_weeks=24)


def test_no_plan_beats_the_best_split_of_the_truth(world: World, model: StoredModel) -> None:
    panel = pool(world.panels)
    for parts in ("all", "silo"):
        planner = Planner(model, basis_of_panel(panel, model, parts))
        for more in (1.0, 1.2):
            found = true_regret(planner.plan(Budget(more * planner.last_total)), planner, world)
            assert found.best >= found.planned * (1 - 1e-6)
            assert found.best > found.last
            assert found.regret >= -1e-6


def test_a_written_world_is_made_again(world: World, tmp_path) -> None:
    write_world(world, tmp_path / "world")
    again = read_world(tmp_path / "world")

    np.testing.assert_array_equal(again.silos[1].contribution, world.silos[1].contribution)
    with pytest.raises(TruthUnreadable):
        read_world(tmp_path)


def test_a_run_of_another_world_is_refused(world: World, model: StoredModel) -> None:
    panel = pool(world.panels)
    planner = Planner(model, basis_of_panel(panel, model))
    other = make_world(load_scenario("geo", seed=2).model_copy(update=SMALL))

    with pytest.raises(TruthUnreadable, match="not of that world"):
        true_regret(planner.plan(), planner, other)
