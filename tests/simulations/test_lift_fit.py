"""`fit` with a lift file: the experiment moves the model, and one that does not fit the data stops it."""

from pathlib import Path

import pytest

from mmm_models.experiments.lift_errors import LiftChannelUnknown
from mmm_models.panel import pool
from mmm_models.panel_io import load_panel
from mmm_models.reporting.result_files import read_results
from mmm_models.spec import ModelSpec, TrainingSpec
from simulations.errors import LiftReleaseUnusable
from simulations.pooled_run import PooledSettings, fit_pooled
from tests.small_federation import HOLDOUT_WEEKS

Files = tuple[Path, ...]
WEEKS = 8
TYPED = """
[[lift]]
channel = "{channel}"
start = {start}
end = {end}
lift = {lift}
standard_error = {error}
source = "geo test"
"""
RELEASE = """
[[lift]]
channel = "tv"
start = 2024-03-04
end = 2024-03-31
release = "none.json"
home = "room/acme"
people = 1000
"""


def fitted(specs: Files, out: Path, lifts: Path | None) -> tuple[dict[str, float], list[str]]:
    """Contributions by channel, and what was said."""
    said: list[str] = []
    settings = PooledSettings(specs, out, HOLDOUT_WEEKS, ModelSpec(), TrainingSpec(steps=60), lifts)
    results = read_results(fit_pooled(settings, say=said.append))
    return {channel.channel: channel.contribution for channel in results.channels}, said


def typed(specs: Files, folder: Path, *, factor: float, channel: str | None = None) -> Path:
    """An experiment over the last training weeks of all units that measured `factor` of a tenth of their outcome."""
    panel = pool([load_panel(spec).panel for spec in specs])
    stop = panel.n_weeks - HOLDOUT_WEEKS
    tenth = 0.1 * float(panel.outcome[:, stop - WEEKS : stop].sum())
    path = folder / f"lifts-{factor}.toml"
    days = panel.weeks.astype("datetime64[D]")
    text = TYPED.format(
        channel=channel or panel.channel_names[0],
        start=days[stop - WEEKS],
        end=days[stop] - 1,
        lift=factor * tenth,
        error=0.01 * tenth,
    )
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.slow
def test_an_experiment_moves_its_channel_towards_what_it_measured(silo_files: Files, tmp_path: Path) -> None:
    low, said = fitted(silo_files, tmp_path / "low", typed(silo_files, tmp_path, factor=0.3))
    high, _ = fitted(silo_files, tmp_path / "high", typed(silo_files, tmp_path, factor=3.0))

    channel = next(iter(low))
    assert 3 < high[channel] / low[channel] < 30
    assert said[0].startswith(f"experiment geo test ({channel}): lift ")
    assert "standard error" in said[0]


def test_an_experiment_about_something_else_stops_the_fit_before_it_begins(
    silo_files: Files, tmp_path: Path
) -> None:
    lifts = typed(silo_files, tmp_path, factor=1.0, channel="televisoin")

    with pytest.raises(LiftChannelUnknown, match="there is no channel 'televisoin'"):
        fitted(silo_files, tmp_path / "run", lifts)

    assert not (tmp_path / "run").exists()


def test_a_release_that_is_not_there_stops_the_fit(silo_files: Files, tmp_path: Path) -> None:
    path = tmp_path / "lifts.toml"
    path.write_text(RELEASE, encoding="utf-8")

    with pytest.raises(LiftReleaseUnusable, match=r"none\.json cannot be read"):
        fitted(silo_files, tmp_path / "run", path)
