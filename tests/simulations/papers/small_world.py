"""Worlds of a study's kind, small enough for tests."""

from simulations.scenario import load_scenario
from simulations.world import World, make_world


def small_world(name: str = "papers-weekly", *, seed: int = 1) -> World:
    """Two silos of two regions each."""
    return make_world(load_scenario(name, seed=seed).model_copy(update={"silos": 2, "units_per_silo": 2}))
