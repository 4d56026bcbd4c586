"""A silo's own look at its units' fit; written on its own disk, never sent."""

import csv
from dataclasses import astuple, fields
from pathlib import Path

from mmm_models.results import UnitFit


def save_unit_fits(fits: tuple[UnitFit, ...], directory: Path) -> Path:
    """Write `holdout_units.csv`: one row per unit."""
    path = directory / "holdout_units.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(UnitFit)])
        writer.writerows(astuple(fit) for fit in fits)
    return path
