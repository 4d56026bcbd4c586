"""`fit`: the pooled model written like any other run."""

import json
from pathlib import Path

import pytest

from mmm_models.neural_mmm import NeuralMmm
from mmm_models.panel import pool
from mmm_models.panel_io import load_panel
from mmm_models.reporting.result_files import read_results
from mmm_models.spec import ModelSpec, TrainingSpec
from mmm_models.stored_model import load_model
from mmm_models.training import get_vector
from simulations.errors import OutputNotEmpty
from simulations.pooled_run import PooledSettings, fit_pooled
from tests.small_federation import HOLDOUT_WEEKS, STORES

Files = tuple[Path, ...]
TRAINING = TrainingSpec(steps=5)


def fitted(specs: Files, out: Path) -> Path:
    settings = PooledSettings(specs, out, HOLDOUT_WEEKS, ModelSpec(), TRAINING)
    return fit_pooled(settings, say=lambda _: None)


def test_the_stored_results_are_those_of_the_model_on_all_panels(silo_files: Files, tmp_path: Path) -> None:
    directory = fitted(silo_files, tmp_path / "run")

    panel = pool([load_panel(path).panel for path in silo_files])
    expected = NeuralMmm(ModelSpec(), TRAINING).fit(panel, holdout_weeks=HOLDOUT_WEEKS)
    found = read_results(directory)
    assert found.units == 4 * STORES
    assert {c.channel: c.contribution for c in found.channels} == pytest.approx(
        {c.channel: c.contribution for c in expected.results.channels}, rel=1e-6
    )
    assert found.holdout.nrmse == pytest.approx(expected.results.holdout.nrmse, rel=1e-6)
    assert load_model(directory).parameters == pytest.approx(get_vector(expected.trained.response), rel=1e-6)


def test_a_pooled_run_has_the_files_of_a_run(silo_files: Files, tmp_path: Path) -> None:
    directory = fitted(silo_files[:1], tmp_path / "run")

    names = {path.name for path in directory.iterdir()}
    assert {"run.json", "results.json", "contributions.csv", "response_curves.csv", "holdout.json",
            "model.json", "about.json", "report.html"} <= names  # fmt: skip
    description = json.loads((directory / "run.json").read_text(encoding="utf-8"))
    assert description["settings"]["training"]["steps"] == 5
    assert description["settings"]["specs"] == [str(silo_files[0])]


def test_a_pooled_run_is_not_written_over_another(silo_files: Files, tmp_path: Path) -> None:
    fitted(silo_files[:1], tmp_path / "run")
    before = (tmp_path / "run" / "results.json").read_bytes()

    with pytest.raises(OutputNotEmpty, match="nothing was changed"):
        fitted(silo_files, tmp_path / "run")

    assert (tmp_path / "run" / "results.json").read_bytes() == before
