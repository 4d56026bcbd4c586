"""The public Python names."""

import subprocess
import sys

import pytest

import mixroom
from mmm_models.errors import PanelInvalid
from server.errors import SettingsInvalid


def test_importing_mixroom_loads_nothing_heavy(repository):
    program = "import mixroom, sys; print({'torch', 'flwr', 'pandas', 'numpy'} & set(sys.modules))"

    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, check=True
    )

    assert ran.stdout.strip() == "set()"


def test_every_public_name_is_there_and_says_what_it_gives():
    assert all(getattr(mixroom, name).__doc__ for name in mixroom.__all__)


def test_a_silo_is_checked_and_loaded(silos):
    assert mixroom.check_silo(str(silos[0])).ok
    assert mixroom.load_panel(silos[0]).panel.n_units == 60


def test_a_bad_silo_is_reported_and_not_loaded(silos):
    text = silos[0].read_text(encoding="utf-8")
    silos[0].write_text(text.replace('outcome = "sales"', 'outcome = "turnover"'), encoding="utf-8")

    assert [problem.code for problem in mixroom.check_silo(silos[0]).problems] == ["missing_column"]
    with pytest.raises(PanelInvalid, match="missing_column in turnover"):
        mixroom.load_panel(silos[0])


def test_a_fit_becomes_a_figure_with_its_table(silos, tmp_path):
    results = mixroom.fit(silos, tmp_path / "fit", holdout_weeks=12, steps=3)
    figure = mixroom.contributions_figure(tmp_path / "fit")

    assert mixroom.load_results(tmp_path / "fit").channels == results.channels
    assert figure.svg.startswith("<svg")
    contribution = {row[0]: row[2] for row in figure.table.rows}
    assert contribution == {channel.channel: channel.contribution for channel in results.channels}


def test_training_takes_settings_by_name(silos, tmp_path):
    results = mixroom.train(silos, tmp_path / "run", rounds=2, holdout_weeks=12, secure_aggregation="none")

    assert [channel.channel for channel in results.channels] == ["tv", "search"]


def test_an_unknown_setting_is_refused(silos, tmp_path):
    with pytest.raises(SettingsInvalid, match="round: Extra inputs"):
        mixroom.train(silos, tmp_path / "run", round=2)


@pytest.mark.slow
def test_a_scenario_is_compared(tiny_scenario, tmp_path):
    comparison = mixroom.compare(
        str(tiny_scenario), tmp_path / "c", epsilon=[12, 8], rounds=2, kinds=["distributed"]
    )

    assert [arm.name for arm in comparison.arms[5:]] == [
        "+ distributed noise, ε 12",
        "+ distributed noise, ε 8",
    ]
    assert comparison.report.exists()
