"""Silos that know reach and frequency, and one that knows exposures only: one response of frequency from sums."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tomli_w

from mmm_models.panel import Panel
from mmm_models.stored_model import load_model
from server.settings import RunSettings
from simulations.federation import train_in_process
from tests.mmm_models.test_frequency_in_the_model import HALF, frequency_world

SILOS, UNITS = 4, 5


def silo_file(directory: Path, panel: Panel, silo: int) -> Path:
    """One silo's part of the panel; the last silo knows exposures only."""
    rows = []
    for unit in range(silo * UNITS, (silo + 1) * UNITS):
        for week, day in enumerate(panel.weeks):
            row: dict[str, object] = {
                "week": str(day)[:10],
                "store": panel.units[unit],
                "sales": panel.outcome[unit, week],
            }
            for channel, name in enumerate(panel.channel_names):
                row[f"{name}_spend"] = panel.spend[unit, week, channel]
                row[f"{name}_seen"] = panel.media[unit, week, channel]
            row["c0_reach"], row["c0_frequency"] = panel.reach[unit, week, 0], panel.frequency[unit, week, 0]
            rows.append(row)
    pd.DataFrame(rows).to_csv(directory / f"silo-{silo}.csv", index=False)
    channels = {name: {"spend": f"{name}_spend", "exposure": f"{name}_seen"} for name in panel.channel_names}
    if silo < SILOS - 1:
        channels["c0"] = {"spend": "c0_spend", "reach": "c0_reach", "frequency": "c0_frequency"}
    spec = {
        "silo": f"silo-{silo}",
        "data": {"path": f"silo-{silo}.csv"},
        "columns": {"week": "week", "unit": "store", "outcome": "sales", "currency": "EUR"},
        "channels": channels,
        "privacy": {"state": f"state-{silo}"},
    }
    path = directory / f"silo-{silo}.toml"
    path.write_text(tomli_w.dumps(spec), encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_federated_run_learns_how_often_is_best(tmp_path: Path) -> None:
    panel, truth = frequency_world(1)
    files = tuple(silo_file(tmp_path, panel, silo) for silo in range(SILOS))
    settings = RunSettings.model_validate(
        {"out": str(tmp_path / "run"), "weeks": panel.n_weeks, "expected-silos": SILOS}
    )
    directory = train_in_process(files, settings)

    model = load_model(directory)
    assert model.description.model.reach_frequency
    half = 3.0 * np.exp(model.response().parameters_by_name["log_half_frequency"].detach().numpy())
    assert half[0] == pytest.approx(HALF, rel=0.4)
    found = pd.read_csv(directory / "contributions.csv").set_index("channel")
    assert found.loc["c0", "contribution"] == pytest.approx(truth[0], rel=0.3)
    assert found.loc["c0", "contribution_low"] < truth[0] < found.loc["c0", "contribution_high"]
