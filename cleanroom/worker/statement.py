"""What a worker asks keys for: the question, the tables and the price, in a form that its attestation vouches for.

The worker computes it inside the enclave from its job. The attestation's user data are the statement's SHA-256 and
the attestation's nonce is made of all owners' nonces, so that every owner sees its own nonce used once, for this.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cleanroom.errors import KeyRefused
from cleanroom.rules.analysis_rule import Mode
from privacy.canonical_json import canonical_json, digest_of

FORMAT = "mixroom-statement/1"
NONCE_BYTES = 32
MOST_TABLES = 100
LONGEST_NAME = 128
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class StatedTable:
    """One table that is to be opened, under which rules."""

    dataset: str
    owner: str
    version: str
    manifest_digest: str
    policy_digest: str


@dataclass(frozen=True)
class Statement:
    """What one query is. Equal statements have equal digests.

    template: digest of the approved template that gives the plan (`template_digest`), None for a question of its own.
    reuse: cells that were released before are presented anew; no table is opened and nothing is charged.
    nonces: owner -> 32 bytes that its broker gave out for one use.
    """

    collaboration: str
    query_id: str
    asker: str
    plan_digest: str
    mode: Mode
    template: str | None
    reuse: bool
    epsilon: float
    delta: float
    tables: tuple[StatedTable, ...]
    nonces: Mapping[str, bytes]

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", tuple(sorted(self.tables, key=lambda table: table.dataset)))
        object.__setattr__(self, "nonces", MappingProxyType(dict(self.nonces)))

    @property
    def owners(self) -> tuple[str, ...]:
        """The owners of the tables, by name: those whose brokers are asked."""
        return tuple(sorted({table.owner for table in self.tables}))

    def to_plain(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "format": FORMAT,
            "collaboration": self.collaboration,
            "query_id": self.query_id,
            "asker": self.asker,
            "plan_digest": self.plan_digest,
            "mode": self.mode.value,
            "template": self.template,
            "reuse": self.reuse,
            "charge": {"epsilon": self.epsilon, "delta": self.delta},
            "tables": [
                {
                    "dataset": table.dataset,
                    "owner": table.owner,
                    "version": table.version,
                    "manifest_digest": table.manifest_digest,
                    "policy_digest": table.policy_digest,
                }
                for table in self.tables
            ],
            "nonces": plain_nonces(self.nonces),
        }

    @classmethod
    def of(cls, plain: object) -> Statement:
        """From what `to_plain` gave. Raises KeyRefused for anything else, with words that name no part of it."""
        try:
            statement = _read(plain)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            raise _refused() from None
        if statement.to_plain() != plain:  # another order of tables, another spelling of a number
            raise _refused()
        return statement

    def digest(self) -> bytes:
        """SHA-256 of the canonical text, 32 bytes: the attestation's user data."""
        return hashlib.sha256(canonical_json(self.to_plain())).digest()


def nonce_of(nonces: Mapping[str, bytes]) -> bytes:
    """The attestation's nonce: one value that all owners' nonces are in, 32 bytes."""
    return hashlib.sha256(canonical_json({"nonces": plain_nonces(nonces)})).digest()


def plain_nonces(nonces: Mapping[str, bytes]) -> dict[str, str]:
    """Owner -> hexadecimal digits."""
    return {owner: nonce.hex() for owner, nonce in sorted(nonces.items())}


def nonces_from(plain: object) -> dict[str, bytes]:
    """From what `plain_nonces` gave. Raises ValueError, TypeError or KeyError for anything else."""
    if not isinstance(plain, Mapping) or not 1 <= len(plain) <= MOST_TABLES:
        raise TypeError("not a mapping of nonces")
    return {_name(owner): bytes.fromhex(_digest(nonce)) for owner, nonce in plain.items()}


def template_digest(name: str, sql: str) -> str:
    """Names an approved template; the values of its parameters are the asker's own and not in it."""
    return digest_of({"name": name, "sql": sql})


def _read(plain: object) -> Statement:
    if not isinstance(plain, Mapping):
        raise TypeError("not a mapping")
    rest = dict(plain)
    if rest.pop("format") != FORMAT:
        raise ValueError("another format")
    charge = _exactly(rest.pop("charge"), {"epsilon", "delta"})
    template = rest.pop("template")
    statement = Statement(
        collaboration=_name(rest.pop("collaboration")),
        query_id=_name(rest.pop("query_id")),
        asker=_name(rest.pop("asker")),
        plan_digest=_digest(rest.pop("plan_digest")),
        mode=Mode(rest.pop("mode")),
        template=None if template is None else _digest(template),
        reuse=_truth(rest.pop("reuse")),
        epsilon=_amount(charge["epsilon"]),
        delta=_amount(charge["delta"]),
        tables=tuple(_tables(rest.pop("tables"))),
        nonces=nonces_from(rest.pop("nonces")),
    )
    if rest or set(statement.nonces) != set(statement.owners):
        raise ValueError("something is missing, or does not belong there")
    if len({table.dataset for table in statement.tables}) != len(statement.tables):
        raise ValueError("a dataset twice")
    return statement


def _tables(plain: object) -> Iterator[StatedTable]:
    if not isinstance(plain, list) or not 1 <= len(plain) <= MOST_TABLES:
        raise TypeError("not a list of tables")
    for item in plain:
        table = _exactly(item, set(StatedTable.__dataclass_fields__))
        yield StatedTable(
            dataset=_name(table["dataset"]),
            owner=_name(table["owner"]),
            version=_name(table["version"]),
            manifest_digest=_digest(table["manifest_digest"]),
            policy_digest=_digest(table["policy_digest"]),
        )


def _exactly(plain: object, names: set[str]) -> Mapping[str, Any]:
    if not isinstance(plain, Mapping) or set(plain) != names:
        raise TypeError("not these parts")
    return plain


def _name(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_NAME or not value.isprintable():
        raise TypeError("not a name")
    return value


def _digest(value: object) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise TypeError("not a digest")
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("neither true nor false")
    return value


def _amount(value: object) -> float:
    """A whole number is taken for the same float: JSON writers differ in how they write 1.0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise TypeError("not an amount")
    return float(value)


def _refused() -> KeyRefused:
    return KeyRefused("this is no worker's statement; no key was released", hint="ask again")
