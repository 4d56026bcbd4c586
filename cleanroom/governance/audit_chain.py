"""An audit log as text, and its verification without the service.

Detects an edited, reordered or removed entry, and the removal of the newest ones as far as a checkpoint that the
service signed, or a head that the reader wrote down, reaches.
Not covered: entries after the newest checkpoint and head known to the reader may be missing altogether.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cleanroom.errors import LogBroken
from privacy.canonical_json import canonical_json, digest_of
from privacy.errors import NotCanonical, SignatureRefused
from privacy.signed_document import open_document

CHECKPOINT = "audit checkpoint"
_FIELDS = frozenset({"collaboration", "sequence", "at", "actor", "action", "details", "previous", "digest"})


@dataclass(frozen=True)
class AuditEntry:
    """Who did what, when. `digest` covers all of it and the digest of the entry before."""

    collaboration: str
    sequence: int
    at: str
    actor: str
    action: str
    details: Mapping[str, Any]
    previous: str
    digest: str

    def line(self) -> str:
        """The entry as one line of canonical JSON."""
        return canonical_json(dict(vars(self))).decode()


@dataclass(frozen=True)
class KnownHead:
    """The newest entry a reader has seen before and wrote down."""

    sequence: int
    digest: str


@dataclass(frozen=True)
class VerifiedLog:
    """A log that is whole. `vouched` is the last sequence that a signed checkpoint covers."""

    entries: tuple[AuditEntry, ...]
    vouched: int

    @property
    def head(self) -> KnownHead:
        """What to write down for the next time."""
        if not self.entries:
            return KnownHead(0, "")
        return KnownHead(self.entries[-1].sequence, self.entries[-1].digest)


def first_link(collaboration: str) -> str:
    """What stands in for the digest before the first entry."""
    return digest_of({"first entry of": collaboration})


def entry_digest(entry: Mapping[str, Any]) -> str:
    """The digest of all fields of an entry but the digest itself."""
    return digest_of({name: entry[name] for name in _FIELDS - {"digest"}})


def checkpoint_body(collaboration: str, head: KnownHead, *, at: str) -> dict[str, Any]:
    """What the service signs about a log."""
    return {"collaboration": collaboration, "sequence": head.sequence, "head": head.digest, "at": at}


def verify_log(
    lines: Iterable[str],
    checkpoints: Iterable[object],
    public_key: bytes,
    *,
    known_head: KnownHead | None = None,
) -> VerifiedLog:
    """The entries, if they are the chain that was written. Raises LogBroken.

    `public_key`: the service's Ed25519 key, pinned by the reader.
    """
    entries: list[AuditEntry] = []
    for line in lines:
        entries.append(_next_entry(line, entries[-1] if entries else None))
    vouched = 0
    for document in checkpoints:
        vouched = max(vouched, _vouched(document, entries, public_key))
    if known_head is not None and known_head.sequence > 0:
        _require_head(entries, known_head, "the head that was written down")
    return VerifiedLog(tuple(entries), vouched)


def _next_entry(line: str, before: AuditEntry | None) -> AuditEntry:
    number = before.sequence + 1 if before else 1
    try:
        fields = json.loads(line)
        same = canonical_json(fields).decode() == line.rstrip("\r\n")
        if not same or not isinstance(fields, dict) or set(fields) != _FIELDS:
            raise _broken(f"entry {number} is not as it was written")
        expected = before.digest if before else first_link(str(fields["collaboration"]))
        collaboration = before.collaboration if before else fields["collaboration"]
        fits = (
            fields["sequence"] == number
            and fields["previous"] == expected
            and fields["collaboration"] == collaboration
            and fields["digest"] == entry_digest(fields)
        )
    except (ValueError, RecursionError, NotCanonical) as error:
        raise _broken(f"entry {number} is not as it was written") from error
    if not fits:
        raise _broken(f"entry {number} was changed, moved, or entries before it are missing")
    return AuditEntry(**fields)


def _vouched(document: object, entries: list[AuditEntry], public_key: bytes) -> int:
    try:
        body = open_document(document, kind=CHECKPOINT, public_key=public_key)
        head = KnownHead(int(body["sequence"]), str(body["head"]))
    except (SignatureRefused, KeyError, TypeError, ValueError) as error:
        raise _broken("a checkpoint is not signed by the service") from error
    if entries and body.get("collaboration") != entries[0].collaboration:
        raise _broken("a checkpoint is of another collaboration's log")
    _require_head(entries, head, f"the checkpoint at entry {head.sequence}")
    return head.sequence


def _require_head(entries: list[AuditEntry], head: KnownHead, what: str) -> None:
    if head.sequence < 1 or head.sequence > len(entries):
        raise _broken(f"entries are missing at the end: {what} names a later one")
    if entries[head.sequence - 1].digest != head.digest:
        raise _broken(f"{what} names another entry {head.sequence}")


def _broken(what: str) -> LogBroken:
    return LogBroken(
        f"the audit log is not whole: {what}",
        hint="export it again; if it stays so, ask the operator and the other owners for their copies",
    )
