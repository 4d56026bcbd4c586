"""`planning.json`: what planning needs of the past, the same from summed weeks as from one place with all rows."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmm_models.contribution_totals import MULTIPLIERS
from mmm_models.panel import pool
from mmm_models.panel_io import load_panel
from mmm_models.planning.basis_of_panel import basis_of_panel
from mmm_models.planning.plan_basis import Part
from mmm_models.planning.stored_basis import load_basis
from mmm_models.reporting.result_files import read_results
from mmm_models.spec import ModelSpec, TrainingSpec
from mmm_models.stored_model import load_model
from simulations.pooled_run import PooledSettings, fit_pooled
from tests.small_federation import (
    HOLDOUT_WEEKS,
    WEEKS,
    barely_private,
    data_file,
    settings_for,
    sharing_noise,
    train,
)

Files = tuple[Path, ...]


def arrays(part: Part) -> dict[str, np.ndarray]:
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


@pytest.mark.parametrize(
    "way", [{"secure_aggregation": "masks"}, {"secure_aggregation": "none"}, {"strategy": "fedadam"}]
)
def test_summed_weeks_are_those_of_all_rows_in_one_place(
    silo_files: Files, tmp_path: Path, way: dict[str, str]
) -> None:
    train(silo_files, settings_for(tmp_path / "run", **way))

    found = load_basis(tmp_path / "run")
    panel = pool([load_panel(path).panel for path in silo_files])
    expected = basis_of_panel(panel, load_model(tmp_path / "run"))
    assert found.by_week
    assert (found.channels, found.kinds, found.currency, found.outcome_unit) == (
        expected.channels,
        expected.kinds,
        expected.currency,
        expected.outcome_unit,
    )
    np.testing.assert_array_equal(found.weeks, panel.weeks)
    assert [part.name for part in found.parts] == ["all"]
    for name, value in arrays(expected.parts[0]).items():
        np.testing.assert_allclose(arrays(found.parts[0])[name], value, rtol=1e-3, err_msg=name)
    assert found.parts[0].revenue_per_outcome == pytest.approx(expected.parts[0].revenue_per_outcome)
    assert not found.noise.any()


@pytest.mark.parametrize("secure_aggregation", ["masks", "none"])
def test_weeks_that_not_all_silos_have_are_left_out(
    silo_files: Files, tmp_path: Path, secure_aggregation: str
) -> None:
    """silo-1 lacks the first five weeks, silo-2 the last three: 52 of 60 are in common."""
    for path, kept in zip(silo_files, (slice(5, None), slice(-3)), strict=False):
        table = pd.read_csv(data_file(path))
        table[table["week"].isin(sorted(set(table["week"]))[kept])].to_csv(data_file(path), index=False)
    settings = settings_for(tmp_path / "run", secure_aggregation=secure_aggregation)
    train(silo_files, settings)

    found = load_basis(tmp_path / "run")
    tables = pd.concat([pd.read_csv(data_file(path)) for path in silo_files])
    weeks = sorted(set(tables["week"]))[5:-3]
    expected = tables.groupby("week")["sales"].sum()[weeks]
    assert found.by_week
    assert [str(week) for week in found.weeks] == weeks
    np.testing.assert_allclose(found.parts[0].outcome, expected, rtol=1e-6)
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    told = [(e["weeks"], e["weeks_of_any_silo"]) for e in events if e["event"] == "calendar"]
    assert told == [(52, 60)]


def test_silos_without_a_week_in_common_are_planned_for_from_totals(
    silo_files: Files, tmp_path: Path
) -> None:
    for path, kept in zip(silo_files, (slice(30), slice(30, None)), strict=False):
        table = pd.read_csv(data_file(path))
        table[table["week"].isin(sorted(set(table["week"]))[kept])].to_csv(data_file(path), index=False)
    results = train(silo_files, settings_for(tmp_path / "run"))

    found = load_basis(tmp_path / "run")
    assert not found.by_week
    assert found.parts[0].outcome.sum() == pytest.approx(results.outcome)


def test_weeks_of_a_federated_run_add_up_to_its_results(silo_files: Files, tmp_path: Path) -> None:
    results = train(silo_files, settings_for(tmp_path / "run"))

    (part,) = load_basis(tmp_path / "run").parts
    assert part.outcome.sum() == pytest.approx(results.outcome, rel=1e-6)
    assert part.spend.sum(axis=0) == pytest.approx([channel.spend for channel in results.channels], rel=1e-6)
    contributions = [channel.contribution for channel in results.channels]
    assert part.contribution.sum(axis=0) == pytest.approx(contributions, rel=1e-5)
    assert part.curves[:, MULTIPLIERS.index(1.0)] == pytest.approx(contributions, rel=1e-6)


@pytest.mark.parametrize("noise", [barely_private(), sharing_noise()], ids=["local", "distributed"])
def test_a_noised_run_says_totals_in_equal_weeks_and_their_noise(
    generous_silo_files: Files, tmp_path: Path, noise: dict[str, object]
) -> None:
    results = train(generous_silo_files, settings_for(tmp_path / "run", **noise))

    found = load_basis(tmp_path / "run")
    (part,) = found.parts
    assert not found.by_week
    assert found.n_weeks == WEEKS
    assert (found.noise > 0).all()
    assert np.ptp(part.outcome) == 0
    assert part.outcome.sum() == pytest.approx(results.outcome)
    assert part.contribution.sum(axis=0) == pytest.approx([c.contribution for c in results.channels])
    assert part.curves.tolist() == [list(curve.contribution) for curve in results.curves]
    assert (part.intensity == 1.0).all()


def test_a_pooled_fit_has_a_part_for_each_silo(silo_files: Files, tmp_path: Path) -> None:
    settings = PooledSettings(
        silo_files[:3], tmp_path / "run", HOLDOUT_WEEKS, ModelSpec(), TrainingSpec(steps=5)
    )
    fit_pooled(settings, say=lambda _: None)

    found, results = load_basis(tmp_path / "run"), read_results(tmp_path / "run")
    assert [part.name for part in found.parts] == ["silo-1", "silo-2", "silo-3"]
    spend = sum(part.spend.sum(axis=0) for part in found.parts)
    assert spend == pytest.approx([channel.spend for channel in results.channels])
    contributions = [channel.contribution for channel in results.channels]
    shared = basis_of_panel(
        pool([load_panel(path).panel for path in silo_files[:3]]), load_model(tmp_path / "run")
    )
    assert shared.parts[0].contribution.sum(axis=0) == pytest.approx(contributions, rel=1e-5)
    together = sum(part.contribution.sum(axis=0) for part in found.parts)  # each silo's by its own response
    assert together == pytest.approx(contributions, rel=0.15)
    own = load_panel(silo_files[1]).panel
    assert found.parts[1].outcome == pytest.approx(own.outcome.sum(axis=0))


def test_a_pooled_fit_of_one_silo_is_one_part(silo_files: Files, tmp_path: Path) -> None:
    settings = PooledSettings(
        silo_files[:1], tmp_path / "run", HOLDOUT_WEEKS, ModelSpec(), TrainingSpec(steps=5)
    )
    fit_pooled(settings, say=lambda _: None)

    assert [part.name for part in load_basis(tmp_path / "run").parts] == ["all"]
