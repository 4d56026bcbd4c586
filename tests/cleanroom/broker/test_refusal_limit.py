"""Refusals without end fill no disk, and the log says that there were more than it tells."""

from __future__ import annotations

from cleanroom.broker.refusal_limit import MOST
from tests.cleanroom.broker.broker_room import BrokerRoom


def refused(room: BrokerRoom) -> list[tuple[str, int]]:
    """The lines about refusals, with how many each says were left out before it."""
    return [(kind, body.get("unwritten", 0)) for kind, body in room.logged() if "refus" in kind]


def test_refusals_within_a_minute_are_written_up_to_a_limit_and_then_counted(room: BrokerRoom) -> None:
    for _ in range(MOST + 7):
        assert room.broker.answer({"kind": "commit"}) is None
    limit = [*[("refused", 0)] * MOST, ("further refusals not written", 0)]
    assert refused(room) == limit
    room.later(seconds=60)
    for _ in range(2):
        assert room.broker.answer(room.request(room.statement(asker="eve"))) is None
    assert refused(room) == [*limit, ("refused", 7), ("refused", 0)]


def test_grants_are_written_beyond_the_limit(room: BrokerRoom) -> None:
    for _ in range(MOST + 1):
        room.broker.answer({"kind": "commit"})
    room.granted(room.statement())
    assert room.logged()[-1][0] == "key released"
