"""One silo of a world as the two files a real silo would have: its silo file and its table."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import tomli_w

from mmm_models.panel import Panel
from simulations.scenario import (
    HOLIDAY,
    OUTCOME_COLUMN,
    POPULATION_COLUMN,
    PROMOTION,
    UNIT_COLUMN,
    WEEK_COLUMN,
    Scenario,
)
from simulations.scenario_tables import ChannelSpec

USUAL_MIN_WEEKS = 26
USUAL_MIN_SILOS, FEWEST_SILOS = 3, 2


def silo_toml(scenario: Scenario, panel: Panel) -> str:
    """The silo file: what docs/data-format.md describes, without the channels this silo lacks."""
    content: dict[str, Any] = {
        "silo": panel.silo,
        "data": {"path": f"{panel.silo}.csv"},
        "columns": {
            "week": WEEK_COLUMN,
            "unit": UNIT_COLUMN,
            "outcome": OUTCOME_COLUMN,
            "outcome_unit": scenario.currency,
            "population": POPULATION_COLUMN,
        },
        "channels": {},
        "organic": {},
        "controls": {"columns": [name for name in panel.control_names if name != PROMOTION]},
        "treatments": {"columns": [PROMOTION]},
        "privacy": _privacy(panel.silo),
    }
    if panel.n_weeks < USUAL_MIN_WEEKS:
        content["data"]["min_weeks"] = panel.n_weeks
    if scenario.silos < USUAL_MIN_SILOS:
        content["privacy"]["min_silos"] = FEWEST_SILOS
    for index, channel in _channels_here(scenario, panel):
        content["channels" if channel.spend_column else "organic"][channel.name] = _channel(
            channel, is_constant=bool((np.ptp(panel.media[..., index], axis=1) == 0).all())
        )
    header = f"# {panel.silo} of the known-truth world {scenario.name!r}, seed {scenario.seed}\n"
    return header + tomli_w.dumps({key: value for key, value in content.items() if value})


def silo_csv(scenario: Scenario, panel: Panel) -> bytes:
    """The table: one row per unit and week; reading it gives the panel's numbers back exactly."""
    units, weeks = panel.n_units, panel.n_weeks
    columns = {
        WEEK_COLUMN: pa.array(np.tile(panel.weeks.astype("datetime64[D]"), units)),
        UNIT_COLUMN: pa.array([unit for unit in panel.units for _ in range(weeks)]),
        OUTCOME_COLUMN: panel.outcome.ravel(),
        POPULATION_COLUMN: np.repeat(panel.population, weeks).astype(np.int64),
    }
    for index, channel in _channels_here(scenario, panel):
        if channel.spend_column:
            columns[channel.spend_column] = panel.spend[..., index].ravel()
        columns[channel.exposure_column] = panel.media[..., index].ravel().astype(np.int64)
    for index, name in enumerate(panel.control_names):
        values = panel.controls[..., index].ravel()
        columns[name] = values.astype(np.int64) if name in (HOLIDAY, PROMOTION) else values
    return csv_bytes(pa.table(columns))


def csv_bytes(table: pa.Table) -> bytes:
    """CSV without quotes, missing numbers as empty cells; fast for wide tables."""
    sink = pa.BufferOutputStream()
    pa_csv.write_csv(table, sink, pa_csv.WriteOptions(quoting_style="none", quoting_header="none"))
    return bytes(sink.getvalue().to_pybytes())


def _privacy(silo: str) -> dict[str, Any]:
    """Silos of one world share a directory. They are throw-away: deleting a silo's folder starts it anew.

    So their ledgers are witnessed in that same folder, which protects nothing; a real silo's are elsewhere.
    """
    folder = f".mixroom/{silo}"
    return {"state": folder, "ledger_witness": folder}


def _channels_here(scenario: Scenario, panel: Panel) -> list[tuple[int, ChannelSpec]]:
    """Channels this silo has, with their place in the panel."""
    return [
        (index, channel)
        for index, channel in enumerate(scenario.channels)
        if panel.silo not in channel.absent_in
    ]


def _channel(channel: ChannelSpec, *, is_constant: bool) -> dict[str, str | bool]:
    entry: dict[str, str | bool] = {"spend": channel.spend_column} if channel.spend_column else {}
    entry |= {"exposure": channel.exposure_column, "exposure_unit": channel.exposure_unit}
    return entry | ({"allow_constant": True} if is_constant else {})
