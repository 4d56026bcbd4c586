"""Silos of unusual shape on disk, each with the silo file that describes it and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tests.mmm_models.panel_files import write_spec

Array = NDArray[np.float64]
FIRST_WEEK = "2021-01-04"


def flights(rng: np.random.Generator, units: int, weeks: int, channels: int) -> Array:
    """Media that run about half of the time, in blocks of four weeks `[unit, week, channel]`."""
    blocks = rng.random((units, weeks // 4 + 1, channels)) < 0.5
    return np.repeat(blocks, 4, axis=1)[:, :weeks] * rng.gamma(4.0, 0.25, (units, weeks, channels))


def sales(rng: np.random.Generator, media: Array, effect: float = 0.06) -> Array:
    """Money near 10,000 a week: a season, noise of 4 %, and `effect` times every channel's media `[unit, week]`."""
    weeks = media.shape[1]
    season = 0.1 * np.sin(2 * np.pi * np.arange(weeks) * 7 / 365.25)
    noise = 0.04 * rng.standard_normal(media.shape[:2])
    return np.round(10_000.0 * np.maximum(1.0 + season + effect * media.sum(axis=-1) + noise, 0.0), 2)


def long_table(values: dict[str, Array], unit: str, week: str) -> pd.DataFrame:
    """One row per unit and week from `[unit, week]` arrays."""
    units, weeks = next(iter(values.values())).shape
    days = pd.date_range(FIRST_WEEK, periods=weeks, freq="7D").strftime("%Y-%m-%d")
    columns: dict[str, Any] = {unit: np.repeat([f"geo {u}" for u in range(units)], weeks)}
    columns[week] = np.tile(days, units)
    return pd.DataFrame({**columns, **{name: array.ravel() for name, array in values.items()}})


def write_shape(folder: Path, frame: pd.DataFrame, spec: dict[str, Any], **csv: Any) -> Path:
    """Table and silo file in `folder`; returns the silo file."""
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / "table.csv", index=False, **csv)
    data = {"path": "table.csv", **spec.get("data", {})}
    return write_spec(folder, {"silo": "north", **spec, "data": data})


def reach_and_frequency(folder: Path) -> Path:
    """Six regions; video known by reach and contacts per viewer, search by spend."""
    rng = np.random.default_rng(1)
    media = flights(rng, 6, 120, 2)
    frequency: Array = np.where(media[..., 0] > 0, 1.0 + rng.gamma(4.0, 0.5, (6, 120)), 0.0)
    reach = np.round(50_000 * media[..., 0] / np.where(frequency > 0, frequency, 1.0))
    table = long_table(
        {
            "sales": sales(rng, media),
            "viewers": reach,
            "contacts": np.asarray(np.round(frequency, 3), dtype=np.float64),
            "video cost": np.round(400 * media[..., 0], 2),
            "search cost": np.round(300 * media[..., 1], 2),
        },
        "region",
        "week",
    )
    channels = {
        "video": {"spend": "video cost", "reach": "viewers", "frequency": "contacts"},
        "search": {"spend": "search cost"},
    }
    columns = {"week": "week", "unit": "region", "outcome": "sales", "outcome_unit": "EUR"}
    return write_shape(folder, table, {"columns": columns, "channels": channels})


def national_media_in_regions(folder: Path) -> Path:
    """Eight regions in which every channel runs the same each week, per head."""
    rng = np.random.default_rng(2)
    media = np.repeat(flights(rng, 1, 130, 2), 8, axis=0)
    people = np.linspace(1e5, 8e5, 8)[:, None]
    values: dict[str, Array] = {
        "sales": sales(rng, media) * people / 1e5,
        "people": np.repeat(people, 130, axis=1),
    }
    values |= {
        name: np.round(300 * media[..., i] * people / 1e5, 2) for i, name in enumerate(("tv", "radio"))
    }
    columns = {"week": "week", "unit": "region", "outcome": "sales", "population": "people"}
    spec = {"columns": columns, "channels": {name: {"spend": name} for name in ("tv", "radio")}}
    return write_shape(folder, long_table(values, "region", "week"), spec)


def two_geos(folder: Path) -> Path:
    """Two regions, two and a half years, three channels."""
    rng = np.random.default_rng(3)
    media = flights(rng, 2, 130, 3)
    names = ("tv", "radio", "social")
    values = {"sales": sales(rng, media)}
    values |= {name: np.round(300 * media[..., i], 2) for i, name in enumerate(names)}
    columns = {"week": "week", "unit": "region", "outcome": "sales"}
    spec = {"columns": columns, "channels": {name: {"spend": name} for name in names}}
    return write_shape(folder, long_table(values, "region", "week"), spec)


def many_geos_without_spend(folder: Path) -> Path:
    """190 regions, three years, 13 channels known by impressions alone, orders instead of money."""
    rng = np.random.default_rng(4)
    media = flights(rng, 190, 156, 13)
    values = {"orders": np.round(sales(rng, media, effect=0.02) / 20)}
    values |= {f"imp_{i:02d}": np.round(20_000 * media[..., i]) for i in range(13)}
    columns = {"week": "week", "unit": "dma", "outcome": "orders", "outcome_unit": "orders"}
    channels = {f"channel {i}": {"exposure": f"imp_{i:02d}"} for i in range(13)}
    return write_shape(folder, long_table(values, "dma", "week"), {"columns": columns, "channels": channels})


def silent_for_years(folder: Path) -> Path:
    """Ten regions, four years; cinema ran in the first year only, podcast began in the held-out weeks."""
    rng = np.random.default_rng(5)
    media = flights(rng, 10, 208, 3)
    media[:, 52:, 1] = 0.0
    media[:, :190, 2] = 0.0
    names = ("tv", "cinema", "podcast")
    values = {"sales": sales(rng, media)}
    values |= {name: np.round(300 * media[..., i], 2) for i, name in enumerate(names)}
    columns = {"week": "week", "unit": "region", "outcome": "sales"}
    spec = {"columns": columns, "channels": {name: {"spend": name} for name in names}}
    return write_shape(folder, long_table(values, "region", "week"), spec)


def german_export(folder: Path) -> Path:
    """Semicolons, decimal commas, thousands points, day.month.year, names with spaces and umlauts, cp1252."""
    rng = np.random.default_rng(6)
    media = flights(rng, 4, 110, 2)
    values = {
        "Umsatz (netto)": sales(rng, media),
        "TV Ausgaben": np.round(3000 * media[..., 0], 2),
        "Außenwerbung": np.round(2000 * media[..., 1], 2),
        "Ø Preis": np.round(10 + rng.standard_normal((4, 110)), 2),
    }
    table = long_table(values, "Filiale", "Woche ab")
    table["Woche ab"] = pd.to_datetime(table["Woche ab"]).dt.strftime("%d.%m.%Y")
    for name in values:
        table[name] = [f"{value:,.2f}".translate(str.maketrans(",.", ".,")) for value in table[name]]
    spec = {
        "data": {"decimal": ",", "thousands": ".", "encoding": "cp1252"},
        "columns": {
            "week": "Woche ab",
            "unit": "Filiale",
            "outcome": "Umsatz (netto)",
            "outcome_unit": "EUR",
        },
        "channels": {"TV": {"spend": "TV Ausgaben"}, "Außen": {"spend": "Außenwerbung"}},
        "controls": {"columns": ["Ø Preis"]},
    }
    return write_shape(folder, table, spec, sep=";", encoding="cp1252")


def short_history(folder: Path, weeks: int, **data: Any) -> Path:
    """One national series of so many weeks with three channels."""
    rng = np.random.default_rng(7)
    media = flights(rng, 1, weeks, 3) + 0.01
    values = {"sales": sales(rng, media)}
    values |= {name: np.round(300 * media[..., i], 2) for i, name in enumerate("abc")}
    table = long_table(values, "region", "week").drop(columns="region")
    spec = {
        "data": data,
        "columns": {"week": "week", "outcome": "sales"},
        "channels": {name: {"spend": name} for name in "abc"},
    }
    return write_shape(folder, table, spec)
