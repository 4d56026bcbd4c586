"""Two services on one database: a query that another one overtook runs again, unseen; and order tells nothing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from cleanroom.errors import QueryFailed
from cleanroom.replay.throwaway_room import RoomImage, Site, ThrowawayRoom, build_image
from cleanroom.rules.analysis_rule import RuleDocument
from cleanroom.service import query_desk
from cleanroom.service.query_desk import Answer, QueryDesk
from cleanroom.service.question_reading import Ask
from cleanroom.worker.job import Job, Outcome, SealedState
from cleanroom.worker.run_job import USUAL_LIMITS
from privacy.enclave.isolation import Isolation
from privacy.enclave.measurement import Measurement
from tests.cleanroom.room.stored_state import chained

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
BY_REGION = "SELECT region, COUNT(DISTINCT person) AS people FROM crm GROUP BY region"
TIED = f"{BY_REGION} ORDER BY people LIMIT 3"
EACH = 60  # people in every region
REGIONS = ("east", "north", "south", "west")


@dataclass
class OvertakenExecutor:
    """During each of the first `times` jobs another query is released before the job's own state is prepared."""

    inner: ThrowawayRoom
    overtake: Callable[[], object]
    times: int

    @property
    def measurement(self) -> Measurement:
        return self.inner.executor.measurement

    @property
    def root(self) -> bytes:
        return self.inner.executor.root

    @property
    def isolation(self) -> Isolation:
        return self.inner.executor.isolation

    def require_present(self, collaboration: str, owners: Sequence[str]) -> None:
        self.inner.executor.require_present(collaboration, owners)

    def execute(self, job: Job, prepared: Callable[[SealedState], None]) -> Outcome:
        def overtaken(state: SealedState) -> None:
            if self.times:
                self.times -= 1
                self.overtake()
            prepared(state)

        return self.inner.executor.execute(job, overtaken)

    def close(self) -> None:
        """Nothing runs on."""


def image(folder: Path, name: str, order: list[int]) -> RoomImage:
    columns = {"person": {"role": "identity"}, "region": {"role": "dimension"}}
    documents = {"crm": RuleDocument.of({"dataset": "crm", "columns": columns})}
    people = {
        "person": [f"person-{number}" for number in order],
        "region": [REGIONS[number % len(REGIONS)] for number in order],
    }
    return build_image(Site.at(folder, USUAL_LIMITS), name, documents, {"crm": pa.table(people)})


@pytest.fixture
def room(tmp_path: Path) -> Iterator[ThrowawayRoom]:
    opened = image(tmp_path, "room", list(range(EACH * len(REGIONS)))).open_copy("copy")
    yield opened
    opened.close()


def overtaken(room: ThrowawayRoom, times: int) -> QueryDesk:
    """The desk of another service on the same database, which is always a little slower."""

    def overtake() -> Answer:
        return room.desk.ask(room.analyst, room.collaboration, Ask(BY_REGION), now=NOW)

    return QueryDesk(room.room, room._image.site.vault, OvertakenExecutor(room, overtake, times))


def states(room: ThrowawayRoom) -> list[str]:
    return sorted(query.state for query in room.room.queries.list(room.analyst, room.collaboration))


def test_a_query_that_was_overtaken_runs_again_on_the_newer_history(room: ThrowawayRoom) -> None:
    answer = overtaken(room, 3).ask(room.analyst, room.collaboration, Ask(BY_REGION), now=NOW)

    assert answer.release["body"]["result"]["rows"] == [[region, EACH] for region in REGIONS]
    assert states(room) == ["released"] * 4  # three came first; it was charged once
    queries = room.room.queries.list(room.analyst, room.collaboration)
    releases = [
        dict(room.room.queries.release(room.analyst, room.collaboration, query.id).release)
        for query in queries
    ]
    assert chained(releases)[-1] == answer.release["body"]["history"]["after"]


def test_one_that_is_overtaken_again_and_again_fails_and_says_nothing_of_states(
    room: ThrowawayRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_desk, "MOST_ATTEMPTS", 3)
    with pytest.raises(QueryFailed, match="other queries kept coming first; nothing was released"):
        overtaken(room, 3).ask(room.analyst, room.collaboration, Ask(BY_REGION), now=NOW)
    assert states(room) == ["failed", *["released"] * 3]


def test_which_of_equals_a_limit_keeps_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    forwards = list(range(EACH * len(REGIONS)))
    kept = []
    for name, order in (("forwards", forwards), ("backwards", forwards[::-1])):
        (tmp_path / name).mkdir()
        room = image(tmp_path / name, name, order).open_copy("copy")
        answer = room.desk.ask(room.analyst, room.collaboration, Ask(TIED), now=NOW)
        kept.append(answer.release["body"]["result"]["rows"])
        room.close()

    assert kept[0] == kept[1] == [[region, EACH] for region in REGIONS[:3]]
