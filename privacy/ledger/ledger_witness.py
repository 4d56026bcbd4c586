"""How far a silo's ledger had come, noted outside the silo's state: what a restored backup cannot undo.

A hash chain shows that its lines are whole, not that its newest ones are still there. So after every entry the
number and the digest of the newest one are written to a second place. A ledger that lacks a noted entry was
rolled back, deleted or replaced. One that is longer than its note is in order: a crash came between the two.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from privacy.errors import LedgerDamaged, LedgerRolledBack, LedgerUnwritable
from privacy.ledger.chained_line import Record
from privacy.ledger.chained_log import sync_directory

_SCHEMA = 1
_NAME_DIGITS = 32


@dataclass(frozen=True)
class Head:
    """The newest entry of a ledger, and how many charges the ledger held with it."""

    sequence: int
    digest: str
    charges: int


@dataclass(frozen=True)
class LedgerWitness:
    """The notes on one silo's ledger: every file that is there must agree with it. No files: no witness.

    Not covered: someone who rolls back the notes too (a snapshot of the whole machine), or deletes them.
    """

    silo: str = ""
    files: tuple[Path, ...] = ()

    @classmethod
    def of(cls, directory: Path, silo: str, *, public_key: bytes, state: Path) -> LedgerWitness:
        """Two notes in `directory`, by the silo's key and by the place of its state.

        The first finds a ledger that was moved or copied, the second one that was deleted with its key.
        """
        names = (_name(b"key", silo, public_key), _name(b"place", silo, os.fsencode(state)))
        return cls(silo, tuple(directory / name for name in names))

    def heads(self) -> dict[Path, Head]:
        """The notes that exist. LedgerDamaged when one cannot be read."""
        found = {}
        for file in self.files:
            try:
                found[file] = _head(file.read_bytes())
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise LedgerDamaged(
                    "the note of how far the privacy ledger had come cannot be read",
                    path=file,
                    hint="restore it from a backup; only the data's owner may do without",
                ) from error
        return found

    def require_held(self, records: tuple[Record, ...], charges: int) -> bool:
        """Raises LedgerRolledBack unless the chain holds every noted entry. Whether all notes were there."""
        heads = self.heads()
        for file, head in heads.items():
            if head.sequence >= len(records) or records[head.sequence].digest != head.digest:
                raise rolled_back(file, missing=head.charges - charges)
        return len(heads) == len(self.files) > 0

    def note(self, head: Head) -> None:
        """Write `head` durably where it is not noted yet. Raises LedgerUnwritable."""
        known = self.heads()
        for file in self.files:
            if known.get(file) != head:
                _replace(file, {"schema": _SCHEMA, "silo": self.silo, **asdict(head)})


UNWITNESSED = LedgerWitness()


def rolled_back(evidence: Path, *, missing: int, gone: bool = False) -> LedgerRolledBack:
    """The refusal of a ledger that lacks `missing` charges and possibly more; 0 or less: a number unknown."""
    lacks = f"at least {missing} charge{'s' * (missing > 1)}" if missing > 0 else "entries"
    what = "is gone" if gone else "was rolled back or replaced"
    return LedgerRolledBack(
        f"the privacy ledger {what}: it lacks {lacks} that this silo made; "
        "nothing was charged and no data were read",
        path=evidence,
        hint="restore the newest copy of the ledger; an older one forgets what was released",
    )


def _name(kind: bytes, silo: str, value: bytes) -> str:
    digest = hashlib.sha256(b"\0".join((b"mixroom ledger", kind, silo.encode(), value))).hexdigest()
    return f"{digest[:_NAME_DIGITS]}.json"


def _head(content: bytes) -> Head:
    fields = json.loads(content)
    if fields["schema"] != _SCHEMA:
        raise ValueError("unknown schema")
    return Head(int(fields["sequence"]), str(fields["digest"]), int(fields["charges"]))


def _replace(file: Path, content: dict[str, object]) -> None:
    """The whole note or the one before it, whatever happens meanwhile."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.{os.urandom(4).hex()}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(json.dumps(content).encode() + b"\n")
                opened.flush()
                os.fsync(opened.fileno())
            os.replace(draft, file)
            sync_directory(file.parent)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise LedgerUnwritable(
            f"the note of how far the privacy ledger has come cannot be written: {error.strerror or error}; "
            "no data were read, and what was charged stays charged",
            path=file,
            hint="name a directory that can be written as privacy.ledger_witness in the silo file",
        ) from error
