"""Marked people, values and keys go through the whole flow; then everything the service has is searched for them."""

import base64
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cleanroom.errors import RoomError, TableRefused
from cleanroom.governance.principal import MemberRole
from cleanroom.partner.hash_file import HashOrder, hash_file
from cleanroom.partner.invitation_text import Invitation
from cleanroom.partner.joining import Founding, accept, found
from cleanroom.partner.party_home import PartyHome
from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.room_questions import QuestionText
from cleanroom.rules.analysis_rule import RuleDocument
from privacy.identifiers import IdentifierKind, IdentifierRule, parse_token
from tests.cleanroom.room.serving_process import ServingProcess
from tests.cleanroom.room.stored_state import read_database

pytestmark = pytest.mark.slow
PEOPLE = 300
RARE_SEGMENT, RARE_VALUE = "zebrafinch-owners", 48151.62342
MALFORMED = "quokka-in-a-number"
QUESTIONS = (
    "SELECT region, COUNT(DISTINCT person) AS people, SUM(value) AS total FROM orders GROUP BY region",
    "SELECT segment, COUNT(DISTINCT person) AS people FROM crm GROUP BY segment",
    "SELECT o.region, COUNT(DISTINCT o.person) AS people FROM orders o JOIN crm c ON o.person = c.person "
    "GROUP BY o.region",
    "SELECT person FROM crm",
    "SELECT AVG(value) AS mean FROM orders",
    "SELECT o.region, c.segment, COUNT(*) AS n FROM orders o LEFT JOIN crm c ON o.person = c.person "
    "GROUP BY o.region, c.segment",
)
_DOCUMENTS: dict[str, dict[str, Any]] = {
    "orders": {"region": {"role": "dimension"}, "value": {"role": "measure", "max_per_person": 100_000}},
    "crm": {"segment": {"role": "dimension"}},
}


def address(person: int) -> str:
    return f"wombat.{person:03d}@marker.example"


@dataclass(frozen=True)
class Flow:
    """Where everything lies after the flow, and what may lie nowhere but on the partners' own disks."""

    service: ServingProcess
    homes: Path
    markers: Mapping[str, bytes]


@pytest.fixture(scope="module")
def flow(service: ServingProcess, tmp_path_factory: pytest.TempPathFactory) -> Flow:
    homes, sources = tmp_path_factory.mktemp("homes"), tmp_path_factory.mktemp("partners-own-files")
    shop, club, analyst = (PartyHome(homes / name) for name in ("shop", "club", "analyst"))
    founding = Founding("Spring", "shop", service.url, IdentifierKind.EMAIL, IdentifierRule.UID2)
    found(shop, founding, service.founding_code())
    join(shop, club, MemberRole.OWNER)
    with RoomClient(shop) as first, RoomClient(club) as second:
        proposal = first.invite("analyst", frozenset({MemberRole.ANALYST}))
        second.approve(proposal.proposal)
        invited = first.invite("analyst", frozenset({MemberRole.ANALYST}))
        assert invited.text is not None
        accept(analyst, Invitation.read(invited.text.reveal()))
        for client, dataset in ((first, "orders"), (second, "crm")):
            columns = {"person": {"role": "identity"}, **_DOCUMENTS[dataset]}
            client.propose_rules(RuleDocument.of({"dataset": dataset, "columns": columns}))
        first.upload(hashed(sources, shop, "orders"), "orders")
        second.upload(hashed(sources, club, "crm"), "crm")
        with pytest.raises(TableRefused):
            first.upload(hashed(sources, shop, "malformed"), "orders")
    ask_everything(analyst)
    return Flow(service, homes, {**row_markers(shop), **key_markers(service, shop, club)})


def join(inviter: PartyHome, home: PartyHome, role: MemberRole) -> None:
    with RoomClient(inviter) as client:
        invited = client.invite(home.folder.name, frozenset({role}))
    assert invited.text is not None
    accept(home, Invitation.read(invited.text.reveal()))


def hashed(folder: Path, home: PartyHome, name: str) -> Path:
    people = range(PEOPLE)
    columns: dict[str, Any] = {"email": [address(person) for person in people]}
    if name == "crm":
        columns["segment"] = [RARE_SEGMENT if person == 7 else "loyal" for person in people]
    else:
        columns["region"] = ["north" if person % 2 else "south" for person in people]
        columns["value"] = [RARE_VALUE if person == 7 else 10.0 + person for person in people]
    if name == "malformed":
        columns["value"] = [MALFORMED, *map(str, columns["value"][1:])]
    raw, target = folder / f"{name}.parquet", folder / f"{name}.hashed.parquet"
    pq.write_table(pa.table(columns), raw)
    key = home.identity_key
    hash_file(raw, target, HashOrder("email", key, token_column="person"))
    return target


def ask_everything(analyst: PartyHome) -> None:
    answered = 0
    with RoomClient(analyst) as client:
        for sql in QUESTIONS:
            try:
                release = client.questions.ask(QuestionText(sql=sql)).release
            except RoomError:
                continue
            answered += 1
            assert RARE_SEGMENT not in str(release)
    assert answered == len(QUESTIONS) - 1


def row_markers(home: PartyHome) -> dict[str, bytes]:
    token = home.identity_key.token(address(7))
    return {
        "e-mail": b"@marker.example",
        "token's digits": token.partition(".")[2].encode(),
        "token's bytes": parse_token(token).person,
        "anybody's token": f"{home.identity_key.tag}.".encode(),
        "segment": RARE_SEGMENT.encode(),
        "value's bytes": struct.pack("<d", RARE_VALUE),
        "value's digits": str(RARE_VALUE).encode(),
        "malformed value": MALFORMED.encode(),
    }


def key_markers(service: ServingProcess, *homes: PartyHome) -> dict[str, bytes]:
    """Every table's key, unwrapped with its owner's, and the key that hashed the people; raw, base64 and hex."""
    identity = homes[0].identity_key.secret
    keys = {"identity key": identity}
    for home in homes:
        for key, wrapped in wrapped_keys(service, home):
            keys[f"key of {key['dataset']}"] = home.keys.unwrap(wrapped, key)
    assert len(keys) == 3
    texts = {f"{name}, base64": base64.b64encode(key).rstrip(b"=") for name, key in keys.items()}
    return {**keys, **texts, **{f"{name}, hex": key.hex().encode() for name, key in keys.items()}}


def wrapped_keys(service: ServingProcess, home: PartyHome) -> Iterator[tuple[dict[str, str], bytes]]:
    statement = (
        "SELECT v.dataset, v.id, k.wrapped FROM dataset_versions v JOIN wrapped_keys k ON k.version = v.id "
        "JOIN datasets d ON d.collaboration = v.collaboration AND d.name = v.dataset "
        "WHERE d.owner = ? AND k.holder <> 'worker' AND v.collaboration = ?"
    )
    room = home.room
    for dataset, version, wrapped in read_database(
        service.database, statement, room.member, room.collaboration
    ):
        bound = {
            "collaboration": room.collaboration,
            "dataset": dataset,
            "version": version,
            "owner": room.member,
        }
        yield {"purpose": "dataset key", **bound}, wrapped


def found_in(markers: Mapping[str, bytes], content: bytes) -> list[str]:
    return [name for name, marker in markers.items() if marker in content]


def test_the_search_itself_finds_what_partners_have(flow: Flow, tmp_path: Path) -> None:
    rows = {name: flow.markers[name] for name in ("e-mail", "segment", "value's bytes", "token's digits")}
    planted = tmp_path / "planted"
    planted.write_bytes(b"\0".join(rows.values()))
    assert set(rows) <= set(found_in(flow.markers, planted.read_bytes()))


def test_no_file_of_the_service_holds_any_of_it(flow: Flow) -> None:
    files = [path for path in flow.service.data.parent.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"room.db", "room.db-wal", "service.log"} <= names
    assert sum(path.suffix == ".sealed" for path in files) == 2
    holding = {path.name: found_in(flow.markers, path.read_bytes()) for path in files}
    assert {name: hits for name, hits in holding.items() if hits} == {}


def test_no_column_of_the_database_holds_any_of_it(flow: Flow) -> None:
    tables = [
        name
        for (name,) in read_database(
            flow.service.database, "SELECT name FROM sqlite_master WHERE type = 'table'"
        )
    ]
    assert "queries" in tables
    for table in tables:
        for row in read_database(flow.service.database, f'SELECT * FROM "{table}"'):
            for value in row:
                content = value if isinstance(value, bytes) else str(value).encode()
                assert found_in(flow.markers, content) == [], table


def test_clients_leave_nothing_but_their_homes_keys(flow: Flow) -> None:
    files = [path for path in flow.homes.rglob("*") if path.is_file()]
    assert not [path for path in files if ".upload-" in str(path) or path.suffix in (".sealed", ".parquet")]
    holding = {path.name: found_in(flow.markers, path.read_bytes()) for path in files}
    assert {name: hits for name, hits in holding.items() if hits} == {
        "identity.key": ["identity key, base64"]
    }
    assert list(flow.service.temporary.iterdir()) == []


def test_the_web_process_s_memory_holds_no_row_and_no_key(flow: Flow) -> None:
    known = {"a released segment": b"loyal", "a question": QUESTIONS[0][:30].encode()}
    try:
        found = {
            name
            for region in memory(flow.service.pid)
            for name in found_in({**known, **flow.markers}, region)
        }
    except PermissionError:
        pytest.skip("another process's memory may be read by root only")
    assert found == set(known)


def memory(pid: int) -> Iterator[bytes]:
    """What a process may write to; regions that cannot be read are left out."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in lines:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if match is None:
                continue
            start, end = (int(edge, 16) for edge in match.groups())
            try:
                file.seek(start)
                yield file.read(end - start)
            except (OSError, ValueError, OverflowError):
                continue
