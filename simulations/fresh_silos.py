"""Silos that start anew: the same data, but a key, a noise key and a ledger of their own.

Runs that are compared stand for runs of which only one would happen. In one ledger they would add up, and the
second or third would be refused, rightly.
"""

import os
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import tomli_w

from mmm_models.panel import pool
from simulations.scenario import Scenario
from simulations.silo_files import silo_csv, silo_toml
from simulations.world import World

CURATOR = "all-silos"


def fresh_silos(specs: Sequence[Path], directory: Path) -> tuple[Path, ...]:
    """Copies in `directory` of a world's silo files, which read the data where they are."""
    directory.mkdir(parents=True)
    return tuple(_copy(spec, directory) for spec in specs)


def write_curator(world: World, directory: Path) -> Path:
    """One silo that holds all units of all silos: whoever runs it sees everything. Its silo file."""
    scenario = world.scenario
    panel = replace(pool(world.panels).with_channels(scenario.channel_names), silo=CURATOR)
    directory.mkdir(parents=True)
    (directory / f"{CURATOR}.csv").write_bytes(silo_csv(scenario, panel))
    spec = directory / f"{CURATOR}.toml"
    spec.write_text(silo_toml(_of_one(scenario), panel), encoding="utf-8")
    return spec


def _copy(spec: Path, directory: Path) -> Path:
    content = tomllib.loads(spec.read_text(encoding="utf-8"))
    data = spec.parent / content["data"]["path"]
    content["data"]["path"] = os.path.relpath(data, directory)
    copy = directory / spec.name
    copy.write_text(tomli_w.dumps(content), encoding="utf-8")
    return copy


def _of_one(scenario: Scenario) -> Scenario:
    return scenario.model_copy(update={"silos": 1})
