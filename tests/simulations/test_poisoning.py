"""One silo of eight lies: how far it bends the model, and how far with each defence.

Every bound stands beside the same attack without it. The world is small and its series short, so the numbers are
this world's; benchmarks/poisoning.py measures the default world.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import clients.contributions
from mmm_models.stored_model import load_model
from simulations.exact_shares import exact_shares
from simulations.federation import train_in_process
from simulations.poisoned_data import DataLie, poison_data
from simulations.poisoning import Damage, LyingSilo, PoisonedClient, UpdateLie, lying
from simulations.world import make_world
from simulations.world_files import write_world
from tests.small_federation import SCENARIO, settings_for

SILOS, STORES_EACH = 8, 8
WORLD = make_world(SCENARIO.model_copy(update={"silos": SILOS, "units_per_silo": STORES_EACH}))
TRUTH = np.array([row.share for row in WORLD.channel_truths()])
UNBOUNDED: dict[str, Any] = {"update_norm_bound": 0.0}
IN_CLEAR = {"secure_aggregation": "none"}
Shares = NDArray[np.float64]


class PoisonedWorld:
    """Fresh silo files for each run; the first silo lies."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        write_world(WORLD, directory / "world")
        self.honest = self.shares(update_norm_bound=0.0)

    def shares(
        self, *, data: DataLie | None = None, copies: int = 1, lie: UpdateLie | None = None,
        rewritten: bool = False, **settings: Any,
    ) -> Shares:  # fmt: skip
        """What the trained model says about the world as it truly is."""
        run = self._directory / "run"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(self._directory / "world", run)
        specs = [run / f"silo-{number}.toml" for number in range(1, SILOS + 1)]
        if data is not None:
            poison_data(specs[0], data, copies=copies)
        chosen = settings_for(run / "out", **{"strategy": "fedadam", "rounds": 20, **settings})
        train_in_process(
            specs,
            chosen,
            client=None
            if lie is None
            else lambda app: PoisonedClient(app, LyingSilo(specs[0], lie, rewritten)),
        )
        return exact_shares(load_model(run / "out"), WORLD)

    def damage(self, **attack: Any) -> Damage:
        return Damage.between(self.honest, self.shares(**attack), TRUTH)

    def failures(self) -> set[str]:
        """Silos that the last run left out of a sum."""
        lines = (self._directory / "run" / "out" / "events.jsonl").read_text(encoding="utf-8").splitlines()
        events = [json.loads(line) for line in lines]
        return {event["silo"] for event in events if event["event"] == "silo_failed"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> PoisonedWorld:
    return PoisonedWorld(tmp_path_factory.mktemp("poisoned"))


NEWTON: dict[str, Any] = {"strategy": "newton", "rounds": 12}


def test_the_default_bound_costs_honest_silos_nothing_and_flipped_updates_their_effect(
    world: PoisonedWorld,
) -> None:
    """By the default strategy: not one bit in twelve rounds, masks and fixed point included."""
    honest = world.shares(**NEWTON, **UNBOUNDED)
    assert world.shares(**NEWTON).tolist() == honest.tolist()

    free, bounded = (
        Damage.between(honest, world.shares(lie=UpdateLie.FLIPPED, **NEWTON, **bound), TRUTH)
        for bound in (UNBOUNDED, {})
    )
    assert free.moved_points > 5.0
    assert bounded.moved_points < 1.5
    assert abs(bounded.media) < 0.12  # a tighter bound does not lower it: at 4 to 7 it is 0.15 to 0.21


def test_a_flipped_update_bends_the_model_without_a_bound_and_little_with_it(world: PoisonedWorld) -> None:
    """Under masks. Shares here are about 12 and 4 per cent."""
    free = world.damage(lie=UpdateLie.FLIPPED, **UNBOUNDED)
    bounded = world.damage(lie=UpdateLie.FLIPPED)

    assert free.moved_points > 5.0
    assert abs(free.media) > 0.5
    assert bounded.moved_points < 1.5
    assert abs(bounded.media) < 0.1


@pytest.mark.slow
def test_newtons_method_is_bounded_in_its_own_coordinates(world: PoisonedWorld) -> None:
    """Under a bound of 4, which honest silos do not notice: units' own deviations make their steps short."""
    honest = world.shares(**NEWTON, **UNBOUNDED)

    free, bounded = (
        Damage.between(
            honest, world.shares(**NEWTON, lie=UpdateLie.SCALED, update_norm_bound=bound), TRUTH
        ).moved_points
        for bound in (0.0, 4.0)
    )

    assert world.shares(**NEWTON, update_norm_bound=4.0).tolist() == honest.tolist()
    assert free > 5.0
    assert bounded < 2.0


@pytest.mark.slow
def test_a_push_at_what_silos_know_little_about_is_halved_but_not_stopped(world: PoisonedWorld) -> None:
    """The strongest lie of a given length: the docs say so, and this is how much is left."""
    free = world.damage(lie=UpdateLie.PUSHED, **UNBOUNDED)
    bounded = world.damage(lie=UpdateLie.PUSHED)

    assert free.moved_points > 5.0
    assert 1.0 < bounded.moved_points < 0.6 * free.moved_points


@pytest.mark.slow
def test_a_mirrored_outcome_does_less_under_a_tight_bound(world: PoisonedWorld) -> None:
    free = world.damage(data=DataLie.MIRRORED, **UNBOUNDED)
    bounded = world.damage(data=DataLie.MIRRORED, update_norm_bound=8.0)

    assert free.moved_points > 3.0
    assert bounded.moved_points < 1.2


@pytest.mark.slow
def test_a_crowd_of_invented_stores_counts_no_more_than_the_silo_did(world: PoisonedWorld) -> None:
    """Every store eighty times: without a limit it outvotes the others; with one, it is as if each came once."""
    free = UNBOUNDED  # a bound alone makes a crowd count for less
    once = world.damage(data=DataLie.INVENTED, **free)
    crowd = world.damage(data=DataLie.INVENTED, copies=80, **free)
    limited = world.damage(data=DataLie.INVENTED, copies=80, max_units_per_silo=STORES_EACH, **free)

    assert crowd.moved_points > 1.3 * once.moved_points
    assert limited.moved_points == pytest.approx(once.moved_points, rel=0.02)


class TestAClientWithoutItsBound:
    @pytest.mark.slow
    def test_is_not_stopped_under_masks(self, world: PoisonedWorld) -> None:
        """What the bound does not cover: nobody can see the length of a masked change."""
        assert world.damage(lie=UpdateLie.FLIPPED, rewritten=True).moved_points > 5.0
        assert world.failures() == set()

    def test_is_named_and_left_out_where_the_coordinator_can_read(self, world: PoisonedWorld) -> None:
        """Rounds go on with the other seven, whose model differs by what one silo knew."""
        assert world.damage(lie=UpdateLie.FLIPPED, rewritten=True, **IN_CLEAR).moved_points < 0.5
        assert world.failures() == {"silo-1"}

    @pytest.mark.parametrize("rule", ["median", "trimmed-mean", "multi-krum", "bulyan"])
    @pytest.mark.slow
    def test_is_outvoted_by_a_robust_rule_without_any_bound(self, world: PoisonedWorld, rule: str) -> None:
        robust = {"robust_rule": rule, **IN_CLEAR, **UNBOUNDED}

        assert world.damage(lie=UpdateLie.FLIPPED, rewritten=True, **robust).moved_points < 2.0
        assert world.failures() == set()


def test_the_clients_code_is_honest_again_after_a_lie(tmp_path: Path) -> None:
    before = clients.contributions.__dict__.copy()

    with pytest.raises(ZeroDivisionError), lying(LyingSilo(tmp_path / "x.toml", UpdateLie.SCALED, True)):
        raise ZeroDivisionError
    assert clients.contributions.__dict__ == before


def test_damage_is_what_was_moved_lost_and_left_of_media() -> None:
    honest, poisoned, truth = (np.array(shares) for shares in ([0.10, 0.04], [0.07, 0.05], [0.10, 0.05]))

    damage = Damage.between(honest, poisoned, truth)

    assert damage.moved_points == pytest.approx(2.0)  # (3 + 1) / 2
    assert damage.share_error_points == pytest.approx(1.0)  # (3 + 0) / 2 - (0 + 1) / 2
    assert damage.media == pytest.approx(0.12 / 0.14 - 1.0)
