"""The run directory survives a crash, and nothing damaged or foreign is loaded from it."""

import json
import math
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmm_models.week_calendar import Calendar
from server.aggregation import ModelState
from server.errors import CheckpointDamaged, RunStoreError
from server.run_store import RoundMetrics, RunStore, load_checkpoint
from server.settings import RunSettings

METRICS = RoundMetrics(1, 21.5, 0.11, 0.09, 4, 0.25, 1234, 3.0)


def settings_in(directory: Path, **changes: Any) -> RunSettings:
    return RunSettings(out=str(directory), rounds=5, **changes)


def state_at(number: int) -> ModelState:
    start = ModelState.start(np.array([0.1, -1e-17, 3.0e8]), 1.25)
    information = np.array([[2.0, 1 / 3, 0.0], [1 / 3, 1e-17, 0.0], [0.0, 0.0, 3.0e8]])
    return replace(
        start,
        round=number,
        averaged=2,
        iterate_sum=np.array([1 / 3, 0.0, 1.0]),
        information=information,
        sums=4,
    )


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore.create(settings_in(tmp_path / "run"))


def checkpoint(store: RunStore, number: int = 1) -> Path:
    return store.directory / "checkpoints" / f"round-{number:04d}.json"


@pytest.mark.parametrize(
    "state", [state_at(1), ModelState.start(np.ones(2), 0.5)], ids=["trained", "before any curvature"]
)
def test_a_checkpoint_comes_back_bit_by_bit(store: RunStore, state: ModelState) -> None:
    store.save_checkpoint(state)

    loaded = store.newest_checkpoint()

    assert loaded is not None
    for name, value in vars(state).items():
        assert np.array_equal(getattr(loaded, name), value)


def test_a_new_run_has_no_checkpoint(store: RunStore) -> None:
    assert store.newest_checkpoint() is None


def test_an_earlier_checkpoint_is_the_last_one_stored_until_then(store: RunStore) -> None:
    for number in (1, 2, 5):
        store.save_checkpoint(state_at(number))

    assert [store.checkpoint_up_to(rounds).round for rounds in (1, 4, 5, 9)] == [1, 2, 5, 5]
    checkpoint(store).unlink()
    with pytest.raises(CheckpointDamaged):
        store.checkpoint_up_to(1)


@pytest.mark.parametrize("numbers", [(1, 2, 10), (9998, 9999, 10000)])
def test_the_newest_checkpoint_is_the_one_of_the_last_round(
    store: RunStore, numbers: tuple[int, ...]
) -> None:
    for number in numbers:
        store.save_checkpoint(state_at(number))

    newest = store.newest_checkpoint()

    assert newest is not None
    assert newest.round == max(numbers)


def test_one_changed_byte_anywhere_is_detected(store: RunStore) -> None:
    store.save_checkpoint(state_at(1))
    path = checkpoint(store)
    content = path.read_bytes()
    meaningful = [place for place, byte in enumerate(content) if byte not in b" \n"]

    for place in meaningful:
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(CheckpointDamaged, match="it was not loaded"):
            store.newest_checkpoint()


@pytest.mark.parametrize("kept", [0, 1, 100, -10])
def test_a_truncated_checkpoint_is_detected_and_the_hint_says_how_to_go_on(
    store: RunStore, kept: int
) -> None:
    store.save_checkpoint(state_at(1))
    store.save_checkpoint(state_at(2))
    checkpoint(store, 2).write_bytes(checkpoint(store, 2).read_bytes()[:kept])

    with pytest.raises(CheckpointDamaged, match="round-0002") as refused:
        store.newest_checkpoint()

    assert "delete that file" in refused.value.hint
    checkpoint(store, 2).unlink()
    newest = store.newest_checkpoint()
    assert newest is not None
    assert newest.round == 1


def test_a_checkpoint_of_another_run_is_not_loaded(store: RunStore) -> None:
    store.save_checkpoint(state_at(1))

    with pytest.raises(CheckpointDamaged, match="another run"):
        load_checkpoint(checkpoint(store), "another")


def test_an_interrupted_write_leaves_no_checkpoint(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("server.run_store.os.replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.save_checkpoint(state_at(1))

    assert store.newest_checkpoint() is None


def test_metrics_come_back_and_a_private_rounds_cells_are_empty(store: RunStore) -> None:
    private = replace(METRICS, round=2, loss=math.nan, nrmse=math.nan, mape=math.nan)
    store.add_metrics(METRICS)
    store.add_metrics(private)

    header, _, last = (store.directory / "metrics.csv").read_text(encoding="utf-8").splitlines()
    first, second = store.metrics()

    assert header == "round,loss,nrmse,mape,silos,seconds,bytes_per_silo,clip_norm"
    assert last == "2,,,,4,0.25,1234,3.0"
    assert first == METRICS
    assert math.isnan(second.loss)


def test_a_round_repeated_after_a_resume_counts_once(store: RunStore) -> None:
    store.add_metrics(METRICS)
    store.add_metrics(replace(METRICS, silos=3))

    assert [metrics.silos for metrics in store.metrics()] == [3]


def test_events_are_one_json_object_a_line(store: RunStore) -> None:
    store.event("silo_failed", silo="north", reason='said "no"\nand left')

    line = json.loads((store.directory / "events.jsonl").read_text(encoding="utf-8"))
    assert (line["event"], line["silo"], line["reason"]) == ("silo_failed", "north", 'said "no"\nand left')


def test_run_json_names_settings_and_versions(store: RunStore) -> None:
    description = json.loads((store.directory / "run.json").read_text(encoding="utf-8"))

    assert description["settings"] == settings_in(store.directory).to_run_config()
    assert {"python", "torch", "flwr"} <= set(description["versions"])
    assert description["run_id"] == store.run_id


def test_a_directory_that_holds_a_run_is_left_alone(store: RunStore) -> None:
    before = (store.directory / "run.json").read_bytes()

    with pytest.raises(RunStoreError, match="already holds a run") as refused:
        RunStore.create(settings_in(store.directory))

    assert "--resume" in refused.value.hint
    assert (store.directory / "run.json").read_bytes() == before


def test_resuming_continues_the_same_run(store: RunStore) -> None:
    assert RunStore.create(settings_in(store.directory, resume=True)).run_id == store.run_id


def test_where_the_files_are_and_how_long_to_wait_may_change_on_resume(store: RunStore) -> None:
    moved = settings_in(store.directory, resume=True, silos="/elsewhere.toml", timeout_seconds=5.0)

    assert RunStore.create(moved).run_id == store.run_id


@pytest.mark.parametrize("change", [{"clip_norm": 1.0}, {"strategy": "fedavg"}, {"expected_silos": 9}])
def test_resuming_with_other_settings_is_refused_by_name(store: RunStore, change: dict[str, Any]) -> None:
    settings = RunSettings.model_validate(
        {"out": str(store.directory), "rounds": 5, "resume": True, **change}
    )

    with pytest.raises(RunStoreError, match=next(iter(change)).replace("_", "-")):
        RunStore.create(settings)


@pytest.mark.parametrize(
    "content", [None, "", "[]", "{}", '{"run_id": "r"}', '{"run_id": "r", "settings": 3}']
)
def test_resuming_where_no_run_is_says_so(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "run.json").write_text(content, encoding="utf-8")

    with pytest.raises(RunStoreError, match="holds no run to resume"):
        RunStore.create(settings_in(tmp_path, resume=True))


def test_run_ids_are_hard_to_guess(tmp_path: Path) -> None:
    ids = {RunStore.create(settings_in(tmp_path / str(n))).run_id for n in range(20)}

    assert len(ids) == 20
    assert {len(bytes.fromhex(run_id)) for run_id in ids} == {8}


@pytest.mark.parametrize("content", ["", "{", "3", '{"start": "2024-01-01"}'])
def test_a_damaged_calendar_is_named(tmp_path: Path, content: str) -> None:
    store = RunStore(tmp_path, "run")
    store.first_calendar(Calendar(start=date(2024, 1, 1), weeks=52))
    (tmp_path / "calendar.json").write_text(content, encoding="utf-8")

    with pytest.raises(RunStoreError, match=r"calendar\.json is damaged; the run was not resumed"):
        store.first_calendar(None)
