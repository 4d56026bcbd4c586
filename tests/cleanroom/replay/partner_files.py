"""Three partners' tables as Parquet files, small, random under a fixed seed; hostile rows where they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

FIRST_DAY = datetime(2026, 3, 1)
SEGMENTS = ("loyal", "vip", "new", "lapsed", "prospect")
REGIONS = ("north", "south", "east", "west")
AGES = ("18-29", "30-44", "45-59", "60-89")
CAMPAIGNS, CHANNELS = ("spring", "launch", "brand"), ("tv", "social", "search", "display")
Row = tuple[object, ...]


@dataclass
class PartnerRows:
    """Rows of the three tables."""

    random: Random
    exposures: list[Row] = field(default_factory=list)
    conversions: list[Row] = field(default_factory=list)
    crm: list[Row] = field(default_factory=list)

    def expose(self, person: str, campaign: str, channel: str, minutes: int, cost: float) -> None:
        """One impression."""
        self.exposures.append((person, campaign, channel, FIRST_DAY + timedelta(minutes=minutes), cost))

    def convert(self, person: str, value: float) -> None:
        """One order, five days or more after the first impression of anybody."""
        moment = FIRST_DAY + timedelta(days=5, minutes=self.random.randrange(30 * 1440))
        self.conversions.append((person, f"{len(self.conversions):08d}", moment, round(value, 2)))


def write_tables(folder: Path, *, people: int = 4000, hostile: bool) -> None:
    """exposures.parquet, conversions.parquet and crm.parquet."""
    rows = PartnerRows(Random(11))
    for number in range(people):
        _add_person(rows, _hash(f"person {number}"))
    if hostile:
        _add_hostile(rows)
    tables = {
        "exposures": (rows.exposures, ("user_hash", "campaign", "channel", "ts", "cost")),
        "conversions": (rows.conversions, ("user_hash", "order_id", "ts", "value")),
        "crm": (rows.crm, ("user_hash", "segment", "region", "age_band")),
    }
    for name, (content, columns) in tables.items():
        arrays = {
            column: list(values) for column, values in zip(columns, zip(*content, strict=True), strict=True)
        }
        pq.write_table(pa.table(arrays), folder / f"{name}.parquet")


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _add_person(rows: PartnerRows, person: str) -> None:
    random = rows.random
    if random.random() < 0.75:
        rows.crm.append((person, random.choice(SEGMENTS), random.choice(REGIONS), random.choice(AGES)))
    exposed = random.random() < 0.6
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4, 6, 9, 14)) if exposed else 0):
        minutes, cost = random.randrange(30 * 1440), round(random.uniform(0.05, 1.5), 2)
        rows.expose(person, random.choice(CAMPAIGNS), random.choice(CHANNELS), minutes, cost)
    for _ in range(random.choice((1, 1, 2, 3)) if random.random() < 0.3 else 0):
        rows.convert(person, random.lognormvariate(3.5, 0.8))


def _add_hostile(rows: PartnerRows) -> None:
    """One rare person, one with 500 impressions, a whale, invented people with one real buyer, a list of guesses."""
    solo, heavy = _hash("solo"), _hash("heavy")
    rows.crm += [(solo, "solo", "north", "90+"), (heavy, "loyal", "south", "30-44")]
    for minutes in range(2):
        rows.expose(solo, "brand", "tv", 100 + minutes, 0.5)
        rows.expose(heavy, "spring", "tv", minutes, 0.5)
    for minutes in range(500):
        rows.expose(heavy, "dup_only", "tv", 1000 + minutes, 0.01)
    for number in range(60):
        whale = _hash(f"whale {number}")
        rows.crm += [
            (whale, "vip", "whale", "30-44"),
            (_hash(f"sybil {number}"), "sybil", "sybil", "30-44"),
        ]
        rows.convert(whale, 1_000_000.0 if number == 0 else 40.0)
    rows.crm += [(_hash(f"guess {number}"), "guessed_list", "east", "30-44") for number in range(40)]
    rows.crm.append((_hash("real buyer"), "sybil", "sybil", "30-44"))
    rows.convert(_hash("real buyer"), 99.0)
