"""Every query of a corpus in its room, and what it came to, beside what was expected."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from cleanroom.errors import BudgetSpent, NotFound, QueryFailed, QueryRefused, Reason, RoomError
from cleanroom.release.release_terms import Cell
from cleanroom.replay.corpus import CorpusQuery, Outcome
from cleanroom.replay.parties import utc_now
from cleanroom.replay.partner_tables import attackers_list, read_tables, target_of
from cleanroom.replay.throwaway_room import RoomImage, Site, ThrowawayRoom, build_image
from cleanroom.rules.analysis_rule import Mode, RuleDocument
from cleanroom.service.query_desk import Answer
from cleanroom.service.question_reading import Ask
from cleanroom.worker.run_job import WorkerLimits

ATTACKERS_EXTRA = 5


@dataclass(frozen=True)
class Replayed:
    """What one query came to. `withheld`: how many numbers were held back; told to the tables' owner only."""

    id: str
    expected: Outcome
    verdict: Outcome
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    withheld: int = 0
    reasons: tuple[str, ...] = ()

    @property
    def as_expected(self) -> bool:
        """Whether it came to what was expected."""
        return self.verdict is self.expected

    def to_plain(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "id": self.id,
            "expected": self.expected.value,
            "verdict": self.verdict.value,
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "withheld": self.withheld,
            "reasons": list(self.reasons),
        }


@dataclass
class _Rooms:
    """Images by what makes them differ, and the room in which each query was asked."""

    site: Site
    documents: Mapping[str, RuleDocument]
    tables: Mapping[str, pa.Table]
    images: dict[tuple[Mode | None, bool], RoomImage] = field(default_factory=dict)
    asked_in: dict[str, ThrowawayRoom] = field(default_factory=dict)

    def image(self, mode: Mode | None, *, spent: bool) -> RoomImage:
        """The image under the rules in this mode; `spent`: with no budget left."""
        if (mode, spent) not in self.images:
            documents = {
                name: _changed(document, mode, spent=spent) for name, document in self.documents.items()
            }
            name = f"{mode or 'own'}-{'spent' if spent else 'full'}"
            self.images[mode, spent] = build_image(self.site, name, documents, self.tables)
        return self.images[mode, spent]

    def close(self) -> None:
        for room in {id(room): room for room in self.asked_in.values()}.values():
            room.close()


def replay(
    corpus: Sequence[CorpusQuery],
    folder: Path,
    documents: Mapping[str, RuleDocument],
    *,
    limits: WorkerLimits,
    progress: Callable[[Replayed], None] = lambda replayed: None,
) -> tuple[Replayed, ...]:
    """Run every query in its room: a fresh one, or that of the query it comes after. Raises CorpusInvalid."""
    tables = read_tables(folder, documents)
    target = target_of(tables, documents)
    results = []
    with tempfile.TemporaryDirectory(prefix="mixroom-replay-") as scratch:
        rooms = _Rooms(Site.at(Path(scratch), limits), documents, tables)
        try:
            for number, query in enumerate(corpus):
                results.append(_ask(query, query.sql.replace("{TARGET}", target), rooms, number))
                progress(results[-1])
        finally:
            rooms.close()
    return tuple(results)


def _ask(query: CorpusQuery, sql: str, rooms: _Rooms, number: int) -> Replayed:
    spent = "remaining epsilon = 0" in query.fixture
    if query.after:
        room = rooms.asked_in[query.after]
    else:
        room = rooms.image(query.mode, spent=spent).open_copy(f"room-{number}")
    rooms.asked_in[query.id] = room
    if "re-uploads crm" in query.fixture:
        _before_the_upload(sql, rooms, room)
    try:
        answer, withheld = _repeated(room, sql, query.repeat)
    except (QueryRefused, BudgetSpent, NotFound) as error:
        return Replayed(query.id, query.expected, Outcome.REFUSED, reasons=_told(error))
    except QueryFailed as error:  # it ran, and nothing came out
        return Replayed(query.id, query.expected, Outcome.SUPPRESSED, reasons=_told(error))
    body = answer.release["body"]
    noised = body["protection"]["mode"] == Mode.DP
    verdict = Outcome.NOISED if noised else Outcome.SUPPRESSED if withheld else Outcome.ALLOWED
    return Replayed(
        query.id,
        query.expected,
        verdict,
        tuple(column["name"] for column in body["result"]["columns"]),
        tuple(tuple(row) for row in body["result"]["rows"]),
        0 if noised else withheld,
        tuple(_codes(room)),
    )


def _before_the_upload(sql: str, rooms: _Rooms, room: ThrowawayRoom) -> None:
    """The crm owner's own list is asked for once; then the table comes again with one person missing."""
    if "crm" not in rooms.documents:
        return
    document = rooms.documents["crm"]
    size = document.rule.min_group_size + ATTACKERS_EXTRA
    first = attackers_list(sql, rooms.tables, document, size)
    second = attackers_list(sql, rooms.tables, document, size - 1)
    if first is None or second is None:
        return
    room.upload("crm", first)
    _repeated(room, sql, 1)
    room.upload("crm", second)


def _repeated(room: ThrowawayRoom, sql: str, times: int) -> tuple[Answer, int]:
    """The last answer of so many, and the most that was withheld from any. Stops early when the budget is spent."""
    worst = 0
    answer: Answer | None = None
    for _ in range(times):
        try:
            answer = room.desk.ask(room.analyst, room.collaboration, Ask(sql), now=utc_now())
        except BudgetSpent:
            if answer is None:
                raise
            break
        if room.executor.last is not None:
            worst = max(worst, _withheld(room))
    assert answer is not None
    return answer, worst


def _withheld(room: ThrowawayRoom) -> int:
    """Numbers that were asked for and not released; a release without any cell held back at least one."""
    last = room.executor.last
    assert last is not None
    empty = sum(not any(_shown(cell) for cell in cells) for cells in last.cells)
    return max(len(last.withheld), empty)


def _shown(cell: Cell) -> bool:
    return any(value is not None for value in cell.values)


def _codes(room: ThrowawayRoom) -> list[str]:
    last = room.executor.last
    return sorted(set(last.withheld)) if last is not None else []


def _told(error: RoomError) -> tuple[str, ...]:
    reasons = error.reasons or (Reason(error.code, str(error), error.hint),)
    return tuple(f"{reason.code}: {reason.message}" for reason in reasons)


def _changed(document: RuleDocument, mode: Mode | None, *, spent: bool) -> RuleDocument:
    rule = document.rule
    if mode is not None:
        rule = rule.model_copy(update={"privacy": mode})
    if spent:
        rule = rule.model_copy(update={"dp": rule.dp_terms.model_copy(update={"epsilon_budget": 0.0})})
    return document.model_copy(update={"rule": rule})
