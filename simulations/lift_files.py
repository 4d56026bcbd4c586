"""A lift file read for one panel: every experiment worked out, and found in the panel before anything is fitted."""

from __future__ import annotations

from pathlib import Path

from mmm_models.experiments.lift import LiftTest
from mmm_models.experiments.lift_file import lifts_from, read_lift_file
from mmm_models.experiments.placed_lift import place
from mmm_models.panel import Panel
from simulations.lift_release import released_lift


def read_lifts(path: Path | None, panel: Panel) -> tuple[LiftTest, ...]:
    """The experiments in the file, none without one. Raises ModelError, SimulationError and RoomError with a hint."""
    if path is None:
        return ()
    lifts = lifts_from(read_lift_file(path), panel, released_lift)
    place(lifts, panel)
    return lifts
