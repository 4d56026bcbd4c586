"""One party alone in a collaboration, with two tables: one guarded by a minimum of people, one by noise.

320 people: 200 in the north, 119 in the south, and one alone in the segment `solo`. `crm` has all of them, `panel`
the first 300.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from cleanroom.partner.joining import Founding, found
from cleanroom.partner.party_home import PartyHome
from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.room_questions import QuestionText
from cleanroom.rules.analysis_rule import RuleDocument
from privacy.identifiers import IdentifierKind, IdentifierRule
from tests.cleanroom.owners_brokers import with_broker
from tests.cleanroom.room.serving_process import ServingProcess

PEOPLE, ON_PANEL, NORTH = 320, 300, 200
SOLO = 10
BY_REGION = "SELECT region, COUNT(DISTINCT person) AS people FROM crm GROUP BY region"
_COLUMNS = {"person": {"role": "identity"}, "region": {"role": "dimension"}, "segment": {"role": "dimension"}}


@dataclass(frozen=True)
class AcmeRoom:
    """The party's home, in a room of this service."""

    service: ServingProcess
    home: PartyHome

    @classmethod
    def founded(cls, service: ServingProcess, folder: Path, *, epsilon_budget: float = 1000.0) -> "AcmeRoom":
        """With both tables uploaded."""
        home = PartyHome(folder / "acme")
        founding = Founding("Spring", "acme", service.url, IdentifierKind.ID, IdentifierRule.OPAQUE)
        found(home, founding, service.founding_code())
        with RoomClient(home) as client:
            for document, people in ((crm(), PEOPLE), (panel(epsilon_budget), ON_PANEL)):
                client.propose_rules(document)
                path = folder / f"{document.dataset}.parquet"
                pq.write_table(table(home, people), path)
                client.upload(path, document.dataset)
        return cls(service, home)

    def broker(self) -> AbstractContextManager[None]:
        """The party's key broker, while the block runs."""
        return with_broker(self.home)

    @property
    def collaboration(self) -> str:
        """Its id."""
        return self.home.room.collaboration

    @property
    def path(self) -> str:
        """Where its resources are."""
        return f"/v1/collaborations/{self.collaboration}"

    def client(self) -> RoomClient:
        """The party's own, which tries again."""
        return RoomClient(self.home)

    def http(self) -> httpx.Client:
        """Requests in one try."""
        headers = {"Authorization": f"Bearer {self.home.api_key.reveal()}"}
        return httpx.Client(base_url=self.service.url, headers=headers, trust_env=False, timeout=300)

    def post(self, sql: str, **headers: str) -> httpx.Response:
        """Ask once, over a connection of its own."""
        with self.http() as http:
            return http.post(f"{self.path}/queries", json={"sql": sql}, headers=headers)

    def ask(self, sql: str) -> list[list[Any]]:
        """The rows of the answer."""
        with self.client() as client:
            rows: list[list[Any]] = client.questions.ask(QuestionText(sql=sql)).release["body"]["result"][
                "rows"
            ]
            return rows

    def releases(self) -> list[dict[str, Any]]:
        """All that were stored."""
        with self.client() as client:
            released = [query.id for query in client.questions.asked().queries if query.state == "released"]
            return [client.questions.release(query).release for query in released]


def crm(**rule: Any) -> RuleDocument:
    """At least 50 people a number."""
    return RuleDocument.of({"dataset": "crm", "columns": _COLUMNS, "rule": {"min_group_size": 50, **rule}})


def panel(epsilon_budget: float) -> RuleDocument:
    """Every number with noise; a query costs an epsilon of 1."""
    dp = {"epsilon_budget": epsilon_budget, "epsilon_per_query": 1.0}
    return RuleDocument.of({"dataset": "panel", "columns": _COLUMNS, "rule": {"privacy": "dp", "dp": dp}})


def table(home: PartyHome, people: int, *, name: Callable[[int], str] = "person-{}".format) -> pa.Table:
    """The first of the people, hashed under the room's key."""
    return pa.table(
        {
            "person": home.identity_key.tokens(name(number) for number in range(people)),
            "region": ["north" if number < NORTH else "south" for number in range(people)],
            "segment": [_segment(number) for number in range(people)],
        }
    )


def other_question(number: int, dataset: str = "crm") -> str:
    """Another text and plan for each number, the same people."""
    return f"SELECT COUNT(DISTINCT person) AS people FROM {dataset} WHERE region <> 'nowhere{number}'"


def _segment(number: int) -> str:
    return "solo" if number == SOLO else "loyal"
