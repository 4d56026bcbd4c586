"""Sums that are asked for once: noted before, kept whole after, and nothing changed or foreign is taken for one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from privacy.quantization import FixedPoint
from privacy.wire import SumRequest
from server.errors import CheckpointDamaged
from server.silo_exchange import SiloSum
from server.sum_store import SumStore

REQUEST = SumRequest("run", 3, "round", (b"\x00" * 8,), 4, 28, 2.0**28, b"i" * 32)
INTEGERS = np.array([0, 1, 2**63, 2**64 - 1], dtype=np.uint64)
ANSWER = SiloSum(INTEGERS, FixedPoint(28, 2.0**28), ("north", "south"), (), 1234, 0.25)


@pytest.fixture
def store(tmp_path: Path) -> SumStore:
    return SumStore(tmp_path / "sums")


def file_of(store: SumStore) -> Path:
    return store.directory / "sum-0003.json"


def test_nothing_was_asked_at_first(store: SumStore) -> None:
    assert not store.was_asked(REQUEST)
    assert store.load(REQUEST) is None


def test_a_question_is_noted_without_an_answer(store: SumStore) -> None:
    store.note_asked(REQUEST)

    assert store.was_asked(REQUEST)
    assert store.load(REQUEST) is None
    assert not store.was_asked(replace(REQUEST, round=4))


def test_an_answer_comes_back_bit_by_bit(store: SumStore) -> None:
    store.note_asked(REQUEST)
    store.save(REQUEST, ANSWER)

    loaded = store.load(REQUEST)

    assert loaded is not None
    assert loaded.integers.tolist() == INTEGERS.tolist()
    assert loaded.total.tolist() == ANSWER.total.tolist()
    assert (loaded.silos, loaded.bytes_sent, loaded.seconds) == (("north", "south"), 1234, 0.25)


@pytest.mark.parametrize("answered", [False, True])
def test_another_question_under_the_number_is_no_answer(store: SumStore, answered: bool) -> None:
    """Silos would refuse it; the sum kept is about another model."""
    store.note_asked(REQUEST)
    if answered:
        store.save(REQUEST, ANSWER)

    with pytest.raises(CheckpointDamaged, match="answers another question"):
        store.load(replace(REQUEST, values=(b"\x01" * 8,)))


def test_one_changed_byte_anywhere_is_never_taken_for_the_answer(store: SumStore) -> None:
    """Whatever is loaded is the answer; a question that has become unreadable is refused too."""
    store.note_asked(REQUEST)
    store.save(REQUEST, ANSWER)
    content = file_of(store).read_bytes()

    for place in (place for place, byte in enumerate(content) if byte not in b" \n"):
        file_of(store).write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            loaded = store.load(REQUEST)
        except CheckpointDamaged:
            loaded = None
        assert loaded is None, f"byte {place}"  # read as a question without an answer it is lost, not wrong


@pytest.mark.parametrize("kept", [0, 1, 50, -10])
def test_a_truncated_file_is_refused(store: SumStore, kept: int) -> None:
    store.note_asked(REQUEST)
    store.save(REQUEST, ANSWER)
    file_of(store).write_bytes(file_of(store).read_bytes()[:kept])

    with pytest.raises(CheckpointDamaged, match="it was not used") as refused:
        store.load(REQUEST)

    assert "silos do not answer this sum again" in refused.value.hint


@pytest.mark.parametrize("content", ["[]", "3", "{}", '{"request": 3}'])
def test_a_file_that_is_something_else_is_refused(store: SumStore, content: str) -> None:
    store.note_asked(REQUEST)
    file_of(store).write_text(content, encoding="utf-8")

    with pytest.raises(CheckpointDamaged):
        store.load(REQUEST)


def test_an_interrupted_write_leaves_the_question(store: SumStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    store.note_asked(REQUEST)
    with monkeypatch.context() as patch:
        patch.setattr("server.run_store.os.replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.save(REQUEST, ANSWER)

    assert store.was_asked(REQUEST)
    assert store.load(REQUEST) is None


def test_a_file_holds_the_sum_and_no_silos_own_numbers(store: SumStore) -> None:
    store.note_asked(REQUEST)
    store.save(REQUEST, ANSWER)

    kept = json.loads(file_of(store).read_text(encoding="utf-8"))
    assert set(kept) == {"request", "integers", "silos", "bytes_sent", "seconds", "sha256"}
