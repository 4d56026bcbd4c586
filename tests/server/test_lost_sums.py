"""Runs whose sums are answered once: killed at any moment they go on with what was kept and without what was not.

Three rounds of Newton's method under shared noise: sum 1 is the scales, 2, 5 and 6 curvature, 3, 4 and 7 the
rounds, 8 the draft and 9 the report.
"""

import json
from pathlib import Path

import pytest

from mmm_models.reporting.result_files import read_results
from privacy.sum_schedule import Purpose, sum_schedule
from privacy.wire import CONTRIBUTE, SumRequest
from server.errors import CheckpointDamaged, RoundAborted, SumLost
from server.run_store import RunStore
from server.settings import RunSettings
from server.silo_exchange import SiloSum
from server.sum_store import SumStore
from simulations.in_process_grid import Delivery, Loss
from tests.small_federation import (
    FIRST_NODE,
    final_parameters,
    fresh_silos,
    generous,
    settings_for,
    sharing_noise,
    train,
    with_known_noise,
)

Files = tuple[Path, ...]
ROUNDS = 3
SCHEDULE = sum_schedule(ROUNDS, 3, private=True)


class Killed(KeyboardInterrupt):
    """The coordinator's process ends at a known moment."""


def settings_of(out: Path) -> RunSettings:
    return settings_for(out, run_id="once", **sharing_noise(rounds=ROUNDS))


def resumed(settings: RunSettings) -> RunSettings:
    return settings.model_copy(update={"resume": True})


def killed(silo_files: Files, settings: RunSettings, number: int, *, stored: bool) -> None:
    """A run that ends after sum `number` was answered, before or after its answer was stored."""
    save = SumStore.save

    def then_end(store: SumStore, request: SumRequest, answer: SiloSum) -> None:
        if request.round != number or stored:
            save(store, request, answer)
        if request.round == number:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SumStore, "save", then_end)
        with pytest.raises(Killed):
            train(silo_files, settings)


def answered(silo_file: Path) -> list[int]:
    """Numbers of the sums that a silo answered, from its own record."""
    (record,) = (silo_file.parent / ".mixroom").glob(f"{silo_file.stem}/*/runs/*/answered.jsonl")
    numbers = [json.loads(line)["number"] for line in record.read_text(encoding="utf-8").splitlines()]
    return numbers[1:]  # after the terms


def lost_sums(settings: RunSettings) -> list[tuple[int, str]]:
    lines = (settings.directory / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    return [(event["sum"], event["purpose"]) for event in events if event["event"] == "sum_lost"]


def rounds_told(settings: RunSettings) -> list[int]:
    return [metrics.round for metrics in RunStore.create(resumed(settings)).metrics()]


@pytest.fixture(scope="module")
def undisturbed(_written_world: Path, tmp_path_factory: pytest.TempPathFactory) -> RunSettings:
    """A whole run over silos whose noise keys are known: others with these keys draw the same noise."""
    directory = tmp_path_factory.mktemp("undisturbed")
    silo_files = generous(fresh_silos(_written_world, directory / "world"))
    with_known_noise(silo_files)
    settings = settings_of(directory / "whole")
    train(silo_files, settings)
    return settings


@pytest.mark.parametrize("number", [1, 2, 3, 7, 8, 9], ids=lambda n: f"{n} {SCHEDULE[n - 1]}")
def test_a_run_killed_after_its_sum_was_stored_ends_as_if_undisturbed(
    generous_silo_files: Files, undisturbed: RunSettings, tmp_path: Path, number: int
) -> None:
    """Resumed, it asks nobody for what it has."""
    with_known_noise(generous_silo_files)
    settings = settings_of(tmp_path / "run")

    killed(generous_silo_files, settings, number, stored=True)
    train(generous_silo_files, resumed(settings))

    assert final_parameters(settings) == final_parameters(undisturbed)
    assert read_results(settings.directory) == read_results(undisturbed.directory)
    assert answered(generous_silo_files[0]) == list(range(1, len(SCHEDULE) + 1))
    assert lost_sums(settings) == []


def test_other_noise_keys_end_elsewhere(
    generous_silo_files: Files, undisturbed: RunSettings, tmp_path: Path
) -> None:
    """The control: that two runs are equal says something."""
    settings = settings_of(tmp_path / "run")
    train(generous_silo_files, settings)

    assert not set(final_parameters(settings)) & set(final_parameters(undisturbed))


@pytest.mark.parametrize("number", [2, 3, 6, 7], ids=lambda n: f"{n} {SCHEDULE[n - 1]}")
def test_a_sum_lost_between_answer_and_disk_is_left_out_and_the_run_ends(
    generous_silo_files: Files, tmp_path: Path, number: int
) -> None:
    settings = settings_of(tmp_path / "run")
    killed(generous_silo_files, settings, number, stored=False)

    results = train(generous_silo_files, resumed(settings))

    purpose = SCHEDULE[number - 1]
    lost = {3: 1, 4: 2, 7: 3}.get(number)
    assert lost_sums(settings) == [(number, purpose.value)]
    assert rounds_told(settings) == [n for n in (1, 2, 3) if n != lost]
    assert results.outcome > 0
    assert answered(generous_silo_files[0]) == list(
        range(1, len(SCHEDULE) + 1)
    )  # each once, the lost one too


@pytest.mark.parametrize("number", [1, 8, 9], ids=lambda n: f"{n} {SCHEDULE[n - 1]}")
def test_what_a_run_cannot_do_without_ends_it_in_words(
    generous_silo_files: Files, tmp_path: Path, number: int
) -> None:
    settings = settings_of(tmp_path / "run")
    killed(generous_silo_files, settings, number, stored=False)

    for _ in range(2):  # and again: it does not get better by trying
        with pytest.raises(
            SumLost, match=f"the {SCHEDULE[number - 1]} sum was asked for before and lost"
        ) as lost:
            train(generous_silo_files, resumed(settings))
        assert lost.value.hint == "start a new run; what this one was charged stays charged"
    assert answered(generous_silo_files[0]) == list(range(1, number + 1))


def test_a_round_that_too_few_answered_is_lost_to_those_who_did(
    generous_silo_files: Files, tmp_path: Path
) -> None:
    """Sum 4 reaches two of four silos. Resumed, nobody is asked for it again, be it only half answered."""
    settings = settings_of(tmp_path / "run")
    lost = {Delivery(node, CONTRIBUTE, occurrence=4): Loss.MESSAGE for node in (FIRST_NODE, FIRST_NODE + 1)}
    with pytest.raises(RoundAborted, match="only 2 of 4 silos answered"):
        train(generous_silo_files, settings, dropouts=lost)

    train(generous_silo_files, resumed(settings))

    assert lost_sums(settings) == [(4, "round")]
    assert answered(generous_silo_files[0]) == [1, 2, 3, 5, 6, 7, 8, 9]
    assert answered(generous_silo_files[2]) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_a_kept_sum_that_was_damaged_is_refused_and_not_asked_for_again(
    generous_silo_files: Files, tmp_path: Path
) -> None:
    settings = settings_of(tmp_path / "run")
    killed(generous_silo_files, settings, 3, stored=True)
    kept = settings.directory / "sums" / "sum-0003.json"
    kept.write_bytes(kept.read_bytes()[:-40])

    with pytest.raises(CheckpointDamaged, match="sum-0003"):
        train(generous_silo_files, resumed(settings))

    assert answered(generous_silo_files[0]) == [1, 2, 3]


def test_deleting_what_was_asked_does_not_bring_the_answer_back(
    generous_silo_files: Files, tmp_path: Path
) -> None:
    """A coordinator that forgets on purpose: the silos do not."""
    settings = settings_of(tmp_path / "run")
    killed(generous_silo_files, settings, 3, stored=True)
    (settings.directory / "sums" / "sum-0003.json").unlink()

    with pytest.raises(RoundAborted, match="already answered sum 3 of this run"):
        train(generous_silo_files, resumed(settings))

    assert answered(generous_silo_files[0]) == [1, 2, 3]


def test_where_each_silo_adds_all_the_noise_sums_are_asked_for_again(
    generous_silo_files: Files, tmp_path: Path
) -> None:
    """The same noise on the same sum gives nothing away, so nothing is lost and nothing kept."""
    settings = settings_for(
        tmp_path / "run", **sharing_noise(rounds=ROUNDS, privacy="local", strategy="newton")
    )
    lost = {Delivery(FIRST_NODE + place, CONTRIBUTE, occurrence=4): Loss.REPLY for place in range(4)}
    with pytest.raises(RoundAborted):
        train(generous_silo_files, settings, dropouts=lost)

    train(generous_silo_files, resumed(settings))

    assert rounds_told(settings) == [1, 2, 3]
    assert lost_sums(settings) == []
    assert not (settings.directory / "sums").exists()


def test_the_schedule_is_as_the_numbers_above_say() -> None:
    assert [SCHEDULE[n - 1] for n in (1, 8, 9)] == [Purpose.SCALES, Purpose.DRAFT, Purpose.REPORT]
    assert [n for n, purpose in enumerate(SCHEDULE, 1) if purpose is Purpose.ROUND] == [3, 4, 7]
