"""A tiny world on disk: three silos of sixty stores (fewer would drown in noise), sixty weeks, two channels."""

import shutil
from pathlib import Path

import pytest

from tests.mixroom.terminal import Terminal

TINY = """
name = "tiny"
seed = 3
silos = 3
units_per_silo = 60
weeks = 60
holdout_weeks = 12

[[channels]]
name = "tv"
sales_share = 0.10
spend_share = 0.05
flight = "flighted"

[[channels]]
name = "search"
sales_share = 0.08
spend_share = 0.04
"""


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)


@pytest.fixture(scope="session")
def tiny_scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenario") / "tiny.toml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def _tiny_world(tiny_scenario: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from simulations.scenario import load_scenario
    from simulations.world import make_world
    from simulations.world_files import write_world

    folder = tmp_path_factory.mktemp("world") / "tiny"
    write_world(make_world(load_scenario(str(tiny_scenario))), folder)
    return folder


@pytest.fixture
def world(_tiny_world: Path, tmp_path: Path) -> Path:
    """A copy of this test's own: fresh keys, empty ledgers."""
    return Path(shutil.copytree(_tiny_world, tmp_path / "world"))


@pytest.fixture
def silos(world: Path) -> list[Path]:
    return sorted(world.glob("silo-*.toml"))
