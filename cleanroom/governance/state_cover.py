"""A seal of the service's own around the states in its database.

A state is sealed for workers under a key that every owner of the collaboration can derive, and from an open state an
owner that knows tokens can read what their people added to released sums. Guarantee: the database alone, a copy or a
backup of it, shows no owner a state; the pepper beside it is needed too. Not covered: an owner together with whoever
has both.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cleanroom.errors import StoreUnavailable
from cleanroom.governance.difference_memory import DifferenceState, PreparedState
from cleanroom.governance.pepper import Pepper
from privacy.errors import SealBroken
from privacy.sealing import open_bytes, seal_bytes


@dataclass(frozen=True)
class StateCover:
    """Puts the seal on and takes it off."""

    _key: bytes = field(repr=False)

    @classmethod
    def of(cls, pepper: Pepper) -> StateCover:
        """Under a key of its own."""
        return cls(pepper.keyed_hash("cover of difference states", ""))

    def covered(self, collaboration: str, state: PreparedState) -> PreparedState:
        """As it goes into the database."""
        context = _context(collaboration, state.id)
        return replace(state, sealed=seal_bytes(self._key, state.sealed, context))

    def uncovered(self, state: DifferenceState) -> DifferenceState:
        """As workers have sealed it. Raises StoreUnavailable when the pepper is not the database's."""
        try:
            candidates = tuple(
                (state_id, open_bytes(self._key, covered, _context(state.collaboration, state_id)))
                for state_id, covered in state.candidates
            )
        except SealBroken as error:
            raise StoreUnavailable(
                "the record of earlier releases does not belong to this service's pepper; nothing was released",
                hint="restore database and pepper of the same service",
            ) from error
        return replace(state, candidates=candidates)


def _context(collaboration: str, state_id: str) -> dict[str, str]:
    return {"purpose": "cover of a difference state", "collaboration": collaboration, "id": state_id}
