"""Whole runs through both real apps: the same model however it is summed, resumed, or interrupted."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clients.silo_home import SiloHome
from mmm_models.errors import ScalesUnknown
from mmm_models.evaluation import holdout_errors
from mmm_models.intake.silo_file import read_silo_spec
from mmm_models.network import MediaResponse
from mmm_models.neural_mmm import pooled_scales
from mmm_models.panel import pool
from mmm_models.panel_io import load_panel
from mmm_models.reporting.result_files import read_results
from mmm_models.spec import TrainingSpec
from mmm_models.stored_model import load_model
from mmm_models.training import get_vector
from mmm_models.training import train as adam
from mmm_models.unit_data import prepare
from privacy.errors import RosterRefused
from privacy.ledger.budget_ledger import LedgerSummary
from privacy.wire import CONTRIBUTE, UNMASK
from server.app import app as server_app
from server.errors import CheckpointDamaged, RunStoreError, SiloRefused
from server.run_store import RunStore
from server.settings import RunSettings
from simulations.errors import SimulationError
from simulations.federation import train_in_process
from simulations.in_process_grid import Delivery, Loss, run_on_grid
from tests.small_federation import (
    BARELY_PRIVATE,
    FIRST_NODE,
    HOLDOUT_WEEKS,
    SILOS,
    STORES,
    add_rules,
    barely_private,
    final_parameters,
    grid_of,
    private,
    settings_for,
    train,
    with_known_noise,
)

Files = tuple[Path, ...]


def numbers_of(directory: Path) -> list[float]:
    """Every number of results.json, in order; missing ones as -1."""

    def walk(value: Any) -> list[float]:
        if isinstance(value, dict):
            return [number for key in sorted(value) for number in walk(value[key])]
        if isinstance(value, list):
            return [number for item in value for number in walk(item)]
        return [-1.0] if value is None else [float(value)] if isinstance(value, int | float) else []

    return walk(json.loads((directory / "results.json").read_text(encoding="utf-8")))


def ledger(silo_file: Path) -> LedgerSummary:
    return SiloHome.of(read_silo_spec(silo_file)).ledger.summary()


def losses(settings: RunSettings) -> list[float]:
    store = RunStore.create(settings.model_copy(update={"resume": True}))
    return [metrics.loss for metrics in store.metrics()]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C at a known moment."""


def interrupt_after(monkeypatch: pytest.MonkeyPatch, last_round: int) -> None:
    """Ctrl-C while the coordinator reports that round, which is after its checkpoint."""

    def narrate(_: RunSettings) -> Any:
        def progress(metrics: Any) -> None:
            if metrics.round == last_round:
                raise Interrupted

        return progress

    monkeypatch.setattr("server.conduct._narrate", narrate)


def run_until(silo_files: Files, settings: RunSettings, last_round: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, last_round)
        with pytest.raises(Interrupted):
            train(silo_files, settings)


def test_masks_change_nothing_but_who_can_read(silo_files: Files, tmp_path: Path) -> None:
    """Quantisation is the same with and without, so the two runs are equal, not only close."""
    runs = {how: settings_for(tmp_path / how, secure_aggregation=how) for how in ("masks", "none")}

    for settings in runs.values():
        train(silo_files, settings)

    assert final_parameters(runs["masks"]) == pytest.approx(final_parameters(runs["none"]), rel=1e-6)
    assert numbers_of(tmp_path / "masks") == pytest.approx(numbers_of(tmp_path / "none"), rel=1e-6)


def test_fedadam_with_one_local_step_is_training_in_one_place(silo_files: Files, tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "run", rounds=20, strategy="fedadam")

    federated = train(silo_files, settings)

    panels = [load_panel(path).panel for path in silo_files]
    spec = TrainingSpec(
        steps=20, learning_rate=settings.step_size, average_last_share=settings.averaged_share
    )
    panel, model = pool(panels), load_model(tmp_path / "run")
    scales = pooled_scales(panel, settings.model, HOLDOUT_WEEKS)
    data = prepare(panel, scales, settings.model, holdout_weeks=HOLDOUT_WEEKS)
    central = MediaResponse(settings.model, scales.spend_per_revenue.tolist())
    adam(central, data, spec)
    errors = holdout_errors(central, data)
    assert model.parameters == pytest.approx(get_vector(central), abs=2e-3)
    assert federated.holdout.nrmse == pytest.approx(
        np.sqrt(errors.squared.sum() / errors.weeks.sum()), rel=1e-3
    )


@pytest.mark.parametrize("strategy", ["fedadam", "fedavg", "fedprox"])
def test_every_strategy_lowers_the_loss(silo_files: Files, tmp_path: Path, strategy: str) -> None:
    settings = settings_for(tmp_path / "run", rounds=6, strategy=strategy)

    train(silo_files, settings)

    found = losses(settings)
    assert len(found) == 6
    assert found[-1] < 0.99 * found[0]
    assert max(found[1:]) < found[0]


def test_the_proximal_term_holds_silos_near_the_shared_model(silo_files: Files, tmp_path: Path) -> None:
    free = settings_for(tmp_path / "free", rounds=1, strategy="fedavg")
    held = settings_for(tmp_path / "held", rounds=1, strategy="fedprox", proximal=1000.0)
    for settings in (free, held):
        train(silo_files, settings)

    assert final_parameters(free) != pytest.approx(final_parameters(held), rel=1e-3)


def test_totals_are_those_of_all_silos_together(silo_files: Files, tmp_path: Path) -> None:
    results = train(silo_files, settings_for(tmp_path / "run", rounds=1))

    panels = [load_panel(path).panel for path in silo_files]
    spend = {
        name: sum(
            panel.spend[..., panel.channel_names.index(name)].sum()
            for panel in panels
            if name in panel.channel_names
        )
        for name in ("tv", "radio")
    }
    assert results.units == 4 * STORES
    assert results.outcome == pytest.approx(sum(panel.outcome.sum() for panel in panels), rel=1e-6)
    assert {c.channel: c.spend for c in results.channels} == pytest.approx(spend, rel=1e-6)


def test_a_silo_without_a_channel_takes_part_and_adds_nothing_to_it(
    silo_files: Files, tmp_path: Path
) -> None:
    """Of these silos only the third lacks radio."""
    assert "radio" not in load_panel(silo_files[2]).panel.channel_names

    with_it = train(silo_files, settings_for(tmp_path / "run", rounds=1))

    assert {channel.channel for channel in with_it.channels} == {"tv", "radio"}
    assert all(channel.contribution >= 0 for channel in with_it.channels)


def test_training_in_one_process_writes_the_report(silo_files: Files, tmp_path: Path) -> None:
    directory = train_in_process(silo_files, settings_for(tmp_path / "run", rounds=1, expected_silos=1))

    written = {path.name for path in directory.iterdir()}
    assert {
        "run.json", "events.jsonl", "metrics.csv", "checkpoints", "results.json", "contributions.csv",
        "response_curves.csv", "holdout.json", "model.json", "privacy.json", "about.json", "report.html",
    } <= written  # fmt: skip


def test_two_silo_files_of_one_name_are_refused(silo_files: Files, tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="several silo files are named silo-1"):
        train_in_process((silo_files[0], *silo_files), settings_for(tmp_path / "run"))


def test_an_interrupted_run_resumes_to_the_same_model(silo_files: Files, tmp_path: Path) -> None:
    whole, broken = settings_for(tmp_path / "whole"), settings_for(tmp_path / "broken")
    train(silo_files, whole)

    run_until(silo_files, broken, last_round=2)
    assert not (tmp_path / "broken" / "results.json").exists()
    train(silo_files, broken.model_copy(update={"resume": True}))

    assert final_parameters(broken) == final_parameters(whole)
    assert numbers_of(tmp_path / "broken") == numbers_of(tmp_path / "whole")
    assert losses(broken) == losses(whole)


def test_a_finished_run_resumed_says_the_same_again(silo_files: Files, tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "run")
    train(silo_files, settings)
    before = numbers_of(tmp_path / "run")

    train(silo_files, settings.model_copy(update={"resume": True}))

    assert numbers_of(tmp_path / "run") == before


def test_a_damaged_checkpoint_stops_the_resume_until_it_is_deleted(silo_files: Files, tmp_path: Path) -> None:
    whole, broken = settings_for(tmp_path / "whole"), settings_for(tmp_path / "broken")
    train(silo_files, whole)
    run_until(silo_files, broken, last_round=3)
    newest = tmp_path / "broken" / "checkpoints" / "round-0003.json"
    newest.write_bytes(newest.read_bytes()[:200])
    resumed = broken.model_copy(update={"resume": True})

    with pytest.raises(CheckpointDamaged, match="round-0003"):
        train(silo_files, resumed)
    newest.unlink()
    train(silo_files, resumed)

    assert final_parameters(broken) == final_parameters(whole)


def test_a_run_is_not_started_over_another(silo_files: Files, tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "run", rounds=1)
    train(silo_files, settings)

    with pytest.raises(RunStoreError, match="already holds a run"):
        train(silo_files, settings)


class TestPrivateRun:
    def test_charges_every_silo_once_as_much_as_asked(
        self, generous_silo_files: Files, tmp_path: Path
    ) -> None:
        train(generous_silo_files, settings_for(tmp_path / "run", **barely_private()))

        for path in generous_silo_files:
            summary = ledger(path)
            assert len(summary.charges) == 1
            assert summary.spent == pytest.approx(BARELY_PRIVATE, rel=1e-6)
            assert summary.spent <= BARELY_PRIVATE

    def test_holds_no_exact_sum_in_its_files(self, generous_silo_files: Files, tmp_path: Path) -> None:
        results = train(generous_silo_files, settings_for(tmp_path / "run", **barely_private()))

        panels = [load_panel(path).panel for path in generous_silo_files]
        rows = (tmp_path / "run" / "metrics.csv").read_text(encoding="utf-8").splitlines()[1:]
        assert [row.split(",")[1:4] for row in rows] == [["", "", ""]] * 4
        assert results.private
        assert results.units != round(results.units)
        assert results.outcome != pytest.approx(sum(panel.outcome.sum() for panel in panels), rel=1e-6)
        scales = next(
            event
            for line in (tmp_path / "run" / "events.jsonl").read_text(encoding="utf-8").splitlines()
            if (event := json.loads(line))["event"] == "scales"
        )
        assert scales["units"] == results.units  # the noised one

    def test_states_what_was_promised(self, generous_silo_files: Files, tmp_path: Path) -> None:
        train(generous_silo_files, settings_for(tmp_path / "run", **barely_private()))

        box = json.loads((tmp_path / "run" / "privacy.json").read_text(encoding="utf-8"))
        assert (box["mode"], box["silos"], box["delta"]) == ("local", 4, 1e-4)
        assert 0.999 * BARELY_PRIVATE < box["epsilon"] <= BARELY_PRIVATE
        assert box["epsilon_replace_one"] > box["epsilon"]

    def test_two_runs_have_noise_of_their_own(self, generous_silo_files: Files, tmp_path: Path) -> None:
        settings = [settings_for(tmp_path / name, **barely_private(rounds=1)) for name in ("a", "b")]
        for each in settings:
            train(generous_silo_files, each)

        assert not set(final_parameters(settings[0])) & set(final_parameters(settings[1]))

    def test_resumes_on_the_same_charge_with_the_same_noise(
        self, generous_silo_files: Files, tmp_path: Path
    ) -> None:
        """Rounds three and four are asked for twice: the second answers must not be second looks."""
        settings = settings_for(tmp_path / "run", **barely_private())
        run_until(generous_silo_files, settings, last_round=4)
        first = final_parameters(settings)
        for number in (3, 4):
            (tmp_path / "run" / "checkpoints" / f"round-{number:04d}.json").unlink()

        train(generous_silo_files, settings.model_copy(update={"resume": True}))

        assert final_parameters(settings) == first
        assert [len(ledger(path).charges) for path in generous_silo_files] == [1] * 4

    def test_is_refused_when_one_lifetime_is_too_small(
        self, generous_silo_files: Files, tmp_path: Path
    ) -> None:
        add_rules(generous_silo_files[1], lifetime_epsilon=1.1 * BARELY_PRIVATE)
        train(generous_silo_files, settings_for(tmp_path / "first", **barely_private(rounds=1)))

        with pytest.raises(SiloRefused, match=r"silo-2 does not take part: BudgetExhausted") as refused:
            train(generous_silo_files, settings_for(tmp_path / "second", **barely_private(rounds=1)))

        assert "above the lifetime limit of 17.6" in str(refused.value)
        assert "still fits" in refused.value.hint
        assert [len(ledger(path).charges) for path in generous_silo_files] == [
            1
        ] * 4  # nobody paid for nothing

    def test_with_stores_too_few_for_the_noise_says_how_many_it_takes(
        self, silo_files: Files, tmp_path: Path
    ) -> None:
        with_known_noise(silo_files)  # else one run in a thousand takes noise for stores

        with pytest.raises(ScalesUnknown) as refused:
            train(silo_files, settings_for(tmp_path / "run", run_id="few", **private(epsilon=0.1)))

        assert "units in all silos together" in refused.value.hint

    def test_goes_on_without_a_silo_that_drops_out(self, generous_silo_files: Files, tmp_path: Path) -> None:
        lost = {Delivery(FIRST_NODE + 1, CONTRIBUTE, occurrence=3): Loss.MESSAGE}

        train(generous_silo_files, settings_for(tmp_path / "run", **barely_private()), dropouts=lost)

        assert (tmp_path / "run" / "results.json").exists()


def test_two_silos_with_masks_are_refused_with_a_way_out(silo_files: Files, tmp_path: Path) -> None:
    with pytest.raises(RosterRefused, match="2 silos are too few") as refused:
        train(silo_files[:2], settings_for(tmp_path / "run", expected_silos=2))

    assert refused.value.hint


def test_a_run_with_dropouts_finishes_and_names_them(silo_files: Files, tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "run", strategy="fedadam")
    lost = {
        Delivery(FIRST_NODE + 1, CONTRIBUTE, occurrence=2): Loss.MESSAGE,
        Delivery(FIRST_NODE + 2, UNMASK, occurrence=3): Loss.REPLY,
        Delivery(FIRST_NODE + 3, CONTRIBUTE, occurrence=6): Loss.REPLY,
    }

    grid = grid_of(silo_files, settings, dropouts=lost)
    run_on_grid(server_app, grid)

    events = [
        json.loads(line)
        for line in (tmp_path / "run" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    failed = [(event["sum"], event["silo"]) for event in events if event["event"] == "silo_failed"]
    assert failed == [(2, "silo-2"), (3, "silo-3"), (6, "silo-4")]  # sum 1 is the scales, 6 the report
    silos = [
        metrics.silos for metrics in RunStore.create(settings.model_copy(update={"resume": True})).metrics()
    ]
    assert silos == [3, 4, 4, 4]
    assert read_results(tmp_path / "run").units == 3 * STORES  # the report lacks the last silo
    assert set(SILOS) == {event for line in events if line["event"] == "started" for event in line["silos"]}
