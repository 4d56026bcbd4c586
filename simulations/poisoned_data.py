"""A silo that lies in its own files: the table it trains on is not what happened."""

from enum import StrEnum
from pathlib import Path

import numpy as np
import pandas as pd

from mmm_models.intake.silo_file import read_silo_spec
from mmm_models.intake.silo_spec import SiloSpec

SHIFT_WEEKS = 13
SCALE = 100.0
INVENTED_SHARE = 1.0  # at usual media, the invented effect doubles sales


class DataLie(StrEnum):
    """What is wrong with the table, in every unit."""

    SHIFTED = "outcome a quarter late"
    MIRRORED = "outcome mirrored around its mean"
    SCALED = "outcome times 100"
    SWAPPED = "two channels' names swapped"
    INVENTED = "a channel's effect invented"


def poison_data(silo_file: Path, lie: DataLie, *, copies: int = 1) -> None:
    """Rewrite the silo's table in place; with `copies` above 1 every unit comes that often, under new names."""
    spec = read_silo_spec(silo_file)
    table = pd.read_csv(spec.data_path)
    lied = _lied(table, spec, lie)
    unit = str(spec.columns.unit)
    crowd = [lied.assign(**{unit: lied[unit] + f"-{number}"}) for number in range(1, copies)]
    pd.concat([lied, *crowd]).to_csv(spec.data_path, index=False)


def _lied(table: pd.DataFrame, spec: SiloSpec, lie: DataLie) -> pd.DataFrame:
    outcome, unit = spec.columns.outcome, spec.columns.unit
    units = table.groupby(unit, sort=False)[outcome]
    mean = units.transform("mean")
    first, *_, last = spec.channels
    if lie is DataLie.SHIFTED:
        changed = units.transform(lambda series: np.roll(series.to_numpy(), SHIFT_WEEKS))
    elif lie is DataLie.MIRRORED:
        changed = (2 * mean - table[outcome]).clip(lower=0.0)
    elif lie is DataLie.SCALED:
        changed = SCALE * table[outcome]
    elif lie is DataLie.SWAPPED:
        return table.rename(columns=_swapped(spec, first, last))
    else:
        media = table[spec.channels[first].exposure]
        usual = media.groupby(table[unit]).transform("mean").clip(lower=1.0)
        changed = table[outcome] + INVENTED_SHARE * mean * media / usual
    return table.assign(**{outcome: changed.round(2)})


def _swapped(spec: SiloSpec, first: str, last: str) -> dict[str, str]:
    """Old column -> new column for the spend and exposure of two channels."""
    one, other = spec.channels[first], spec.channels[last]
    pairs = [(one.spend, other.spend), (one.exposure, other.exposure)]
    there = [(a, b) for a, b in pairs if a and b]
    return {**dict(there), **{b: a for a, b in there}}
