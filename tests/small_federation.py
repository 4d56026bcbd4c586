"""A small world on disk, four silos of 32 stores, and everything a test needs to train on it."""

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from flwr.app import UserConfig

from clients.settings import SILO_KEY
from clients.silo_home import NOISE_KEY_BYTES, SiloHome
from mmm_models.intake.silo_file import read_silo_spec
from mmm_models.reporting.result_files import read_results
from mmm_models.results import Results
from server.app import app as server_app
from server.run_store import RunStore
from server.settings import RunSettings
from simulations.federation import enrol_together
from simulations.in_process_grid import Delivery, InProcessGrid, InProcessRun, Loss, run_on_grid
from simulations.scenario import Scenario
from simulations.world import make_world
from simulations.world_files import write_world

SILOS = ("silo-1", "silo-2", "silo-3", "silo-4")
WEEKS, HOLDOUT_WEEKS, STORES = 60, 12, 32
FIRST_NODE = 101
BARELY_PRIVATE = 16.0  # all stores stand out of the noise, and twice as much still has an epsilon
SCENARIO = Scenario.model_validate(
    {
        "name": "small",
        "seed": 3,
        "silos": len(SILOS),
        "units_per_silo": STORES,
        "weeks": WEEKS,
        "holdout_weeks": HOLDOUT_WEEKS,
        "channels": [
            {"name": "tv", "sales_share": 0.12, "spend_share": 0.06, "flight": "flighted"},
            {"name": "radio", "sales_share": 0.06, "spend_share": 0.03, "absent_in": ["silo-3"]},
        ],
    }
)


@pytest.fixture(scope="session")
def _written_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("worlds") / "small"
    write_world(make_world(SCENARIO), directory)
    return directory


@pytest.fixture
def silo_files(_written_world: Path, tmp_path: Path) -> tuple[Path, ...]:
    """Silo files of this test alone: fresh keys, empty ledgers, the same data everywhere."""
    return fresh_silos(_written_world, tmp_path / "world")


@pytest.fixture
def generous_silo_files(silo_files: tuple[Path, ...]) -> tuple[Path, ...]:
    """Silo files whose owners allow `barely_private` runs."""
    return generous(silo_files)


def fresh_silos(written_world: Path, world: Path) -> tuple[Path, ...]:
    """Silo files of a copy of the world."""
    shutil.copytree(written_world, world)
    return tuple(world / f"{silo}.toml" for silo in SILOS)


def generous(silo_files: tuple[Path, ...]) -> tuple[Path, ...]:
    """The same files, whose owners now allow `barely_private` runs."""
    for path in silo_files:
        add_rules(path, lifetime_epsilon=2.5 * BARELY_PRIVATE)
    return silo_files


def settings_for(out: Path, **changes: Any) -> RunSettings:
    """A short run without privacy and with masks, unless `changes` say otherwise."""
    usual = {"rounds": 4, "weeks": WEEKS, "holdout_weeks": HOLDOUT_WEEKS, "expected_silos": len(SILOS)}
    return RunSettings.model_validate({"out": str(out), "wait_seconds": 1.0, **usual, **changes})


def private(**changes: Any) -> dict[str, Any]:
    """Settings of a run with differential privacy: each silo's own noise, and local steps."""
    return {"privacy": "local", "strategy": "fedadam", "epsilon": 8.0, "delta": 1e-4, **changes}


def barely_private(**changes: Any) -> dict[str, Any]:
    """Settings of a private run in which all stores together stand out of the noise, so that it can finish."""
    return private(**{"epsilon": BARELY_PRIVATE, **changes})


def sharing_noise(**changes: Any) -> dict[str, Any]:
    """Settings of such a run with distributed noise: three of four silos carry it, one of them may collude."""
    return barely_private(**{"privacy": "distributed", "strategy": "newton", **changes})


def with_known_noise(silo_files: tuple[Path, ...]) -> None:
    """Noise keys written down, so that a run of a given name draws the same noise whenever the test runs."""
    for place, path in enumerate(silo_files):
        home = SiloHome.of(read_silo_spec(path))
        (home.directory / "noise.key").write_bytes(bytes([place]) * NOISE_KEY_BYTES)


def add_rules(silo_file: Path, **rules: Any) -> None:
    """Write a silo's own rules into its file, in place of those that are there."""
    content = tomllib.loads(silo_file.read_text(encoding="utf-8"))
    content["privacy"] |= rules
    silo_file.write_text(tomli_w.dumps(content), encoding="utf-8")


def data_file(silo_file: Path) -> Path:
    return silo_file.with_suffix(".csv")


def nodes_of(silo_files: tuple[Path, ...]) -> dict[int, UserConfig]:
    """Node 101 serves the first silo, and so on."""
    return {FIRST_NODE + place: {SILO_KEY: str(path)} for place, path in enumerate(silo_files)}


def grid_of(
    silo_files: tuple[Path, ...],
    settings: RunSettings,
    *,
    dropouts: Mapping[Delivery, Loss] | None = None,
    kind: type[InProcessGrid] = InProcessGrid,
) -> InProcessGrid:
    """The silos' real client app behind an in-process grid; all silos know each other's keys."""
    from clients.app import app as client_app

    enrol_together(silo_files)
    spec = InProcessRun(nodes_of(silo_files), settings.to_run_config(), dropouts=dropouts or {})
    return kind(client_app, spec)


def train(silo_files: tuple[Path, ...], settings: RunSettings, **grid: Any) -> Results:
    """A whole run through both real apps; what it found."""
    run_on_grid(server_app, grid_of(silo_files, settings, **grid))
    return read_results(settings.directory)


def final_parameters(settings: RunSettings) -> list[float]:
    """The newest checkpoint's parameters."""
    state = RunStore.create(settings.model_copy(update={"resume": True})).newest_checkpoint()
    assert state is not None
    return [float(value) for value in state.parameters]
