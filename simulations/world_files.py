"""A world on disk: silo files as real silos have them, and beside them the truth nobody else sees."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from simulations.errors import TruthUnreadable, WorldNotWritten
from simulations.scenario import Scenario
from simulations.silo_files import silo_csv, silo_toml
from simulations.truth_files import (
    WorldTruth,
    contributions_csv,
    truth_from_json,
    truth_json,
    truth_of,
    weekly_parquet,
)
from simulations.world import World

SCENARIO_FILE = Path("truth") / "scenario.toml"
TRUTH_FILE = Path("truth") / "truth.json"


@dataclass(frozen=True)
class WorldFiles:
    """Where a world is: its silo files, in silo order, and the summary of its truth."""

    specs: tuple[Path, ...]
    truth: Path


def write_world(world: World, directory: Path) -> WorldFiles:
    """Write every silo's table and silo file, and the truth, into `directory`.

    The same world may be written again, also over an interrupted attempt: the files end up the same and
    nothing else is touched. Raises `WorldNotWritten` when the directory holds anything else.
    """
    directory = Path(directory)
    _check_directory(directory, world.scenario)
    try:
        for name, content in _contents(world):
            _write(directory / name, content)
    except OSError as error:
        raise WorldNotWritten(
            f"cannot write {error.filename or directory}: {error.strerror}",
            hint="free space or choose another directory; the same command completes what is there",
        ) from error
    specs = tuple(directory / f"{panel.silo}.toml" for panel in world.panels)
    return WorldFiles(specs, directory / TRUTH_FILE)


def read_truth(path: Path) -> WorldTruth:
    """The truth of a world that `write_world` wrote; `path` is its directory or its truth.json.

    Raises `TruthUnreadable`.
    """
    path = Path(path)
    file = path / TRUTH_FILE if path.is_dir() else path
    try:
        return truth_from_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TruthUnreadable(
            f"no truth can be read at {file}", hint="give a directory that `mixroom world` has written"
        ) from error


def scenario_toml(scenario: Scenario) -> str:
    """The scenario with every setting resolved; `load_scenario` reads it back as the same scenario."""
    return tomli_w.dumps({**scenario.model_dump(mode="json"), "start": scenario.start})


def _contents(world: World) -> Iterator[tuple[Path, bytes]]:
    """Files in writing order: the scenario claims the directory, the truth completes it."""
    yield SCENARIO_FILE, scenario_toml(world.scenario).encode()
    for panel in world.panels:
        yield Path(f"{panel.silo}.csv"), silo_csv(world.scenario, panel)
        yield Path(f"{panel.silo}.toml"), silo_toml(world.scenario, panel).encode()
    truth = truth_of(world)
    yield Path("truth") / "contributions.csv", contributions_csv(truth)
    yield Path("truth") / "contributions_by_week.parquet", weekly_parquet(world)
    yield TRUTH_FILE, truth_json(truth).encode()


def _check_directory(directory: Path, scenario: Scenario) -> None:
    elsewhere = "choose another directory, or delete this one"
    if directory.exists() and not directory.is_dir():
        raise WorldNotWritten(f"{directory} is a file; nothing was written", hint="choose a directory")
    if not directory.exists() or not any(directory.iterdir()):
        return
    marker = directory / SCENARIO_FILE
    if not marker.is_file():
        raise WorldNotWritten(
            f"{directory} is not empty and holds no world; nothing was written", hint=elsewhere
        )
    if marker.read_bytes() != scenario_toml(scenario).encode():
        raise WorldNotWritten(
            f"{directory} holds another world than {scenario.name!r} with seed {scenario.seed}; "
            "nothing was written",
            hint=elsewhere,
        )


def _write(path: Path, content: bytes) -> None:
    """All of the file or none of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)
