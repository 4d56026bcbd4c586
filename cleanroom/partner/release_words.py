"""What a verified release proves and what it does not, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cleanroom.rules.analysis_rule import Mode
from cleanroom.worker.statement import Statement
from privacy.enclave.attestation_verifier import Attested

NOT_PROVED = (
    "that the attested code is free of mistakes",
    "that the tables are true, or complete",
    "whether anything was withheld: no release says so",
)
NOT_PROVED_EMULATED = (
    "that nobody looked into the worker or attested something else in its place: the enclave is emulated and does not "
    "protect against the root of the machine it ran on",
    *NOT_PROVED,
)


def proved_words(
    body: Mapping[str, Any], statement: Statement, attested: Attested, measurements: Mapping[str, str]
) -> list[str]:
    """One line per thing that was proved. `measurements`: register 0 in hex -> whose it is, in words."""
    code = attested.measurement.code
    root = "an emulated enclave's" if attested.is_emulated else "not an emulated one's"
    return [
        f"signed by a worker that the root {attested.root_fingerprint}, pinned on joining, attested at "
        f"{attested.issued:%Y-%m-%d %H:%M} UTC; that root is {root}",
        f"the worker ran code with measurement {code[:16]}, {measurements[code]}",
        f"it was attested for this question alone, with one-time numbers of {', '.join(sorted(statement.nonces))}",
        f"answers query {body['query_id']} of {body['asked_by']}",
        f"the result belongs to plan {body['plan_digest'][:16]}",
        f"{_protection(body['protection'])}; charged: {_price(statement)}",
        f"made from {', '.join(f'{table.dataset} {table.version}' for table in statement.tables)}",
        *_history(body["history"]),
    ]


def not_proved_words(body: Mapping[str, Any], attested: Attested) -> tuple[str, ...]:
    """One line per thing that no signature says."""
    rest = NOT_PROVED_EMULATED if attested.is_emulated else NOT_PROVED
    if body["earlier"] is None:
        return rest
    shown = f"that its numbers are those of query {body['earlier']['query_id']}, released before: that holds as far as "
    return (f"{shown}every owner is honest, as all share the room's key", *rest)


def _protection(protection: Mapping[str, Any]) -> str:
    """Noise protects groups of any size, so none is named there."""
    if protection["mode"] == Mode.DP:
        return f"differential privacy, epsilon {protection['epsilon']:g}, delta {protection['delta']:g}"
    return f"{protection['mode']} protection, groups of {protection['min_group_size']} or more"


def _price(statement: Statement) -> str:
    if statement.reuse:
        return "nothing, as its noised numbers were released before"
    return f"epsilon {statement.epsilon:g}, delta {statement.delta:g}" if statement.epsilon else "no epsilon"


def _history(history: Mapping[str, Any]) -> list[str]:
    """Threshold releases say from which record of earlier releases they started, and which one they left."""
    if not history["after"]:
        return []
    before = history["before"][:16] or "nothing"
    return [f"checked against the record of earlier releases: from {before} to {history['after'][:16]}"]
