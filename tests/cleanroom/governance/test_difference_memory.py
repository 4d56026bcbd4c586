"""What workers remember: prepared before owners commit to it, in force with its release, never lost in between."""

from __future__ import annotations

import pytest

from cleanroom.errors import Conflict, StateMoved
from cleanroom.governance.difference_memory import PreparedState
from cleanroom.governance.queries import Queries
from cleanroom.governance.query_views import FinishedQuery, QueryState
from cleanroom.rules.analysis_rule import Mode
from tests.cleanroom.governance.example_room import NOON, ExampleRoom, later


@pytest.fixture
def asking(room: ExampleRoom) -> ExampleRoom:
    """With one dataset."""
    room.put_rules("adv", "visits")
    return room


def begun(room: ExampleRoom) -> str:
    """A charged threshold query."""
    return room.governance.queries.begin(room.query("visits", mode=Mode.THRESHOLD), now=NOON).query.id


def prepare(room: ExampleRoom, query_id: str, base: str | None, name: str) -> None:
    """As a worker does that has seen the memory as it is."""
    queries = room.governance.queries
    state = PreparedState(base, name, name.encode())
    queries.prepare(query_id, state, queries.state(room.collaboration))


def remembered(room: ExampleRoom) -> tuple[tuple[str, bytes], ...]:
    return room.governance.queries.state(room.collaboration).candidates


def finish(queries: Queries, query_id: str, name: str) -> None:
    queries.finish(FinishedQuery(query_id, {"cells": [1]}, name), now=later(seconds=1))


def test_a_state_is_kept_before_its_release_and_in_force_with_it(asking: ExampleRoom) -> None:
    queries, query_id = asking.governance.queries, begun(asking)
    assert remembered(asking) == ()
    prepare(asking, query_id, None, "one")
    assert remembered(asking) == (("one", b"one"),)
    finish(queries, query_id, "one")
    stored = queries.release(asking.principals["adv"], asking.collaboration, query_id)
    assert (stored.release, stored.released) == ({"cells": [1]}, later(seconds=1))

    second = begun(asking)
    prepare(asking, second, "one", "two")
    assert remembered(asking) == (("one", b"one"), ("two", b"two"))
    finish(queries, second, "two")
    assert remembered(asking) == (("two", b"two"),)


def test_a_state_whose_release_never_came_stays_for_who_builds_on_it(asking: ExampleRoom) -> None:
    """An owner may have committed to it before the process died."""
    died = begun(asking)
    prepare(asking, died, None, "one")
    asking.governance.recover(now=NOON)
    following = begun(asking)
    prepare(asking, following, "one", "two")
    assert remembered(asking) == (("one", b"one"), ("two", b"two"))
    finish(asking.governance.queries, following, "two")
    assert remembered(asking) == (("two", b"two"),)


def test_of_two_queries_that_saw_the_same_states_the_second_runs_again(asking: ExampleRoom) -> None:
    queries = asking.governance.queries
    one, two = begun(asking), begun(asking)
    seen = queries.state(asking.collaboration)
    queries.prepare(one, PreparedState(None, "one", b"one"), seen)
    with pytest.raises(StateMoved):
        queries.prepare(two, PreparedState(None, "two", b"two"), seen)
    finish(queries, one, "one")
    with pytest.raises(StateMoved):
        queries.prepare(two, PreparedState(None, "two", b"two"), seen)
    view = queries.view(asking.principals["adv"], asking.collaboration, two)
    assert view.state is QueryState.CHARGED
    prepare(asking, two, "one", "two")
    finish(queries, two, "two")
    assert remembered(asking) == (("two", b"two"),)


def test_a_state_made_from_one_that_is_not_there_is_not_kept(asking: ExampleRoom) -> None:
    query_id = begun(asking)
    prepare(asking, query_id, None, "one")
    finish(asking.governance.queries, query_id, "one")
    for base in (None, "another"):
        with pytest.raises(StateMoved):
            prepare(asking, begun(asking), base, "two")
    assert remembered(asking) == (("one", b"one"),)


def test_a_release_whose_state_was_replaced_is_not_stored(asking: ExampleRoom) -> None:
    one, two = begun(asking), begun(asking)
    prepare(asking, one, None, "one")
    prepare(asking, two, "one", "two")
    with pytest.raises(StateMoved):
        finish(asking.governance.queries, one, "one")
    finish(asking.governance.queries, two, "two")


def test_only_a_query_that_runs_prepares(asking: ExampleRoom) -> None:
    query_id = begun(asking)
    asking.governance.queries.fail(query_id, "query_failed", now=NOON)
    with pytest.raises(Conflict):
        prepare(asking, query_id, None, "one")
    assert remembered(asking) == ()
