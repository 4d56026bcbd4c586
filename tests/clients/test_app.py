"""What a whole run lets out of its silos, and what a silo says when something goes wrong inside it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Message, RecordDict

from privacy.distributed_noise import read_sum
from privacy.masks.secure_aggregation import UnmaskReply
from privacy.run_releases import RunReleases
from privacy.update_messages import PlainUpdate, unpack_integers
from privacy.wire import (
    CONTRIBUTE,
    HELLO,
    JOIN,
    MESSAGES_OF_A_SILO,
    RECORD,
    SILO_FAILED,
    SILO_REFUSED,
    START,
    UNMASK,
    Acknowledgement,
    KeyRosterMessage,
    SumRequest,
    from_record,
    to_record,
)
from server.app import app as server_app
from server.errors import RoundAborted
from simulations.in_process_grid import InProcessGrid, run_on_grid
from simulations.scenario import UNIT_COLUMN
from tests.clients.silo_visits import visit
from tests.small_federation import (
    FIRST_NODE,
    barely_private,
    data_file,
    grid_of,
    private,
    settings_for,
    sharing_noise,
)

Files = tuple[Path, ...]
SECRET = "Jane-Doe-4711"


class SpyingGrid(InProcessGrid):
    """Keeps every reply."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.replies: list[Message] = []

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        replies = super().send_and_receive(messages, timeout=timeout)
        self.replies += replies
        return replies


def spied_run(generous_silo_files: Files, out: Path, **settings: Any) -> SpyingGrid:
    grid = grid_of(generous_silo_files, settings_for(out, **settings), kind=SpyingGrid)
    assert isinstance(grid, SpyingGrid)
    run_on_grid(server_app, grid)
    return grid


@pytest.mark.parametrize(
    "settings, update, sums",
    [
        ({"strategy": "fedadam"}, "MaskedUpdateMessage", 3),  # scales, one round and the report
        ({"strategy": "fedadam", "secure_aggregation": "none"}, "PlainUpdate", 3),
        ({}, "MaskedUpdateMessage", 6),  # and curvature three times
        (barely_private(), "MaskedUpdateMessage", 4),  # and a draft
        (sharing_noise(), "MaskedUpdateMessage", 7),  # a draft and curvature three times
    ],
    ids=["masks", "clear", "newton", "private", "shared noise"],
)
def test_only_listed_messages_leave_a_silo(
    generous_silo_files: Files, tmp_path: Path, settings: dict[str, Any], update: str, sums: int
) -> None:
    grid = spied_run(generous_silo_files, tmp_path / "run", rounds=1, **settings)

    masked = update == "MaskedUpdateMessage"
    known = {kind.__name__: kind for kind in MESSAGES_OF_A_SILO}
    seen: dict[str, int] = {}
    for reply in grid.replies:
        assert not reply.has_error()
        assert set(reply.content) == {RECORD}
        kind = str(reply.content.config_records[RECORD]["kind"])
        from_record(reply.content, known[kind])  # exactly the fields of that message
        seen[kind] = seen.get(kind, 0) + 1
    expected = {"Introduction": 4, "Acknowledgement": 4 if masked else 8, update: 4 * sums}
    assert seen == {**expected, **({"KeyAdvert": 4, "UnmaskReply": 4 * sums} if masked else {})}


def test_a_masked_run_shows_the_coordinator_noise_only(generous_silo_files: Files, tmp_path: Path) -> None:
    """The same vectors in clear are mostly zeros and small counts; masked, their words are uniform."""
    grid = spied_run(generous_silo_files, tmp_path / "run", rounds=1)

    words = np.concatenate(
        [
            unpack_integers(reply.content.config_records[RECORD]["masked"])  # type: ignore[arg-type]
            for reply in grid.replies
            if "masked" in reply.content.config_records[RECORD]
        ]
    )
    assert len(set(words.tolist())) == len(words)
    assert np.mean(words >= 2**63) == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(len(words)))


def test_in_a_private_run_without_masks_every_number_in_clear_is_noised(
    generous_silo_files: Files, tmp_path: Path
) -> None:
    grid = spied_run(
        generous_silo_files, tmp_path / "run", rounds=1, secure_aggregation="none", **barely_private()
    )

    vectors = [
        unpack_integers(from_record(reply.content, PlainUpdate).vector)
        for reply in grid.replies
        if reply.content.config_records[RECORD]["kind"] == "PlainUpdate"
    ]
    plan = visit(generous_silo_files[0], rounds=1, **barely_private()).plan
    scales = RunReleases(plan.privacy).scales(
        plan.model.scale_quantities, plan.model.scales_sum(private=True).length
    )
    assert len(vectors) == 16
    for vector in vectors[:4]:
        counts = read_sum(vector, scales)
        whole = np.abs(counts - np.round(counts)) < scales.blocks[0].step(scales.shares) / 2
        assert np.count_nonzero(whole) <= 2  # of hundreds, most of them empty; noise may be whole by chance
    for vector in vectors[4:]:
        whole = np.mod(vector, np.uint64(2**28)) == 0  # an exact zero has no fraction, nor has an exact count
        assert np.all(vector[whole] == 2**28)  # but for a noised number of units that was raised to one


def insert(table: Path, column: str, value: str) -> None:
    header, first, *rest = table.read_text(encoding="utf-8").splitlines()
    cells = first.split(",")
    cells[header.split(",").index(column)] = value
    table.write_text("\n".join([header, ",".join(cells), *rest]) + "\n", encoding="utf-8")


def run_with_secret(generous_silo_files: Files, out: Path, **settings: Any) -> Iterator[str]:
    """Everything the coordinator gets to see of a run in which one silo's data are bad: replies and files."""
    grid = grid_of(generous_silo_files, settings_for(out, rounds=1, **settings), kind=SpyingGrid)
    assert isinstance(grid, SpyingGrid)
    try:
        run_on_grid(server_app, grid)
    except RoundAborted as error:
        yield str(error) + error.hint
    for reply in grid.replies:
        yield str(reply.error.reason) if reply.has_error() else str(reply.content)
    for file in out.rglob("*"):
        if file.is_file():
            yield file.read_text(encoding="utf-8")


@pytest.mark.parametrize("column", ["tv_spend", "sales", "week", "population"])
@pytest.mark.parametrize(
    "settings",
    [{}, barely_private(secure_aggregation="none"), sharing_noise()],
    ids=["plain", "private", "shared noise"],
)
def test_a_bad_cell_is_refused_without_telling_the_cell(
    generous_silo_files: Files, tmp_path: Path, column: str, settings: dict[str, Any]
) -> None:
    names = data_file(generous_silo_files[1]).read_text(encoding="utf-8").splitlines()[0].split(",")
    assert column in names
    insert(data_file(generous_silo_files[1]), column, SECRET)

    told = list(run_with_secret(generous_silo_files, tmp_path / "run", **settings))

    assert any("PanelInvalid" in text and column in text for text in told)
    assert not [text for text in told if SECRET in text]


def test_a_store_named_twice_is_not_named_to_the_coordinator(
    generous_silo_files: Files, tmp_path: Path
) -> None:
    table = data_file(generous_silo_files[1])
    text = table.read_text(encoding="utf-8")
    row = text.splitlines()[1]
    unit = row.split(",")[text.splitlines()[0].split(",").index(UNIT_COLUMN)]
    table.write_text((text + row + "\n").replace(unit, SECRET), encoding="utf-8")

    told = list(run_with_secret(generous_silo_files, tmp_path / "run"))

    assert any("PanelInvalid" in text for text in told)
    assert not [text for text in told if SECRET in text]


def test_an_unexpected_failure_tells_its_kind_and_not_its_text(
    generous_silo_files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError(f"row 3: {SECRET}")

    monkeypatch.setattr("clients.answer_sum.read_silo_data", fails)

    told = list(run_with_secret(generous_silo_files, tmp_path / "run"))

    assert any("RuntimeError (its text stays in the silo)" in text for text in told)
    assert not [text for text in told if SECRET in text]


def say(grid: InProcessGrid, kind: str, content: RecordDict) -> Message:
    """One message to the first silo."""
    return next(iter(grid.send_and_receive([Message(content, FIRST_NODE, kind)])))


REQUEST = SumRequest("run", 1, "scales", (), 3, 28, 8.0, b"i" * 32)


@pytest.mark.parametrize(
    "kind, body, why",
    [
        (START, KeyRosterMessage.without_masks("run"), "OutOfOrder"),
        (CONTRIBUTE, REQUEST, "OutOfOrder"),
        (CONTRIBUTE, Acknowledgement("x"), "MalformedMessage"),
        (UNMASK, UnmaskReply("a", b"", b"", b""), "OutOfOrder"),
    ],
)
def test_a_message_out_of_turn_is_refused_by_name(
    generous_silo_files: Files, tmp_path: Path, kind: str, body: Any, why: str
) -> None:
    reply = say(grid_of(generous_silo_files, settings_for(tmp_path / "run")), kind, to_record(body))

    assert reply.error.code == SILO_REFUSED
    assert reply.error.reason is not None
    assert reply.error.reason.startswith(f"{why}: ")


def test_a_private_sum_before_the_charge_is_refused(silo_files: Files, tmp_path: Path) -> None:
    """Invited, but never started: nothing was charged, so nothing may be answered."""
    visited = visit(silo_files[0], **private())
    grid = grid_of(silo_files, settings_for(tmp_path / "run"))
    joined = say(grid, JOIN, to_record(visited.invitation))

    reply = say(grid, CONTRIBUTE, to_record(visited.scales_request()))

    assert not joined.has_error()
    assert reply.has_error()
    assert "before the run was started" in str(reply.error.reason)
    assert visited.home.ledger.summary().charges == ()


def test_a_silo_that_says_hello_needs_no_data(generous_silo_files: Files, tmp_path: Path) -> None:
    data_file(generous_silo_files[0]).unlink()

    reply = say(grid_of(generous_silo_files, settings_for(tmp_path / "run")), HELLO, RecordDict())

    assert not reply.has_error()


def test_a_silo_file_that_went_missing_is_told_with_a_hint(
    generous_silo_files: Files, tmp_path: Path
) -> None:
    grid = grid_of(generous_silo_files, settings_for(tmp_path / "run"))
    generous_silo_files[0].unlink()

    reply = say(grid, HELLO, RecordDict())

    assert reply.error.code == SILO_REFUSED
    assert reply.error.reason is not None
    assert reply.error.reason.splitlines()[-1] == "check the path"
    assert str(generous_silo_files[0].parent) not in reply.error.reason


def test_refusal_and_failure_have_codes_of_their_own() -> None:
    assert {SILO_REFUSED, SILO_FAILED} == {1001, 1002}  # Flower's own end below 1000
