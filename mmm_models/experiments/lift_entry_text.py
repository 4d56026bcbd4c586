"""An experiment as an entry of a lift file, added to it as text."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import tomli_w

from mmm_models.experiments.lift import LiftTest
from mmm_models.experiments.lift_file import read_lift_file
from mmm_models.panel import DAYS_PER_WEEK


def lift_entry_text(lift: LiftTest) -> str:
    """The `[[lift]]` table that says the same; TOML."""
    entry: dict[str, Any] = {
        "channel": lift.channel,
        "start": lift.first_week,
        "end": lift.last_week + timedelta(days=DAYS_PER_WEEK - 1),
        "lift": lift.lift,
        "standard_error": lift.standard_error,
        "change": lift.change,
        "source": lift.source,
    }
    if lift.units is not None:
        entry["units"] = list(lift.units)
    return "[[lift]]\n" + tomli_w.dumps(entry)


def add_lift(lift: LiftTest, path: Path) -> None:
    """At the end of the lift file, which is made when it is not there; what was in it stays as it was.

    Raises `LiftFileInvalid`, with the file unchanged, when it cannot be read.
    """
    before = ""
    if path.exists():
        read_lift_file(path)
        before = path.read_text(encoding="utf-8").rstrip("\n") + "\n\n"
    path.write_text(before + lift_entry_text(lift), encoding="utf-8")
