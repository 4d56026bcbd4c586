"""A small table of customers, its owner's document, and a room that holds both."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from cleanroom.partner.party_home import PartyHome
from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.table_upload import UploadedTable
from cleanroom.rules.analysis_rule import RuleDocument

PEOPLE = 240
# 160 in the north, 80 in the south: both above the smallest group of 50.
REGIONS = ["north" if person % 3 else "south" for person in range(PEOPLE)]


def document(dataset: str = "crm", **rule: object) -> RuleDocument:
    """Two columns under the default rules, unless `rule` says otherwise."""
    columns = {"person": {"role": "identity"}, "region": {"role": "dimension"}}
    return RuleDocument.of({"dataset": dataset, "columns": columns, "rule": rule})


def table(folder: Path, home: PartyHome, people: int = PEOPLE) -> Path:
    """A CSV of hashed customers and their regions."""
    tokens = home.identity_key.tokens(f"person{number}@example.com" for number in range(people))
    path = folder / "customers.csv"
    columns = {"person": tokens, "region": [REGIONS[number % PEOPLE] for number in range(people)]}
    pyarrow.csv.write_csv(pa.table(columns), path)
    return path


def uploaded(folder: Path, home: PartyHome, dataset: str = "crm", **rule: object) -> UploadedTable:
    """The table in the room, under these rules."""
    with RoomClient(home) as room:
        room.propose_rules(document(dataset, **rule))
        return room.upload(table(folder, home), dataset)
