"""Released cells as JSON has them, and the proof that noised ones came from a worker of this collaboration.

Noised cells are in their release, so that the same numbers can be put into another table again at no price. A
release that was made anew is only as good as these cells are genuine: their code is keyed with the state key.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cleanroom.errors import QueryFailed
from cleanroom.release.release_terms import Cell
from cleanroom.worker.judged_job import Judged
from privacy.canonical_json import canonical_json, digest_of
from privacy.errors import PrivacyError
from privacy.sealing import derive_key

_PURPOSE = b"mixroom released cells 1\0"


def cells_code(judged: Judged, cells: list[list[dict[str, Any]]], state_key: bytes) -> str:
    """HMAC-SHA256 of the cells, of what they were asked for, of which tables, and how much noise they carry.

    64 hexadecimal digits. It stands in the release as `cells_mac`.
    """
    verdict = judged.verdict
    meaning = {
        "collaboration": judged.job.collaboration,
        "releases_digest": judged.job.plan.releases_digest(),
        "policies": policies_of(judged),
        "datasets": datasets_of(judged),
        "epsilon": verdict.epsilon,
        "delta": verdict.delta,
        "cells": cells,
    }
    key = derive_key(state_key, _PURPOSE + judged.job.collaboration.encode())
    return hmac.new(key, canonical_json(meaning), hashlib.sha256).hexdigest()


def earlier_cells(judged: Judged, state_key: bytes) -> list[tuple[Cell, ...]]:
    """The cells of the release that the job wants presented anew.

    Raises QueryFailed unless a worker of this collaboration released them for the same numbers, of the same tables,
    under the same rules and with the same noise.
    """
    try:
        body = _mapping(_mapping(judged.job.reuse)["body"])
        expected = cells_code(judged, body["cells"], state_key)
        if not hmac.compare_digest(_word(body["cells_mac"]).encode("utf-8", "replace"), expected.encode()):
            raise ValueError("not a worker's cells")
        return cells_again(body["cells"])
    except (PrivacyError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise QueryFailed(
            "the earlier release's numbers cannot be used again; nothing was released", hint="ask anew"
        ) from error


def policies_of(judged: Judged) -> list[dict[str, Any]]:
    """The rules that were applied, as a release names them."""
    return [
        {
            "dataset": table.document.dataset,
            "owner": table.owner,
            "digest": digest_of(table.document.canonical()),
        }
        for table in sorted(judged.job.tables, key=lambda table: table.document.dataset)
    ]


def datasets_of(judged: Judged) -> list[dict[str, Any]]:
    """The tables that the numbers are of, as a release names them."""
    return [
        {
            "dataset": dataset,
            "version": manifest.context.version,
            "sealed_sha256": manifest.sealed_sha256,
        }
        for dataset, manifest in sorted(judged.manifests.items())
    ]


def plain_cells(cells: Sequence[Sequence[Cell]]) -> list[list[dict[str, Any]]]:
    """The released cells of every release node as JSON has them."""
    return [
        [
            {
                "grouping_set": cell.grouping_set,
                "keys": [plain_value(key) for key in cell.keys],
                "values": [plain_value(value) for value in cell.values],
            }
            for cell in released
        ]
        for released in cells
    ]


def cells_again(plain: Sequence[Sequence[dict[str, Any]]]) -> list[tuple[Cell, ...]]:
    """What `plain_cells` wrote; days stay text, which the engine reads as days."""
    return [
        tuple(Cell(cell["grouping_set"], tuple(cell["keys"]), tuple(cell["values"])) for cell in released)
        for released in plain
    ]


def plain_value(value: object) -> Any:
    """A value of the result as JSON has it."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if value == value and abs(value) != float("inf") else None
        case Decimal():
            return float(value)
        case datetime() | date():
            return value.isoformat()
    return str(value)


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("not a mapping")
    return value


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
