"""One line of a chained log, as bytes and as a record. Schema 2 is written; schemas 1 and 2 are read.

Schema 2: a JSON object without spaces whose last field, `digest`, is the SHA-256 of all bytes of the line before
`,"digest"`. Any tool that can hash bytes can check it.
Schema 1: the digest was taken of a second JSON text, [schema, sequence, kind, body, previous] with sorted keys.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCHEMA = 2
START = "0" * 64  # what the first line names as the digest before it
_FIELDS = {"schema", "sequence", "kind", "body", "previous", "digest"}


@dataclass(frozen=True)
class Record:
    """One verified line; `digest` becomes the `previous` of the next one."""

    sequence: int
    kind: str
    body: Mapping[str, Any]
    digest: str


@dataclass(frozen=True)
class Line:
    """A record as it stands in the file, line end included."""

    record: Record
    content: bytes


class LineRefused(ValueError):
    """Why a line is not the next one of its chain, in words that follow "line 7"."""


def next_line(kind: str, body: Mapping[str, Any], after: Record | None) -> Line:
    """The line that follows `after`, or a chain's first. Raises ValueError for numbers that are not finite."""
    sequence, previous = (after.sequence + 1, after.digest) if after else (0, START)
    fields = {"schema": SCHEMA, "sequence": sequence, "kind": kind, "body": dict(body), "previous": previous}
    start = json.dumps(fields, separators=(",", ":"), allow_nan=False).encode()[:-1]
    digest = hashlib.sha256(start).hexdigest()
    return Line(Record(sequence, kind, body, digest), start + _end(digest))


def read_line(content: bytes, after: Record | None) -> Record:
    """The record in a whole line that is to follow `after`. Raises LineRefused."""
    try:
        fields = json.loads(content)
    except ValueError as error:
        raise LineRefused("is not JSON") from error
    if not isinstance(fields, dict) or set(fields) != _FIELDS or not isinstance(fields["body"], dict):
        raise LineRefused("lacks fields or has unknown ones")
    digest = {1: _digest_1, 2: _digest_2}.get(_schema(fields["schema"]), _unknown)(fields, content)
    if digest != fields["digest"]:
        raise LineRefused("was changed after it was written")
    sequence, previous = (after.sequence + 1, after.digest) if after else (0, START)
    if fields["sequence"] != sequence or fields["previous"] != previous:
        raise LineRefused("does not follow from the line before it")
    return Record(sequence, str(fields["kind"]), fields["body"], digest)


def _schema(stated: object) -> int:
    return stated if isinstance(stated, int) and not isinstance(stated, bool) else 0


def _unknown(fields: dict[str, Any], content: bytes) -> str:
    raise LineRefused(f"has schema {fields['schema']!r}; this program reads schemas 1 to {SCHEMA}")


def _digest_2(fields: dict[str, Any], content: bytes) -> str:
    """Of the bytes as they stand; "" when the line does not end as this program ends it."""
    end = _end(str(fields["digest"]))
    return hashlib.sha256(content[: -len(end)]).hexdigest() if content.endswith(end) else ""


def _digest_1(fields: dict[str, Any], content: bytes) -> str:
    """Of the fields; "" when the line is not written as schema 1 wrote it (another spelling of the same)."""
    hashed = [1, fields["sequence"], fields["kind"], fields["body"], fields["previous"]]
    digest = hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()
    ordered = {name: fields[name] for name in ("schema", "sequence", "kind", "body", "previous")}
    written = json.dumps({**ordered, "digest": digest}, separators=(",", ":")).encode() + b"\n"
    return digest if written == content else ""


def _end(digest: str) -> bytes:
    return f',"digest":"{digest}"}}\n'.encode()
