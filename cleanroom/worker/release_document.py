"""What a release says: the result, what was asked, under which rules, of which tables, at which price, by whom.

The body is made first, without anything that says where it was made; whoever signs it adds that. In an enclave those
are the attestation document, the statement that it vouches for, and the measurement.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cleanroom.rules.analysis_rule import Mode
from cleanroom.worker.judged_job import Judged
from cleanroom.worker.released_cells import datasets_of, policies_of
from cleanroom.worker.statement import Statement
from privacy.canonical_json import digest_of

FORMAT = "mixroom-release/2"
KIND = "release"
UNIT = "one person: all rows of all tables under one identity"


@dataclass(frozen=True)
class ResultTable:
    """Columns as (title, engine type), and rows of plain JSON values."""

    columns: tuple[tuple[str, str], ...]
    rows: Sequence[Sequence[Any]]

    def to_plain(self) -> dict[str, Any]:
        """As it stands in the document."""
        columns = [{"name": title, "type": kind.lower()} for title, kind in self.columns]
        return {"columns": columns, "rows": [list(row) for row in self.rows]}


@dataclass(frozen=True)
class Moved:
    """The ids of the difference states that the release read and left; empty where none is kept.

    Every threshold release of a collaboration starts where one before it ended. is_full: before this question the
    history held as many numbers as can be checked against each other, so that none it did not already imply can be
    released.
    """

    before: str = ""
    after: str = ""
    is_full: bool = False


@dataclass(frozen=True)
class NoisedCells:
    """The cells of a noised release as JSON has them, and their code (`cells_code`)."""

    cells: list[list[dict[str, Any]]]
    code: str


FULL = (
    "; the record of earlier releases is full: only numbers that those already imply are released, so found a new "
    "collaboration for other questions"
)


def notice(mode: Mode, min_group_size: int) -> str:
    """What every answer says of withholding. It is the same whether anything was withheld or not."""
    if mode is Mode.DP:
        return "every number carries noise; groups of few people may not appear, and groups that appear may be empty"
    return (
        f"numbers of fewer than {min_group_size} people, or that could be derived for so few with other releases, "
        "are withheld without being counted or marked apart from groups that do not exist"
    )


def release_body(
    judged: Judged, result: ResultTable, moved: Moved, noised: NoisedCells | None
) -> dict[str, Any]:
    """What the release says, wherever it is made. `noised`: in dp mode."""
    plain, verdict, job = result.to_plain(), judged.verdict, judged.job
    epsilon, delta = judged.charge
    return {
        "format": FORMAT,
        "collaboration": job.collaboration,
        "query_id": job.query_id,
        "asked_by": job.asker,
        "issued_on": job.asked_on.isoformat(),
        "plan": job.plan.model_dump(mode="json"),
        "plan_digest": job.plan.digest(),
        "result": plain,
        "result_digest": digest_of(plain),
        "notice": notice(verdict.mode, verdict.min_group_size) + (FULL if moved.is_full else ""),
        "protection": {
            "mode": verdict.mode.value,
            "min_group_size": verdict.min_group_size,
            "largest_share": min(terms.largest_share for terms in verdict.releases),
            "epsilon": verdict.epsilon,
            "delta": verdict.delta,
            "unit": UNIT,
        },
        "policies": policies_of(judged),
        "datasets": datasets_of(judged),
        "charge": {"epsilon": epsilon, "delta": delta, "query_id": job.query_id},
        "history": {"before": moved.before, "after": moved.after, "full": moved.is_full},
        "cells": None if noised is None else noised.cells,
        "cells_mac": None if noised is None else noised.code,
        "earlier": None if job.reuse is None else _earlier(job.reuse),
    }


@dataclass(frozen=True)
class Origin:
    """Where a release was made: what the worker stated, the document that vouches for it, and who gave it keys.

    measurement: register 0 in hexadecimal digits. approvals: owner -> signed document (`key_approval`).
    """

    statement: Statement
    attestation: bytes
    measurement: str
    approvals: Mapping[str, Mapping[str, Any]]


def attested_body(body: Mapping[str, Any], origin: Origin) -> dict[str, Any]:
    """The body with where it was made."""
    document = base64.b64encode(origin.attestation).decode()
    return {
        **body,
        "measurement": origin.measurement,
        "statement": origin.statement.to_plain(),
        "attestation": {"document": document, "sha256": hashlib.sha256(origin.attestation).hexdigest()},
        "approvals": {owner: dict(approval) for owner, approval in origin.approvals.items()},
    }


def unattested_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a release that was made outside any enclave, which it says."""
    return {**body, "measurement": None, "statement": None, "attestation": None, "approvals": {}}


def _earlier(release: Mapping[str, Any]) -> dict[str, str]:
    """The release whose cells are presented anew; its own attestation says where those were made."""
    return {"query_id": str(release["body"]["query_id"]), "release_digest": digest_of(release)}
