"""The log: who reads what, and that no change of it goes unnoticed."""

from __future__ import annotations

import json

import pytest

from cleanroom.errors import Forbidden, LogBroken, NotFound
from cleanroom.governance.audit_chain import KnownHead, entry_digest, verify_log
from cleanroom.governance.audit_log import SERVICE, AuditExport, Note
from privacy.canonical_json import canonical_json
from privacy.party_keys import PartyKeys
from tests.cleanroom.governance.example_room import ANALYST, AUDITOR, NOON, ExampleRoom


@pytest.fixture
def log(room: ExampleRoom) -> AuditExport:
    """Ten entries or more; a checkpoint on the last."""
    room.add("dan", ANALYST)
    room.put_rules("adv", "visits")
    for number in range(3):
        note = Note(room.collaboration, "dan", "query refused", {"number": number, "cost": 0.1})
        room.governance.audit.record(note, now=NOON)
    room.governance.audit.checkpoint(room.collaboration, now=NOON)
    return room.governance.audit.export(room.principals["adv"], room.collaboration)


def test_a_whole_log_verifies_offline(room: ExampleRoom, log: AuditExport) -> None:
    verified = verify_log(log.lines, log.checkpoints, room.service_keys.public.signing)
    assert verified.vouched == len(log.lines) == len(verified.entries)
    assert verified.entries[0].action == "collaboration founded"
    assert verified.entries[-1].details == {"number": 2, "cost": 0.1}


def test_every_edit_is_noticed(room: ExampleRoom, log: AuditExport) -> None:
    key = room.service_keys.public.signing
    for number in range(len(log.lines)):
        lines = list(log.lines)
        entry = json.loads(lines[number])
        entry["actor"] = "eve"
        lines[number] = canonical_json(entry).decode()
        with pytest.raises(LogBroken):
            verify_log(lines, log.checkpoints, key)
        entry["digest"] = entry_digest(entry)  # a careful forger
        lines[number] = canonical_json(entry).decode()
        with pytest.raises(LogBroken):
            verify_log(lines, log.checkpoints, key)


def test_every_removal_exchange_and_truncation_is_noticed(room: ExampleRoom, log: AuditExport) -> None:
    key = room.service_keys.public.signing
    for number in range(len(log.lines)):
        lines = list(log.lines)
        del lines[number]
        with pytest.raises(LogBroken):
            verify_log(lines, log.checkpoints, key)
    for number in range(1, len(log.lines)):
        lines = list(log.lines)
        lines[number - 1 : number + 1] = reversed(lines[number - 1 : number + 1])
        with pytest.raises(LogBroken):
            verify_log(lines, log.checkpoints, key)
    with pytest.raises(LogBroken, match="missing at the end"):
        verify_log([], log.checkpoints, key)


def test_truncation_behind_the_newest_checkpoint_is_noticed_by_who_kept_a_head(
    room: ExampleRoom, log: AuditExport
) -> None:
    room.governance.audit.record(Note(room.collaboration, "dan", "query refused"), now=NOON)
    newer = room.governance.audit.export(room.principals["adv"], room.collaboration)
    key = room.service_keys.public.signing
    head = verify_log(newer.lines, newer.checkpoints, key).head
    verify_log(log.lines, log.checkpoints, key)
    with pytest.raises(LogBroken):
        verify_log(log.lines, log.checkpoints, key, known_head=head)
    with pytest.raises(LogBroken):
        verify_log(newer.lines, newer.checkpoints, key, known_head=KnownHead(head.sequence, "0" * 64))


def test_a_log_rewritten_from_the_start_has_no_checkpoint_of_the_service(
    room: ExampleRoom, log: AuditExport
) -> None:
    with pytest.raises(LogBroken, match="not signed by the service"):
        verify_log(log.lines, log.checkpoints, PartyKeys.generate("service").public.signing)
    with pytest.raises(LogBroken):
        verify_log(log.lines, [{}], room.service_keys.public.signing)


@pytest.mark.parametrize("junk", ["", "{}", "[]", "null", "\x00", "[" * 100_000, '{"a":NaN}', '"\\ud800"'])
def test_what_is_no_log_is_refused(junk: str) -> None:
    with pytest.raises(LogBroken):
        verify_log([junk], [], bytes(32))


def test_the_service_signs_the_head_every_so_many_entries(database_url: str) -> None:
    room = ExampleRoom.founded(database_url, checkpoint_every=4)
    for _ in range(8):
        room.governance.audit.record(Note(room.collaboration, "adv", "looked"), now=NOON)
    export = room.governance.audit.export(room.principals["adv"], room.collaboration)
    assert [document["body"]["sequence"] for document in export.checkpoints] == [4, 8]
    verify_log(export.lines, export.checkpoints, room.service_keys.public.signing)
    room.governance.store.close()


def test_owners_and_auditors_read_all_analysts_their_own_and_the_operator_none(room: ExampleRoom) -> None:
    audit = room.governance.audit
    dan, aud = room.add("dan", ANALYST), room.add("aud", AUDITOR)
    room.put_rules("adv", "visits")
    room.governance.queries.begin(room.query("visits", member="dan"), now=NOON)
    everything = audit.entries(room.principals["adv"], room.collaboration)
    assert audit.entries(aud, room.collaboration) == everything
    assert {entry.actor for entry in audit.entries(dan, room.collaboration)} == {"dan"}
    with pytest.raises(Forbidden):
        audit.export(dan, room.collaboration)
    operator = room.operator()
    for read in (audit.entries, audit.export):
        with pytest.raises(NotFound):
            read(operator, room.collaboration)
        with pytest.raises(NotFound):
            read(dan, SERVICE)
    assert "SELECT" not in "".join(audit.export(operator, SERVICE).lines)


def test_a_long_log_is_read_in_pages(room: ExampleRoom, log: AuditExport) -> None:
    audit, adv = room.governance.audit, room.principals["adv"]
    first = audit.entries(adv, room.collaboration, limit=4)
    rest = audit.entries(adv, room.collaboration, after=first[-1].sequence)
    assert [entry.line() for entry in (*first, *rest)] == list(log.lines)
