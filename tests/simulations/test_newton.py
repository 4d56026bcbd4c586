"""Newton's method over silos: the same model as in one place, and as many small steps end at."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmm_models.neural_mmm import NeuralMmm
from mmm_models.panel import pool
from mmm_models.panel_io import load_panel
from mmm_models.results import Results
from mmm_models.spec import TrainingSpec
from mmm_models.training import get_vector
from privacy.run_terms import SecureAggregation
from server.run_store import RunStore
from server.settings import RunSettings
from simulations.scenario import UNIT_COLUMN
from tests.small_federation import (
    HOLDOUT_WEEKS,
    STORES,
    data_file,
    final_parameters,
    settings_for,
    train,
)

Files = tuple[Path, ...]
UNBOUND = {"strategy": "newton", "update_norm_bound": 0.0}


def losses(settings: RunSettings) -> list[float]:
    store = RunStore.create(settings.model_copy(update={"resume": True}))
    return [metrics.loss for metrics in store.metrics()]


def shares(results: Results) -> dict[str, float]:
    return {channel.channel: channel.share for channel in results.channels}


def pooled_in_one_silo(silo_files: Files) -> Path:
    """The first silo's file with everybody's stores in its table; where a silo lacks a channel it spent nothing."""
    tables = [pd.read_csv(data_file(path)) for path in silo_files]
    for name, table in enumerate(tables):
        table[UNIT_COLUMN] = [f"{name} {unit}" for unit in table[UNIT_COLUMN]]
    pd.concat(tables).fillna(0.0).to_csv(data_file(silo_files[0]), index=False)
    return silo_files[0]


def test_four_silos_find_what_one_silo_with_all_stores_finds(silo_files: Files, tmp_path: Path) -> None:
    apart, pooled = (settings_for(tmp_path / name, rounds=12, **UNBOUND) for name in ("apart", "pooled"))
    alone = pooled.model_copy(update={"expected_silos": 1, "secure_aggregation": SecureAggregation.NONE})
    federated = train(silo_files, apart)

    central = train((pooled_in_one_silo(silo_files),), alone)

    assert central.units == federated.units == 4 * STORES
    assert final_parameters(apart) == pytest.approx(final_parameters(alone), abs=1e-6)
    assert shares(federated) == pytest.approx(shares(central), rel=1e-6)


def test_twelve_rounds_end_at_the_mode_that_all_data_in_one_place_have(
    silo_files: Files, tmp_path: Path
) -> None:
    """Where four hundred steps of Adam and a search that takes no step uphill end."""
    settings = settings_for(tmp_path / "run", rounds=12, **UNBOUND)
    federated = train(silo_files, settings)

    panels = pool([load_panel(path).panel for path in silo_files])
    spec = TrainingSpec(steps=400, learning_rate=0.05)
    central = NeuralMmm(settings.model, spec).fit(panels, holdout_weeks=HOLDOUT_WEEKS)

    assert final_parameters(settings) == pytest.approx(get_vector(central.trained.response), abs=0.02)
    assert shares(federated) == pytest.approx(shares(central.results), rel=0.01)


def test_no_slope_is_left_at_the_end(silo_files: Files, tmp_path: Path) -> None:
    """Loss and prior together, from the last round's own sums: whitened, so every direction counts alike."""
    settings = settings_for(tmp_path / "run", rounds=12, **UNBOUND)
    train(silo_files, settings)

    states = [
        json.loads(path.read_text(encoding="utf-8"))["state"]
        for path in sorted((tmp_path / "run" / "checkpoints").glob("*.json"))
    ]
    points = np.array([state["parameters"] for state in states])
    moves = np.abs(np.diff(points, axis=0)).max(axis=1)

    assert moves[-1] < 1e-3
    assert moves[-1] < 0.01 * moves[0]


def test_five_rounds_are_nearer_the_end_than_forty_of_small_steps(silo_files: Files, tmp_path: Path) -> None:
    end = settings_for(tmp_path / "end", rounds=14, **UNBOUND)
    few = settings_for(tmp_path / "few", rounds=5, **UNBOUND)
    many = settings_for(tmp_path / "many", rounds=40, strategy="fedadam")
    for settings in (end, few, many):
        train(silo_files, settings)

    last, five, forty = (np.array(final_parameters(settings)) for settings in (end, few, many))

    assert losses(few) == sorted(losses(few), reverse=True)
    assert np.abs(five - last).max() < np.abs(forty - last).max()


@pytest.mark.parametrize("extra", [{"synergy": True}, {"effect_waves": 2}], ids=["synergies", "waves"])
def test_larger_models_are_found_too(silo_files: Files, tmp_path: Path, extra: dict[str, int]) -> None:
    settings = settings_for(tmp_path / "run", rounds=5, **UNBOUND, **extra)

    train(silo_files, settings)

    found = losses(settings)  # each around its own round's deviations of units, so not one falling line
    assert max(found[1:]) < found[0]


def test_an_interrupted_run_goes_on_with_the_curvature_it_knew(silo_files: Files, tmp_path: Path) -> None:
    """From a checkpoint between two curvature sums; nothing is answered once here."""
    whole, broken = (settings_for(tmp_path / name, rounds=5, **UNBOUND) for name in ("whole", "broken"))
    for settings in (whole, broken):
        train(silo_files, settings)
    for number in (3, 4, 5):
        (tmp_path / "broken" / "checkpoints" / f"round-{number:04d}.json").unlink()

    train(silo_files, broken.model_copy(update={"resume": True}))

    assert final_parameters(broken) == final_parameters(whole)
