"""What a sealed table is: where it belongs, and the manifest that says what was sealed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from cleanroom.errors import SealedTableBroken
from cleanroom.rules.analysis_rule import NAME

IDENTITY_TAG = re.compile(r"[0-9a-f]{8}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NONCE = re.compile(r"[0-9a-f]{32}")


class StoredType(StrEnum):
    """How a column stands in the sealed Parquet file."""

    IDENTITY = "uuid"  # the 128 bits of a person's token
    TEXT = "string"
    DECIMAL = "float64"
    WHOLE = "int64"
    TIME = "timestamp[us]"  # UTC, without a zone

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type."""
        return _ARROW[self]


_ARROW = {
    StoredType.IDENTITY: pa.uuid(),
    StoredType.TEXT: pa.string(),
    StoredType.DECIMAL: pa.float64(),
    StoredType.WHOLE: pa.int64(),
    StoredType.TIME: pa.timestamp("us"),
}


@dataclass(frozen=True)
class TableContext:
    """Which upload of which dataset a sealed table is. A table opens in no other place."""

    collaboration: str
    dataset: str
    version: str
    owner: str
    identity_tag: str

    def __post_init__(self) -> None:
        if not IDENTITY_TAG.fullmatch(self.identity_tag):
            raise ValueError("an identity tag is 8 hexadecimal digits")

    def sealing(self) -> dict[str, str]:
        """What the seal is bound to, as canonical JSON has it."""
        return {"purpose": "dataset", **asdict(self)}


@dataclass(frozen=True)
class SealedTableManifest:
    """What was sealed. Says how large the table is, holds nothing of its rows.

    nonce: 32 random hexadecimal digits, so that nobody finds the number of rows by trying which one gives the
    manifest's digest, which all members see.
    """

    context: TableContext
    rows: int
    sealed_bytes: int
    sealed_sha256: str
    columns: Mapping[str, StoredType]
    policy_digest: str
    created: date
    nonce: str

    def __post_init__(self) -> None:
        if self.rows < 1 or self.sealed_bytes < 1:
            raise ValueError("a sealed table has at least one row")
        if not _SHA256.fullmatch(self.sealed_sha256) or not _SHA256.fullmatch(self.policy_digest):
            raise ValueError("a digest is 64 hexadecimal digits")
        if not _NONCE.fullmatch(self.nonce):
            raise ValueError("a nonce is 32 hexadecimal digits")
        if not all(NAME.fullmatch(name) for name in self.columns):
            raise ValueError("a column has no usable name")
        if list(self.columns.values()).count(StoredType.IDENTITY) != 1:
            raise ValueError("a sealed table has exactly one identity column")
        object.__setattr__(self, "columns", MappingProxyType(dict(self.columns)))

    def to_plain(self) -> dict[str, Any]:
        """Plain JSON values, in the order of the contract."""
        return {
            **asdict(self.context),
            "rows": self.rows,
            "sealed_bytes": self.sealed_bytes,
            "sealed_sha256": self.sealed_sha256,
            "columns": {name: str(kind) for name, kind in self.columns.items()},
            "policy_digest": self.policy_digest,
            "created": self.created.isoformat(),
            "nonce": self.nonce,
        }

    @classmethod
    def of(cls, plain: object) -> SealedTableManifest:
        """From what `to_plain` gave. Raises SealedTableBroken when it is anything else."""
        try:
            return _read(plain)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise table_broken() from None


@dataclass(frozen=True)
class SealedTable:
    """A sealed file on the partner's machine; `dropped` are columns that were not declared and not kept."""

    path: Path
    manifest: SealedTableManifest
    dropped: tuple[str, ...] = ()


def table_broken() -> SealedTableBroken:
    """The one refusal of whatever does not fit: nobody learns by trying which part it was."""
    return SealedTableBroken(
        "a sealed table does not open: another key, another table, or changed since it was sealed",
        hint="ask its owner to upload the dataset again",
    )


def _read(plain: object) -> SealedTableManifest:
    if not isinstance(plain, Mapping):
        raise TypeError("not a mapping")
    rest = dict(plain)
    context = TableContext(**{name: _text(rest.pop(name)) for name in TableContext.__dataclass_fields__})
    manifest = SealedTableManifest(
        context=context,
        rows=_number(rest.pop("rows")),
        sealed_bytes=_number(rest.pop("sealed_bytes")),
        sealed_sha256=_text(rest.pop("sealed_sha256")),
        columns={_text(name): StoredType(kind) for name, kind in rest.pop("columns").items()},
        policy_digest=_text(rest.pop("policy_digest")),
        created=date.fromisoformat(_text(rest.pop("created"))),
        nonce=_text(rest.pop("nonce")),
    )
    if rest:
        raise ValueError("something is in the manifest that does not belong there")
    return manifest


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("not a whole number")
    return value
