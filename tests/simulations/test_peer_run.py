"""Another family than the neural one, stored like any other run."""

import json
from pathlib import Path

import pytest

from mmm_models.panel import pool
from mmm_models.panel_io import load_panel
from mmm_models.peers.registry import ModelUnknown
from mmm_models.peers.ridge import Ridge
from mmm_models.reporting.result_files import read_results
from mmm_models.spec import ModelSpec, TrainingSpec
from simulations.arms import measure_pooled
from simulations.errors import CannotCalibrate
from simulations.pooled_run import PooledSettings, fit_pooled
from tests.small_federation import HOLDOUT_WEEKS

Files = tuple[Path, ...]


def fitted(specs: Files, out: Path, **settings: object) -> Path:
    chosen = PooledSettings(specs, out, HOLDOUT_WEEKS, ModelSpec(), TrainingSpec(), **settings)  # type: ignore[arg-type]
    return fit_pooled(chosen, say=lambda _: None)


@pytest.fixture
def run(silo_files: Files, tmp_path: Path) -> Path:
    return fitted(silo_files, tmp_path / "run", family="ridge", holidays="DE")


def test_the_stored_results_are_those_of_the_family_on_all_panels(silo_files: Files, tmp_path: Path) -> None:
    found = read_results(fitted(silo_files, tmp_path / "run", family="ridge"))
    panel = pool([load_panel(path).panel for path in silo_files])
    expected = Ridge().fit(panel, holdout_weeks=HOLDOUT_WEEKS).results

    assert found.model == "ridge"
    assert found.channels == expected.channels
    assert found.holdout == expected.holdout


def test_what_was_chosen_is_recorded_with_the_run(run: Path) -> None:
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    settings = record["settings"]

    assert (settings["family"], settings["holidays"], settings["holdout-weeks"]) == (
        "ridge",
        "DE",
        HOLDOUT_WEEKS,
    )
    assert settings["model"]["baseline"] == Ridge().baseline.model_dump(mode="json")
    assert "training" not in settings
    assert set(record["choices"]["transforms"]) == {c.channel for c in read_results(run).channels}
    assert "scikit-learn" in record["versions"]


def test_a_report_is_written_the_same_way(run: Path) -> None:
    names = {path.name for path in run.iterdir()}

    assert {"results.json", "contributions.csv", "response_curves.csv", "about.json", "report.html"} <= names
    assert "model.json" not in names
    assert "Marketing mix of pooled data: ridge" in (run / "report.html").read_text(encoding="utf-8")


def test_what_no_model_could_tell_from_the_panel_is_among_the_findings(run: Path) -> None:
    """A year of data is too little for seasons, whatever is fitted to it."""
    assert "little-history" in {finding.code for finding in read_results(run).findings}


def test_an_unknown_model_and_experiments_for_another_one_are_refused_before_anything_is_read(
    silo_files: Files, tmp_path: Path
) -> None:
    with pytest.raises(ModelUnknown):
        fitted(silo_files, tmp_path / "run", family="rigde")
    with pytest.raises(CannotCalibrate, match="'ridge' takes no lift file; nothing was fitted"):
        fitted(silo_files, tmp_path / "run", family="ridge", lifts=tmp_path / "lifts.toml")

    assert not (tmp_path / "run").exists()


def test_a_family_is_measured_on_pooled_data(silo_files: Files) -> None:
    panels = [load_panel(path).panel for path in silo_files]
    measured = measure_pooled(panels, HOLDOUT_WEEKS, family=Ridge())
    expected = Ridge().fit(pool(panels), holdout_weeks=HOLDOUT_WEEKS).results

    assert measured.model == "ridge"
    assert measured.contribution == {c.channel: c.contribution for c in expected.channels}
    assert measured.nrmse == expected.holdout.nrmse
    assert measured.intervals == {}
