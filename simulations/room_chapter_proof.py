"""Last chapter: both logs and a release verified on the publisher's machine; a forged copy refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cleanroom.broker.release_log import verify_release_log
from cleanroom.errors import ReleaseUnverified
from cleanroom.governance.audit_chain import AuditEntry
from cleanroom.partner.installed_worker import known_measurements
from cleanroom.partner.release_verification import ReleaseTrust, VerifiedRelease, verify_release
from cleanroom.partner.room_client import RoomClient
from cleanroom.service.audit_bodies import CheckpointBody
from cleanroom.service.collaboration_bodies import RecordBody
from mmm_models.reporting.figure import Column, Table
from mmm_models.reporting.number_format import count
from simulations import room_questions as questions
from simulations.errors import ForgeryAccepted
from simulations.room_parties import PUBLISHER
from simulations.room_stage import Stage
from simulations.room_story import Chapter, Exhibit


def proof_chapter(stage: Stage, folder: Path) -> Chapter:
    """What the publisher can check alone. Leaves audit.jsonl and a forged release in `folder`."""
    with stage.joined.client(PUBLISHER) as room:
        exhibits = (
            _log(stage, room, folder),
            _key_log(stage, room),
            _release(stage, room, folder / "releases"),
        )
    return Chapter("What anybody can check", tuple(stage.shown(exhibit) for exhibit in exhibits))


def _log(stage: Stage, room: RoomClient, folder: Path) -> Exhibit:
    room.link.get(f"{_here(room)}/audit/checkpoint", CheckpointBody)
    log = room.verify_audit()
    text = "".join(f"{entry.line()}\n" for entry in log.entries)
    (folder / "audit.jsonl").write_text(text, encoding="utf-8")
    told = f"{len(log.entries)} entries, chained; the service has signed the first {log.vouched}"
    stage.say(f"the publisher verified the audit log: {told}")
    return Exhibit("The audit log", _entries(log.entries), f"Verified from end to end: {told}.", is_wide=True)


def _key_log(stage: Stage, room: RoomClient) -> Exhibit:
    """The publisher's own, on its own machine."""
    records = verify_release_log(room.home.broker_log)
    times = Counter(record.kind for record in records)
    stage.say(f"its own log says what became of its table's key: released {times['key released']} times")
    table = Table(
        (Column("What happened to the publisher's key"), Column("How often", count)),
        tuple((kind, float(number)) for kind, number in times.items()),
    )
    note = "Written by the publisher's key broker before anything leaves it, one line for every key given or refused."
    return Exhibit("The publisher's log of its key", table, note)


def _entries(entries: Sequence[AuditEntry]) -> Table:
    """How often who did what, in the order of the first time."""
    actions = dict.fromkeys(entry.action for entry in entries)
    rows = tuple((action, _who(action, entries)) for action in actions)
    return Table((Column("What was done"), Column("By whom, how often")), rows)


def _who(action: str, entries: Sequence[AuditEntry]) -> str:
    times = Counter(entry.actor for entry in entries if entry.action == action)
    return ", ".join(f"{actor} {number}" for actor, number in times.items())


def _release(stage: Stage, room: RoomClient, releases: Path) -> Exhibit:
    path = min(releases.glob(f"*-{questions.LIFT.name}.json"))
    document = json.loads(path.read_text(encoding="utf-8"))
    record = room.link.get(f"{_here(room)}/record", RecordBody).record
    verified = _verified(room, document, record)
    stage.say(f"the publisher verified {path.name} offline, under the enclave's root pinned on joining")
    forged = _with_another_lift(document)
    path.with_name(f"{path.stem}-forged.json").write_text(json.dumps(forged, indent=1), encoding="utf-8")
    refusal = _refusal(room, forged, record)
    stage.say(f"a copy with twice the lift: {refusal}")
    lines = (
        *(("proved", line) for line in verified.proved),
        *(("not proved", line) for line in verified.not_proved),
        ("a forged copy", refusal),
    )
    table = Table((Column("Verdict"), Column("On what")), lines)
    return Exhibit("The lift's release, verified offline", table, is_wide=True)


def _here(room: RoomClient) -> str:
    return f"/v1/collaborations/{room.room.collaboration}"


def _verified(room: RoomClient, document: object, record: object) -> VerifiedRelease:
    pinned = room.room
    trust = ReleaseTrust(pinned.collaboration, pinned.enclave_root, known_measurements())
    return verify_release(document, trust, record=record)


def _refusal(room: RoomClient, document: object, record: object) -> str:
    try:
        _verified(room, document, record)
    except ReleaseUnverified as error:
        return str(error)
    raise ForgeryAccepted("a forged release passed for a genuine one", hint="do not use this version")


def _with_another_lift(document: dict[str, Any]) -> dict[str, Any]:
    forged: dict[str, Any] = json.loads(json.dumps(document))
    result = forged["body"]["result"]
    place = [column["name"] for column in result["columns"]].index("lift")
    result["rows"][0][place] *= 2
    return forged
