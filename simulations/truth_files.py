"""What is true of a world as open files: a summary (JSON), channels (CSV), every unit and week (Parquet)."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulations.errors import TruthUnreadable
from simulations.silo_files import csv_bytes
from simulations.world import ChannelTruth, SiloTruth, World


@dataclass(frozen=True)
class WorldTruth:
    """The truth a result is compared with; money and the outcome are in `currency`."""

    scenario: str
    seed: int
    currency: str
    total_outcome: float
    channels: tuple[ChannelTruth, ...]


def truth_of(world: World) -> WorldTruth:
    """The summary of a world."""
    scenario = world.scenario
    return WorldTruth(
        scenario.name, scenario.seed, scenario.currency, world.total_outcome, world.channel_truths()
    )


def truth_json(truth: WorldTruth) -> str:
    """JSON of every field; a number that does not exist (the ROI of free media) is null."""
    content = asdict(truth)
    content["channels"] = [
        {key: _or_null(value) for key, value in row.items()} for row in content["channels"]
    ]
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def truth_from_json(text: str) -> WorldTruth:
    """The inverse of `truth_json`. Raises `TruthUnreadable`."""
    try:
        content = json.loads(text)
        channels = tuple(_channel(row) for row in content.pop("channels"))
        truth = WorldTruth(**content, channels=channels)
        if not (isinstance(truth.total_outcome, int | float) and truth.total_outcome > 0):
            raise ValueError(f"total_outcome is {truth.total_outcome!r}")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise TruthUnreadable(
            f"the truth is damaged: {error}", hint="write the world again with `mixroom world`"
        ) from error
    return truth


def contributions_csv(truth: WorldTruth) -> bytes:
    """channel, contribution, share, roi, marginal_roi: the columns a run's results have."""
    columns = ("contribution", "share", "roi", "marginal_roi")
    values = {name: [_or_null(getattr(row, name)) for row in truth.channels] for name in columns}
    typed = {name: pa.array(column, pa.float64()) for name, column in values.items()}
    return csv_bytes(pa.table({"channel": [row.name for row in truth.channels], **typed}))


def weekly_parquet(world: World) -> bytes:
    """silo, unit, week, channel, contribution, baseline; baseline is what would have been sold without media
    in that unit and week, the same for each of its channels. Noise is in neither."""
    tables = [_weekly_table(silo) for silo in world.silos]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.concat_tables(tables).unify_dictionaries(), sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def _weekly_table(silo: SiloTruth) -> pa.Table:
    panel = silo.panel
    shape = (panel.n_units, panel.n_weeks, panel.n_channels)
    unit, week, channel = (axis.ravel() for axis in np.indices(shape, dtype=np.int32))
    return pa.table(
        {
            "silo": _named(np.zeros(unit.size, dtype=np.int32), (panel.silo,)),
            "unit": _named(unit, panel.units),
            "week": pa.array(panel.weeks.astype("datetime64[D]")[week]),
            "channel": _named(channel, panel.channel_names),
            "contribution": silo.contribution.ravel(),
            "baseline": np.repeat(silo.baseline.ravel(), panel.n_channels),
        }
    )


def _named(codes: np.ndarray[Any, np.dtype[np.int32]], names: tuple[str, ...]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(codes, pa.array(names))


def _channel(row: dict[str, Any]) -> ChannelTruth:
    numbers = {
        key: math.nan if value is None else float(value) for key, value in row.items() if key != "name"
    }
    return ChannelTruth(name=str(row["name"]), **numbers)


def _or_null(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
