"""What the owners signed of a release: that they gave its worker their keys, and the rules that were applied.

Whoever has a worker's attested key can seal something for it. So it is the owners' signatures, under the keys that the
collaboration's record proves to be theirs, that tell a release from their tables from one of tables made for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cleanroom.errors import KeyRefused, ReleaseUnverified
from cleanroom.governance.room_state import RoomState
from cleanroom.worker.key_approval import approval_body, require_approved
from cleanroom.worker.statement import Statement
from privacy.canonical_json import digest_of
from privacy.enclave.attestation_verifier import Attested
from privacy.errors import SignatureRefused


@dataclass(frozen=True)
class Signed:
    """In words."""

    proved: tuple[str, ...] = ()
    not_proved: tuple[str, ...] = ()


WITHOUT_RECORD = Signed(
    not_proved=(
        "that the owners gave their keys for this, and signed the rules: this home has not read the room's record yet, "
        "which `mixroom room audit --verify` does",
    )
)


def by_owners(body: Mapping[str, Any], statement: Statement, attested: Attested, room: RoomState) -> Signed:
    """Raises ReleaseUnverified when an owner's signature is missing that the record says there must be."""
    lines = [_approved(owner, body, statement, attested, room) for owner in statement.owners]
    lines += [_rules(policy, room) for policy in body["policies"]]
    return Signed(
        tuple(line for signed in lines for line in signed.proved),
        tuple(line for signed in lines for line in signed.not_proved),
    )


def unverified(what: str) -> ReleaseUnverified:
    """The refusal, naming what does not fit."""
    return ReleaseUnverified(
        f"this release is not genuine: {what}", hint="do not use it; ask for it anew and tell the owners"
    )


def _approved(
    owner: str, body: Mapping[str, Any], statement: Statement, attested: Attested, room: RoomState
) -> Signed:
    keys = {**room.former_keys, **{name: one.keys for name, one in room.members.items()}}.get(owner)
    if keys is None:
        raise unverified("it names an owner whose signature the record does not hold")
    expected = approval_body(owner, statement.digest(), attested.public_key)
    try:
        require_approved(body["approvals"].get(owner), body=expected, public_key=keys.signing)
    except (SignatureRefused, KeyRefused) as error:
        raise unverified(f"{owner} did not give its keys to this worker for this question") from error
    return Signed(proved=(f"{owner} signed that its broker gave this worker its keys for this question",))


def _rules(policy: Mapping[str, Any], room: RoomState) -> Signed:
    owned = room.rules.get(policy["dataset"])
    if owned is None or owned.owner != policy["owner"]:
        raise unverified("it names an owner whose signature the record does not hold")
    if digest_of(owned.document.canonical()) == policy["digest"]:
        return Signed(proved=(f"{owned.owner} signed the rules of {policy['dataset']} that were applied",))
    return Signed(
        not_proved=(
            f"that {owned.owner} signed the rules of {policy['dataset']} that were applied: others are in force now, "
            "or this home's record is older",
        )
    )
