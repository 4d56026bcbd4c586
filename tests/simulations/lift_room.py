"""A real clean room that holds a randomised experiment of one party: who was in which group, and who bought for what.

400 people in the test group, 100 of whom bought; 300 in the control group, 60 of whom did. Everybody who bought did
so once, for 20 or 40, half of each group for either. `trial` and `orders` are guarded by a minimum of people;
`noisy_trial` holds the same people as `trial`, and every number of it carries noise.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cleanroom.partner.joining import Founding, found
from cleanroom.partner.party_home import PartyHome
from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.room_questions import QuestionText
from cleanroom.rules.analysis_rule import RuleDocument
from privacy.identifiers import IdentifierKind, IdentifierRule
from tests.cleanroom.owners_brokers import with_broker
from tests.cleanroom.service.running_room import running_room

TEST, CONTROL, TEST_BUYERS, CONTROL_BUYERS = 400, 300, 100, 60
DP = {"epsilon_budget": 100.0, "epsilon_per_query": 4.0, "max_groups_per_person": 1, "max_rows_per_person": 1}

_ARMS = """
WITH arms AS (
  SELECT c.arm, COUNT(DISTINCT c.person) AS people, COUNT(DISTINCT v.person) AS buyers{more}
  FROM {trial} c LEFT JOIN orders v ON v.person = c.person
  WHERE c.arm IN ('{test}', 'control') GROUP BY c.arm)
SELECT t.people AS test_people, t.buyers AS test_buyers, k.people AS control_people, k.buyers AS control_buyers{both}
FROM (SELECT * FROM arms WHERE arm = '{test}') t CROSS JOIN (SELECT * FROM arms WHERE arm = 'control') k"""


def lift_sql(*, trial: str = "trial", test: str = "test", with_value: bool = False) -> str:
    """The question whose answer is a lift."""
    more = ", SUM(v.value) AS value" if with_value else ""
    both = ", t.value AS test_value, k.value AS control_value" if with_value else ""
    return _ARMS.format(trial=trial, test=test, more=more, both=both)


@dataclass(frozen=True)
class LiftRoom:
    """The party's home, and a way to ask."""

    home: PartyHome

    def release(self, sql: str) -> dict[str, Any]:
        """The signed answer."""
        with RoomClient(self.home) as client:
            document: dict[str, Any] = client.questions.ask(QuestionText(sql=sql)).release
            return document


@contextmanager
def lift_room(folder: Path) -> Iterator[LiftRoom]:
    """With all tables uploaded, the party's broker running, and its record of the room read."""
    with running_room(folder / "service") as service:
        home = PartyHome(folder / "acme")
        founding = Founding("Spring", "acme", service.url, IdentifierKind.ID, IdentifierRule.OPAQUE)
        found(home, founding, service.founding_code())
        with RoomClient(home) as client:
            for document, table in _tables(home):
                client.propose_rules(document)
                path = folder / f"{document.dataset}.parquet"
                pq.write_table(table, path)
                client.upload(path, document.dataset)
            client.verify_record()
        with with_broker(home):
            yield LiftRoom(home)


def _tables(home: PartyHome) -> list[tuple[RuleDocument, pa.Table]]:
    people = home.identity_key.tokens(f"person-{number}" for number in range(TEST + CONTROL))
    arms = ["test"] * TEST + ["control"] * CONTROL
    bought = [*range(TEST_BUYERS), *range(TEST, TEST + CONTROL_BUYERS)]
    trial = pa.table({"person": people, "arm": arms})
    values = [20.0 if number % 2 else 40.0 for number in bought]
    orders = pa.table({"person": [people[number] for number in bought], "value": values})
    identity = {"role": "identity"}
    arm = {"role": "dimension", "values": ["test", "control"]}
    value = {"role": "measure", "max_per_person": 100.0, "dp_max_per_person": 50.0}

    def rules(dataset: str, columns: dict[str, Any], **rule: Any) -> RuleDocument:
        return RuleDocument.of({"dataset": dataset, "columns": columns, "rule": rule})

    return [
        (rules("trial", {"person": identity, "arm": arm}), trial),
        (rules("noisy_trial", {"person": identity, "arm": arm}, privacy="dp", dp=DP), trial),
        (rules("orders", {"person": identity, "value": value}, dp=DP), orders),
    ]
