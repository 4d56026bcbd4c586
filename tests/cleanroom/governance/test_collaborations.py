"""Founding, inviting, joining."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cleanroom.errors import Conflict, Forbidden, NotAuthorised, NotFound, ProposalInvalid, SignatureInvalid
from cleanroom.governance.principal import MemberRole
from cleanroom.governance.proposal_text import ProposalKind
from cleanroom.governance.tables import Table
from privacy.party_keys import PartyKeys
from privacy.signed_document import sign_document
from tests.cleanroom.governance.example_room import ANALYST, NOON, OWNER, ExampleRoom, later


def invited(room: ExampleRoom, name: str, **more: str) -> str:
    content = {"member": name, "roles": ["owner"], **more}
    proposal = room.agree("adv", ProposalKind.MEMBERSHIP, content)
    issued = room.governance.invitations.issue(
        room.principals["adv"], room.collaboration, proposal.id, now=NOON
    )
    room.keys[name] = PartyKeys.generate(name)
    return issued.code.reveal()


def test_a_founding_code_founds_one_collaboration(empty_room: ExampleRoom) -> None:
    room = empty_room
    governance = room.governance
    code = governance.api_keys.create_founding_code(room.operator(), now=NOON).key.reveal()
    founder = governance.api_keys.authenticate(code, now=NOON)
    room.keys["adv"] = PartyKeys.generate("adv")
    document = sign_document("terms", room.terms().body(), room.keys["adv"])
    joined = governance.collaborations.found(founder, document, now=NOON)
    assert joined.member.name == "adv"
    assert joined.collaboration.identity.rule == "uid2"
    with pytest.raises(NotAuthorised):
        governance.api_keys.authenticate(code, now=NOON)
    other = sign_document("terms", room.terms().body(), room.keys["adv"])
    with pytest.raises(NotAuthorised):
        governance.collaborations.found(founder, other, now=NOON)


def test_terms_that_another_key_signed_found_nothing(empty_room: ExampleRoom) -> None:
    room = empty_room
    room.keys["adv"] = PartyKeys.generate("adv")
    forged = sign_document("terms", room.terms().body(), PartyKeys.generate("adv"))
    with pytest.raises(SignatureInvalid):
        room.governance.collaborations.found(room.operator(), forged, now=NOON)


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"roles": ["analyst"]},
        {"roles": "owner"},
        {"founder": "Eve"},
        {"collaboration": "col-1"},
    ],
)
def test_terms_that_make_no_sense_found_nothing(empty_room: ExampleRoom, change: dict[str, object]) -> None:
    room = empty_room
    room.keys["adv"] = PartyKeys.generate("adv")
    document = sign_document("terms", {**room.terms().body(), **change}, room.keys["adv"])
    with pytest.raises(ProposalInvalid):
        room.governance.collaborations.found(room.operator(), document, now=NOON)


def test_an_invited_party_joins_and_its_key_works(room: ExampleRoom) -> None:
    bea = room.add("bea", OWNER | ANALYST)
    assert bea.roles == {MemberRole.OWNER, MemberRole.ANALYST}
    members = room.governance.collaborations.view(bea, room.collaboration).members
    assert [member.name for member in members] == ["adv", "bea"]
    assert members[1].fingerprint == room.keys["bea"].public.fingerprint


def test_a_code_admits_one_party_once(room: ExampleRoom) -> None:
    code = invited(room, "bea")
    document = room.acceptance("bea", OWNER, code)
    room.governance.invitations.accept(code, document, now=NOON)
    with pytest.raises(NotAuthorised):
        room.governance.invitations.accept(code, document, now=NOON)


def test_a_code_ends_when_it_expires_is_revoked_or_replaced(room: ExampleRoom) -> None:
    code = invited(room, "bea")
    invitations, adv = room.governance.invitations, room.principals["adv"]
    with pytest.raises(NotAuthorised):
        invitations.preview(code, now=later(days=7))
    (view,) = invitations.list(adv, room.collaboration, now=NOON)
    second = invitations.issue(adv, room.collaboration, view.proposal, now=NOON)
    with pytest.raises(NotAuthorised):
        invitations.preview(code, now=NOON)
    invitations.revoke(adv, room.collaboration, second.id, now=NOON)
    with pytest.raises(NotAuthorised):
        invitations.preview(second.code.reveal(), now=NOON)
    states = {view.id: view.state for view in invitations.list(adv, room.collaboration, now=NOON)}
    assert set(states.values()) == {"revoked"}


def test_an_acceptance_of_other_roles_or_terms_is_refused(room: ExampleRoom) -> None:
    code = invited(room, "bea")
    with pytest.raises(SignatureInvalid):
        room.governance.invitations.accept(code, room.acceptance("bea", ANALYST, code), now=NOON)
    body = {**room.acceptance("bea", OWNER, code)["body"], "terms": "0" * 64}
    document = sign_document("acceptance", body, room.keys["bea"])
    with pytest.raises(SignatureInvalid):
        room.governance.invitations.accept(code, document, now=NOON)


def test_keys_without_the_fingerprint_that_owners_signed_for_are_refused(room: ExampleRoom) -> None:
    code = invited(room, "bea", fingerprint=PartyKeys.generate("bea").public.fingerprint)
    with pytest.raises(Forbidden, match="another party's keys"):
        room.governance.invitations.accept(code, room.acceptance("bea", OWNER, code), now=NOON)


def test_no_invitation_before_every_owner_has_signed(room: ExampleRoom) -> None:
    room.add("bea")
    proposal = room.propose("adv", ProposalKind.MEMBERSHIP, {"member": "cyd", "roles": ["analyst"]})
    assert proposal.waiting_for == ("bea",)
    with pytest.raises(Conflict):
        room.governance.invitations.issue(room.principals["adv"], room.collaboration, proposal.id, now=NOON)


def test_the_code_is_nowhere_in_the_database(room: ExampleRoom) -> None:
    code = invited(room, "bea")
    assert code.split("_")[2] not in dump(room)


def test_other_collaborations_cannot_be_seen(room: ExampleRoom) -> None:
    stranger = room.principals["adv"]
    with pytest.raises(NotFound):
        room.governance.collaborations.view(stranger, "col-" + "a" * 16)
    (summary,) = room.governance.collaborations.list(room.operator())
    assert (summary.id, summary.members) == (room.collaboration, 1)
    with pytest.raises(NotFound):
        room.governance.collaborations.view(room.operator(), room.collaboration)


def dump(room: ExampleRoom) -> str:
    def work(session: Session) -> str:
        rows = [session.execute(select(table)).all() for table in Table.metadata.sorted_tables]
        return repr(rows)

    return room.governance.store.read(work)


@pytest.mark.parametrize("code", ["", "inv_", "\ud800", "x" * 100_000, "inv_" + "a" * 16 + "_" + "a" * 52])
def test_what_is_no_code_invites_nobody(room: ExampleRoom, code: str) -> None:
    with pytest.raises(NotAuthorised):
        room.governance.invitations.preview(code, now=NOON)
