"""What goes wrong is told in words that say no more than they must, leaves nothing half done, and is done once."""

import json
import socket
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pyarrow as pa
import pyarrow.csv
import pytest

from cleanroom.broker.broker_home import BrokerHome
from cleanroom.datasets.key_commitment import key_commitment
from cleanroom.datasets.sealed_table import SealedTable, TableContext
from cleanroom.datasets.table_sealing import TableSealing, seal_table
from cleanroom.errors import TableRefused
from cleanroom.governance.room_ids import new_version_id
from cleanroom.partner.table_upload import SEALED_TABLE
from cleanroom.rules.analysis_rule import RuleDocument
from privacy.sealing import new_key
from privacy.signed_document import sign_document
from tests.cleanroom.room.acme_room import BY_REGION, NORTH, PEOPLE, AcmeRoom, crm, other_question, table
from tests.cleanroom.room.serving_process import wait_until
from tests.cleanroom.room.stored_state import read_database

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class OwnUpload:
    """A table sealed for a dataset of its own, and what announces and completes its upload, request by request."""

    room: AcmeRoom
    sealed: SealedTable
    key: bytes

    @classmethod
    def prepared(cls, room: AcmeRoom, folder: Path, dataset: str) -> "OwnUpload":
        document = RuleDocument.of({**crm().canonical(), "dataset": dataset})
        with room.client() as client:
            client.propose_rules(document)
        source = folder / "table.csv"
        pyarrow.csv.write_csv(table(room.home, PEOPLE), source)
        pinned, key = room.home.room, new_key()
        context = TableContext(
            pinned.collaboration, dataset, new_version_id(), pinned.member, pinned.identity.tag
        )
        sealing = TableSealing(document, context, date(2026, 3, 31))
        return cls(room, seal_table(source, folder / "table.sealed", sealing, key=key), key)

    @property
    def dataset(self) -> str:
        return self.sealed.manifest.context.dataset

    @property
    def version(self) -> str:
        return self.sealed.manifest.context.version

    @property
    def content(self) -> bytes:
        return self.sealed.path.read_bytes()

    @property
    def path(self) -> str:
        return f"{self.room.path}/datasets/{self.dataset}/uploads"

    @property
    def stored(self) -> Path:
        return self.room.service.data / "vault" / "sealed" / f"{self.version}.sealed"

    def announce(self, http: httpx.Client) -> None:
        manifest = self.sealed.manifest
        announced = {"sealed_bytes": manifest.sealed_bytes, "sealed_sha256": manifest.sealed_sha256}
        assert http.post(self.path, json={"version": self.version, **announced}).is_success

    def put(self, http: httpx.Client, offset: int = 0) -> httpx.Response:
        headers = {"Content-Type": "application/octet-stream"}
        place = f"{self.path}/{self.version}/content?offset={offset}"
        return http.put(place, content=self.content[offset:], headers=headers)

    def complete(self, http: httpx.Client) -> httpx.Response:
        home = self.room.home
        body = {
            "manifest": sign_document(SEALED_TABLE, self.sealed.manifest.to_plain(), home.keys),
            "key_commitment": key_commitment(self.version, self.key),
        }
        return http.post(f"{self.path}/{self.version}/complete", json=body)

    def upload(self, kept: bytes | None = None) -> None:
        """The broker keeps the table's key, unless another one."""
        self.keep(kept or self.key)
        with self.room.http() as http:
            self.announce(http)
            assert self.put(http).is_success
            assert self.complete(http).is_success

    def keep(self, key: bytes) -> None:
        home = BrokerHome(self.room.home.broker)
        home.keep_key(self.sealed.manifest, key, now=datetime.now(UTC))

    def question(self) -> str:
        return BY_REGION.replace("crm", self.dataset)


def raw_request(room: AcmeRoom, head: str, headers: dict[str, Any], body: bytes) -> socket.socket:
    """A request written by hand, so that its connection can be cut at any place."""
    parts = urlsplit(room.service.url)
    connection = socket.create_connection((parts.hostname, parts.port))
    sent = {"Host": parts.netloc, "Authorization": f"Bearer {room.home.api_key.reveal()}", **headers}
    lines = [f"{head} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
    connection.sendall("\r\n".join(lines).encode() + body)
    return connection


def charges(room: AcmeRoom) -> int:
    statement = "SELECT count(*) FROM charges WHERE collaboration = ?"
    ((made,),) = read_database(room.service.database, statement, room.collaboration)
    return int(made)


def test_a_wrong_key_and_a_changed_and_a_shortened_file_are_told_in_the_same_words(
    room: AcmeRoom, tmp_path: Path
) -> None:
    answers = []
    for trouble in ("wrong_key", "tampered", "truncated", "empty"):
        folder = tmp_path / trouble
        folder.mkdir()
        upload = OwnUpload.prepared(room, folder, trouble)
        upload.upload(kept=new_key() if trouble == "wrong_key" else None)
        content = bytearray(upload.content)
        if trouble == "tampered":
            content[len(content) // 2] ^= 1
        elif trouble == "truncated":
            del content[-1]
        elif trouble == "empty":
            content.clear()
        upload.stored.write_bytes(content)
        answers.append(room.post(upload.question()))

    assert {answer.status_code for answer in answers} == {409}
    bodies = [answer.json() for answer in answers]
    assert all(body == bodies[0] for body in bodies)
    assert bodies[0]["error"] == {
        "code": "sealed_table_broken",
        "message": "a sealed table does not open: another key, another table, or changed since it was sealed",
        "hint": "ask its owner to upload the dataset again",
    }
    lengths = [
        {name: value for name, value in answer.headers.items() if name != "date"} for answer in answers
    ]
    assert all(each == lengths[0] for each in lengths)


def test_a_malformed_table_is_refused_with_counts_and_nothing_of_it_is_stored(
    room: AcmeRoom, tmp_path: Path
) -> None:
    good = table(room.home, PEOPLE)
    people = good["person"].to_pylist()
    people[:5] = ["ann@example.com"] * 3 + [None] * 2
    path = tmp_path / "malformed.csv"
    pyarrow.csv.write_csv(good.set_column(0, "person", pa.array(people)), path)
    vault = room.service.data / "vault"
    before = sorted(vault.rglob("*"))
    with room.client() as client:
        versions = client.versions("crm")
        with pytest.raises(TableRefused) as refusal:
            client.upload(path, "crm")
        assert client.versions("crm") == versions

    reasons = {reason.code: reason.message for reason in refusal.value.reasons}
    assert reasons["identity_email"].startswith("column person: 3 rows with ")
    assert reasons["identity_missing"].startswith("column person: 2 rows with ")
    assert "ann" not in str(refusal.value) + str(refusal.value.reasons)
    assert sorted(vault.rglob("*")) == before
    assert room.ask(BY_REGION) == [["north", NORTH], ["south", PEOPLE - NORTH]]


def test_an_upload_whose_connection_is_lost_counts_for_nothing_and_can_be_gone_on_with(
    room: AcmeRoom, tmp_path: Path
) -> None:
    upload = OwnUpload.prepared(room, tmp_path, "interrupted")
    half = len(upload.content) // 2
    headers = {"Content-Type": "application/octet-stream", "Content-Length": len(upload.content)}
    with room.http() as http:
        upload.announce(http)
        place = f"PUT {upload.path}/{upload.version}/content"
        raw_request(room, place, headers, upload.content[:half]).close()

        def received() -> int:
            shown = http.get(f"{upload.path}/{upload.version}").json()
            return int(shown["received_bytes"])

        time.sleep(0.2)
        arrived = received()
        assert arrived <= half
        assert upload.complete(http).json()["error"]["code"] == "upload_broken"
        assert http.get(f"{room.path}/datasets/interrupted").json()["current"] is None
        assert not upload.stored.exists()
        refused = room.post(upload.question())
        assert refused.status_code in (404, 409)

        upload.keep(upload.key)
        assert upload.put(http, offset=arrived).is_success
        assert upload.complete(http).is_success
    assert room.ask(upload.question()) == [["north", NORTH], ["south", PEOPLE - NORTH]]


def test_a_query_whose_connection_is_lost_is_answered_once_to_who_asks_again(room: AcmeRoom) -> None:
    body = json.dumps({"sql": other_question(1, "panel")}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": len(body), "Idempotency-Key": "lost-1"}
    before = charges(room)
    raw_request(room, f"POST {room.path}/queries", headers, body).close()
    wait_until(lambda: charges(room) == before + 1)

    def again() -> httpx.Response:
        with room.http() as http:
            kept = {"Content-Type": "application/json", "Idempotency-Key": "lost-1"}
            return http.post(f"{room.path}/queries", content=body, headers=kept)

    answers = [again()]
    while answers[-1].status_code == 409:  # the first is still at work
        assert answers[-1].json()["error"]["code"] == "conflict"
        time.sleep(0.05)
        answers.append(again())
    assert answers[-1].status_code == 200
    assert charges(room) == before + 1
    states = read_database(room.service.database, "SELECT DISTINCT state FROM queries")
    assert ("charged",) not in states


def test_a_request_cut_off_before_its_end_is_none(room: AcmeRoom) -> None:
    before = charges(room)
    body = json.dumps({"sql": other_question(2, "panel")}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": len(body)}
    with closing(raw_request(room, f"POST {room.path}/queries", headers, body[:-1])):
        pass
    assert room.post(BY_REGION).status_code == 200
    assert charges(room) == before + 1  # that of the second alone


@pytest.mark.parametrize("question", [other_question(3), other_question(3, "panel")])
def test_the_same_key_gets_the_same_release_at_no_second_charge(room: AcmeRoom, question: str) -> None:
    before = charges(room)
    key = {"Idempotency-Key": f"twice-{len(question)}"}
    first, second = room.post(question, **key), room.post(question, **key)
    other = room.post(other_question(4), **key)

    assert first.status_code == 200
    assert first.content == second.content
    assert (other.status_code, other.json()["error"]["code"]) == (409, "conflict")
    assert charges(room) == before + 1
