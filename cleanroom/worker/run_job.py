"""One judged job from sealed tables to what its release says. Needs no enclave and signs nothing.

A worker calls it inside an enclave with what the owners' brokers granted; a replay calls it where it is, on tables
that are its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import duckdb

from cleanroom.datasets.opened_table import SealedSource
from cleanroom.datasets.sealed_table import table_broken
from cleanroom.release.history import History
from cleanroom.release.release_terms import Cell
from cleanroom.rules.analysis_rule import Mode
from cleanroom.worker.job import SealedState
from cleanroom.worker.judged_job import Judged
from cleanroom.worker.plan_result import USUAL_LIMITS, WorkerLimits, cells_of, result_of, unfinished
from cleanroom.worker.release_document import Moved, NoisedCells, release_body
from cleanroom.worker.released_cells import cells_code, earlier_cells, plain_cells
from cleanroom.worker.sealed_history import Committed, KnownState, StatePlace, open_state, seal_state
from privacy.sealing import new_key

__all__ = ["USUAL_LIMITS", "Access", "Finished", "WorkerLimits", "run_job"]


@dataclass(frozen=True)
class Access:
    """What opens a job's tables and its collaboration's history. No key of it ever prints.

    files: sealed files by dataset. dataset_keys: by version. committed: what every involved owner has committed to.
    """

    files: Mapping[str, BinaryIO] = field(repr=False)
    dataset_keys: Mapping[str, bytes] = field(repr=False)
    state_key: bytes = field(repr=False)
    committed: Committed = field(default_factory=dict)


@dataclass(frozen=True)
class Finished:
    """What a release will say, and the state that it leads to (None where no history is kept).

    withheld, cells: what was withheld by which rule, and the cells: only an owner's own replay reads those.
    """

    body: Mapping[str, Any]
    state: SealedState | None = field(default=None, repr=False)
    withheld: tuple[str, ...] = ()
    cells: tuple[tuple[Cell, ...], ...] = ()


def run_job(judged: Judged, access: Access, limits: WorkerLimits = USUAL_LIMITS) -> Finished:
    """Run a judged job. Raises QueryFailed, SealedTableBroken or StateRolledBack, in words that hold no data.

    Guarantee: only cells that passed `release_cells` under the strictest of the documents' terms are in the body.
    """
    try:
        if judged.is_reuse:
            return _from_earlier(judged, access)
        if judged.verdict.mode is Mode.DP:
            return _noised(judged, access, limits)
        return _remembered(judged, access, limits)
    except (duckdb.Error, MemoryError) as error:
        raise unfinished() from error


def _remembered(judged: Judged, access: Access, limits: WorkerLimits) -> Finished:
    """Threshold mode: every number is held against all that were released before."""
    place = StatePlace(judged.job.collaboration, access.state_key)
    known: KnownState = open_state(place, judged.job.candidates, access.committed)
    released = cells_of(judged, _sources(judged, access), known.history, limits)
    result = result_of(judged, released.cells)
    state = seal_state(place, known, access.committed, released.history)
    moved = Moved(known.id or "", state.id, known.is_full)
    body = release_body(judged, result, moved, None)
    return Finished(body, state, released.withheld, released.cells)


def _noised(judged: Judged, access: Access, limits: WorkerLimits) -> Finished:
    """DP mode: the budget bounds what all releases say together, so nothing is remembered."""
    unused = History.new(new_key())
    released = cells_of(judged, _sources(judged, access), unused, limits)
    result = result_of(judged, released.cells)
    body = release_body(judged, result, Moved(), _coded(judged, access, released.cells))
    return Finished(body, None, released.withheld, released.cells)


def _from_earlier(judged: Judged, access: Access) -> Finished:
    """Something else made of cells that were released before: post-processing, so it costs nothing."""
    cells = tuple(earlier_cells(judged, access.state_key))
    try:
        result = result_of(judged, cells)
    except (ValueError, KeyError, TypeError) as error:
        raise unfinished() from error
    return Finished(release_body(judged, result, Moved(), _coded(judged, access, cells)), cells=cells)


def _coded(judged: Judged, access: Access, cells: tuple[tuple[Cell, ...], ...]) -> NoisedCells:
    plain = plain_cells(cells)
    return NoisedCells(plain, cells_code(judged, plain, access.state_key))


def _sources(judged: Judged, access: Access) -> list[SealedSource]:
    """Every table's file, manifest and key; a missing one is refused like one that does not open."""
    sources = []
    for dataset, manifest in judged.manifests.items():
        file, key = access.files.get(dataset), access.dataset_keys.get(manifest.context.version)
        if file is None or key is None:
            raise table_broken()
        sources.append(SealedSource(file, manifest, key))
    return sources
