"""States in the database open with the service's pepper only."""

from __future__ import annotations

import pytest

from cleanroom.errors import StoreUnavailable
from cleanroom.governance.difference_memory import DifferenceState, PreparedState
from cleanroom.governance.pepper import Pepper
from cleanroom.governance.state_cover import StateCover
from privacy.errors import SealBroken
from privacy.sealing import new_key, open_bytes, seal_bytes

OWNERS_KEY, CONTEXT = b"o" * 32, {"purpose": "difference state", "collaboration": "col-a", "id": "1" * 64}
STATE = PreparedState(None, "1" * 64, seal_bytes(OWNERS_KEY, b"sketches", CONTEXT))
COVER = StateCover.of(Pepper(b"p" * 32))


def memory_of(covered: PreparedState, **changes: str) -> DifferenceState:
    return DifferenceState(changes.get("collaboration", "col-a"), ((covered.id, covered.sealed),))


def test_an_owners_key_opens_no_state_as_the_database_has_it() -> None:
    covered = COVER.covered("col-a", STATE)
    with pytest.raises(SealBroken):
        open_bytes(OWNERS_KEY, covered.sealed, CONTEXT)
    ((state_id, sealed),) = COVER.uncovered(memory_of(covered)).candidates
    assert (state_id, open_bytes(OWNERS_KEY, sealed, CONTEXT)) == (STATE.id, b"sketches")


@pytest.mark.parametrize(
    ("cover", "collaboration"), [(StateCover.of(Pepper(new_key())), "col-a"), (COVER, "col-b")]
)
def test_another_pepper_or_place_opens_nothing(cover: StateCover, collaboration: str) -> None:
    covered = COVER.covered("col-a", STATE)
    with pytest.raises(StoreUnavailable, match="pepper"):
        cover.uncovered(memory_of(covered, collaboration=collaboration))
