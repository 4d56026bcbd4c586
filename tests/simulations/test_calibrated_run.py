"""Federated runs with experiments: the model that one place with all data and the same experiment would find."""

import json
import tomllib
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from clients.silo_home import SiloHome
from mmm_models.experiments.lift import LiftTest
from mmm_models.intake.silo_file import read_silo_spec
from mmm_models.neural_mmm import NeuralMmm
from mmm_models.panel import pool
from mmm_models.panel_io import load_panel
from mmm_models.results import Results
from privacy.sum_schedule import Purpose
from privacy.wire import SumRequest
from server.errors import ExperimentsChanged, SiloRefused, SumLost
from server.lost_sums import Asking
from server.run_plan import CALIBRATION_ROUNDS
from server.run_store import RunStore
from server.settings import RunSettings
from server.silo_exchange import SiloSum
from tests.simulations.test_federation import Interrupted, interrupt_after
from tests.small_federation import HOLDOUT_WEEKS, STORES, barely_private, settings_for, train

Files = tuple[Path, ...]
SILO, CHANNEL, WEEKS = 1, "tv", (5, 30)
ROUNDS = 12


def predicted(silo_files: Files) -> tuple[Results, LiftTest]:
    """What the pooled model says without experiments of the weeks, and of that lift in all stores of one silo."""
    panels = [load_panel(path).panel for path in silo_files]
    panel = pool(panels)
    first, last = (panel.weeks[week].item() for week in WEEKS)
    units = tuple(f"{panels[SILO].silo}/{unit}" for unit in panels[SILO].units)
    vague = LiftTest(CHANNEL, first, last, units, 1.0, 1e9, source="geo test")
    results = NeuralMmm(RunSettings().model, lifts=(vague,)).fit(panel, holdout_weeks=HOLDOUT_WEEKS).results
    lift = 1.6 * results.experiments[0].before
    return results, LiftTest(CHANNEL, first, last, units, lift, 0.05 * lift, source="geo test")


def with_lift(silo_files: Files, lift: LiftTest) -> None:
    """Write the experiment beside the silo's file and name it there: for all of the silo's own stores."""
    path = silo_files[SILO]
    entry = {
        "channel": lift.channel,
        "start": lift.first_week,
        "end": lift.last_week + timedelta(days=6),
        "lift": lift.lift,
        "standard_error": lift.standard_error,
        "source": lift.source,
    }
    (path.parent / "lifts.toml").write_text(tomli_w.dumps({"lift": [entry]}), encoding="utf-8")
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    path.write_text(tomli_w.dumps({"lifts": "lifts.toml", **content}), encoding="utf-8")


def contribution(results: Results) -> dict[str, float]:
    return {channel.channel: channel.contribution for channel in results.channels}


def own_experiments(silo_file: Path, settings: RunSettings) -> list[dict[str, float]]:
    run_id = RunStore.create(settings.model_copy(update={"resume": True})).run_id
    directory = SiloHome.of(read_silo_spec(silo_file)).run_directory(run_id)
    return json.loads((directory / "experiments.json").read_text(encoding="utf-8"))


def test_a_silos_experiment_moves_the_model_as_in_one_place_with_all_data(
    silo_files: Files, tmp_path: Path
) -> None:
    free, lift = predicted(silo_files)
    pooled = pool([load_panel(path).panel for path in silo_files])
    central = NeuralMmm(RunSettings().model, lifts=(lift,)).fit(pooled, holdout_weeks=HOLDOUT_WEEKS).results
    with_lift(silo_files, lift)
    settings = settings_for(tmp_path / "run", rounds=ROUNDS)

    found = train(silo_files, settings)

    assert contribution(found)[CHANNEL] > 1.2 * contribution(free)[CHANNEL]
    assert contribution(found) == pytest.approx(contribution(central), rel=0.02)
    by_name = {channel.channel: channel.contribution_interval for channel in central.channels}
    for channel in found.channels:
        low, high = channel.contribution_interval.low, channel.contribution_interval.high
        expected = by_name[channel.channel]
        assert np.log(high / low) == pytest.approx(np.log(expected.high / expected.low), rel=0.1)
    (check,) = own_experiments(silo_files[SILO], settings)
    assert check["after"] == pytest.approx(central.experiments[0].after, rel=0.02)
    assert check["before"] == pytest.approx(central.experiments[0].before, rel=0.03)
    assert check["before_sd"] == pytest.approx(central.experiments[0].before_sd, rel=0.15)


def test_the_default_bound_leaves_an_experiment_with_a_five_per_cent_error_as_it_is(
    silo_files: Files, tmp_path: Path
) -> None:
    """Also in two of all stores, where one experiment pulls at its silo's mean gradient hardest."""
    content = tomllib.loads(silo_files[SILO].read_text(encoding="utf-8"))
    content["data"]["only_units"] = list(load_panel(silo_files[SILO]).panel.units[:2])
    silo_files[SILO].write_text(tomli_w.dumps(content), encoding="utf-8")
    _, lift = predicted(silo_files)
    with_lift(silo_files, lift)
    found = [
        train(silo_files, settings_for(tmp_path / f"run-{bound}", rounds=ROUNDS, update_norm_bound=bound))
        for bound in (8.0, 0.0)
    ]
    assert contribution(found[0]) == pytest.approx(contribution(found[1]), rel=1e-3)


def test_the_coordinator_says_how_many_experiments_contradict_and_not_which(
    silo_files: Files, tmp_path: Path
) -> None:
    """A lift of 60 % more with an error of 5 % is further away than chance allows; one that fits is not."""
    _, lift = predicted(silo_files)
    with_lift(silo_files, lift)
    found = train(silo_files, settings_for(tmp_path / "far", rounds=ROUNDS))
    (finding, *_) = found.findings
    assert (finding.code, finding.severity, finding.channels) == ("experiments-contradict", "review", ())
    assert "1 experiment of the silos; 1 of them contradict" in finding.text
    assert found.experiments == ()
    assert "geo test" not in (tmp_path / "far" / "results.json").read_text(encoding="utf-8")

    with_lift(silo_files, replace(lift, lift=lift.lift / 1.6))
    (finding, *_) = train(silo_files, settings_for(tmp_path / "near", rounds=ROUNDS)).findings
    assert (finding.code, finding.severity) == ("calibrated", "note")


def test_a_calibrated_run_is_resumed_to_the_same_numbers(silo_files: Files, tmp_path: Path) -> None:
    """Two rounds before it was calibrated to the end."""
    _, lift = predicted(silo_files)
    with_lift(silo_files, lift)
    settings = settings_for(tmp_path / "run", rounds=4)
    whole = train(silo_files, settings)
    before = own_experiments(silo_files[SILO], settings)
    for number in (7, 8):
        (tmp_path / "run" / "checkpoints" / f"round-{number:04d}.json").unlink()

    again = train(silo_files, settings.model_copy(update={"resume": True}))

    assert contribution(again) == pytest.approx(contribution(whole), rel=1e-9)
    assert own_experiments(silo_files[SILO], settings) == before


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_a_lost_curvature_of_experiments_costs_the_step_after_it_and_no_more(
    silo_files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    """As an enclave that dies may lose it. A whole step by the curvature of before would go too far."""
    _, lift = predicted(silo_files)
    with_lift(silo_files, lift)
    calibrating: list[SumRequest] = []
    ask = Asking.sum

    def lose_one(asking: Asking, request: SumRequest) -> SiloSum:
        curvature = request.purpose == Purpose.CURVATURE
        if request.purpose != Purpose.REPORT and counts_units(request):
            calibrating.append(request)
            if curvature and [r.purpose for r in calibrating].count(Purpose.CURVATURE) == lost + 1:
                raise SumLost(request.purpose)
        return ask(asking, request)

    monkeypatch.setattr(Asking, "sum", lose_one)
    settings = settings_for(tmp_path / "run", rounds=ROUNDS)
    found = train(silo_files, settings)

    asked = ["curvature", "round"] * CALIBRATION_ROUNDS
    del asked[2 * lost + 1]
    assert [request.purpose for request in calibrating] == asked
    if lost < CALIBRATION_ROUNDS - 1:
        assert calibrating[2 * lost + 1].values[0] == calibrating[2 * lost].values[0]
    monkeypatch.undo()
    whole = train(silo_files, settings_for(tmp_path / "whole", rounds=ROUNDS))
    assert contribution(found) == pytest.approx(contribution(whole), rel=0.02)


def test_a_run_that_lost_all_its_experiments_says_so(
    silo_files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, lift = predicted(silo_files)
    with_lift(silo_files, lift)
    ask = Asking.sum

    def lose_all(asking: Asking, request: SumRequest) -> SiloSum:
        if request.purpose == Purpose.CURVATURE and counts_units(request):
            raise SumLost(request.purpose)
        return ask(asking, request)

    monkeypatch.setattr(Asking, "sum", lose_all)
    found = train(silo_files, settings_for(tmp_path / "run", rounds=ROUNDS))

    (finding,) = [each for each in found.findings if each.code == "not-calibrated"]
    assert (
        "The silos have 1 experiment, but every sum by which they would have counted was lost" in finding.text
    )
    assert "calibrated" not in {each.code for each in found.findings}


def counts_units(request: SumRequest) -> bool:
    """Whether the request weighs experiments: its bounds then come with the number of units."""
    return len(request.values) > 2 and request.vectors()[2].size == 2


def interrupted_after(rounds: int, silo_files: Files, settings: RunSettings) -> None:
    """A run that leaves its directory behind."""
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, rounds)
        with pytest.raises(Interrupted):
            train(silo_files, settings)


def test_experiments_that_came_between_a_run_and_its_resume_are_named(
    silo_files: Files, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path / "run")
    resumed = settings.model_copy(update={"resume": True})
    interrupted_after(2, silo_files, settings)
    before, stored = silo_files[SILO].read_text(encoding="utf-8"), files_of(settings)
    week = date(2024, 2, 5)
    with_lift(silo_files, LiftTest(CHANNEL, week, week, None, 100.0, 10.0))

    with pytest.raises(
        ExperimentsChanged,
        match=r"^silo-2 has experiments now, and the run was begun without; nothing was asked",
    ) as changed:
        train(silo_files, resumed)

    assert changed.value.hint == "remove `lifts` from the silo file of silo-2, and resume; or start a new run"
    assert files_of(settings) == stored
    silo_files[SILO].write_text(before, encoding="utf-8")
    assert train(silo_files, resumed).units == 4 * STORES


def test_experiments_that_went_between_a_run_and_its_resume_are_named(
    silo_files: Files, tmp_path: Path
) -> None:
    """Silently resumed, the report would not say that experiments had moved the model."""
    settings = settings_for(tmp_path / "run")
    resumed = settings.model_copy(update={"resume": True})
    without = silo_files[SILO].read_text(encoding="utf-8")
    _, lift = predicted(silo_files)
    with_lift(silo_files, lift)
    named = silo_files[SILO].read_text(encoding="utf-8")
    interrupted_after(6, silo_files, settings)
    silo_files[SILO].write_text(without, encoding="utf-8")

    with pytest.raises(
        ExperimentsChanged,
        match=r"^silo-2 has no experiments now, and the run was begun with its experiments",
    ) as changed:
        train(silo_files, resumed)

    assert changed.value.hint == "restore `lifts` in the silo file of silo-2, and resume; or start a new run"
    silo_files[SILO].write_text(named, encoding="utf-8")
    (finding, *_) = train(silo_files, resumed).findings
    assert "1 experiment of the silos" in finding.text


def files_of(settings: RunSettings) -> dict[str, bytes]:
    paths = (path for path in settings.directory.rglob("*") if path.is_file())
    return {str(path.relative_to(settings.directory)): path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    "terms, hint", [(barely_private(), "run without privacy"), ({"strategy": "fedadam"}, "--strategy newton")]
)
def test_a_run_that_would_not_use_an_experiment_is_refused_before_any_charge(
    generous_silo_files: Files, tmp_path: Path, terms: dict[str, Any], hint: str
) -> None:
    week = date(2024, 2, 5)
    with_lift(generous_silo_files, LiftTest(CHANNEL, week, week, None, 100.0, 10.0))

    with pytest.raises(SiloRefused, match="silo-2 has experiments") as caught:
        train(generous_silo_files, settings_for(tmp_path / "run", **terms))

    assert hint in str(caught.value) + caught.value.hint
    for path in generous_silo_files:
        assert SiloHome.of(read_silo_spec(path)).ledger.charged_runs() == frozenset()


def test_a_lift_file_that_is_none_is_refused_without_its_words(silo_files: Files, tmp_path: Path) -> None:
    week = date(2024, 2, 5)
    with_lift(silo_files, LiftTest(CHANNEL, week, week, None, 123456.0, 10.0))
    file = silo_files[SILO].parent / "lifts.toml"
    file.write_text(file.read_text(encoding="utf-8") + "campaign = 1\n", encoding="utf-8")

    with pytest.raises(SiloRefused, match=r"lift file cannot be used \(LiftFileInvalid\)") as caught:
        train(silo_files, settings_for(tmp_path / "run"))

    assert "campaign" not in str(caught.value) + caught.value.hint


def test_experiments_that_do_not_fit_the_panel_leave_their_silo_out_and_say_so(
    silo_files: Files, tmp_path: Path
) -> None:
    week = date(1999, 1, 4)
    with_lift(silo_files, LiftTest(CHANNEL, week, week, None, 123456.0, 10.0))

    results = train(silo_files, settings_for(tmp_path / "run"))

    events = (tmp_path / "run" / "events.jsonl").read_text(encoding="utf-8")
    assert results.units == 3 * STORES
    assert "ExperimentsUnusable: the silo's lift file cannot be used (LiftOutsideWeeks)" in events
    assert "1999" not in events
