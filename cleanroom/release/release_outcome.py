"""What a release stage hands back to the worker."""

from __future__ import annotations

from dataclasses import dataclass, field

from cleanroom.release.history import History
from cleanroom.release.release_terms import Cell, Diagnosis


@dataclass(frozen=True)
class ReleaseOutcome:
    """The cells, in canonical order; the history to keep; why numbers were withheld (never part of a release)."""

    cells: tuple[Cell, ...]
    history: History
    diagnosis: Diagnosis = field(default_factory=Diagnosis, repr=False)
