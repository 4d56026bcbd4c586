"""Marked people, values and keys go through the whole flow; then everything that the service's operator can look at is
searched for them: files, database, spill space, open files, the process listing, the web process's memory.

What the operator cannot be kept from as root is the memory of the enclaves themselves, which are emulated.
"""

import base64
import os
import re
import secrets
import stat
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cleanroom.broker.broker_home import BrokerHome
from cleanroom.errors import RoomError, TableRefused
from cleanroom.governance.principal import MemberRole
from cleanroom.partner.broker_loop import Broker
from cleanroom.partner.hash_file import HashOrder, hash_file
from cleanroom.partner.invitation_text import Invitation
from cleanroom.partner.joining import Founding, accept, found
from cleanroom.partner.party_home import PartyHome
from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.room_questions import QuestionText
from cleanroom.rules.analysis_rule import RuleDocument
from cleanroom.worker.key_exchange import state_key
from privacy.identifiers import IdentifierKind, IdentifierRule, parse_token
from tests.cleanroom.owners_brokers import with_broker, with_trouble
from tests.cleanroom.room.serving_process import ServingProcess, wait_until
from tests.cleanroom.room.stored_state import read_database

pytestmark = pytest.mark.slow
PEOPLE = 300
RUN = secrets.token_hex(6)  # so that what another run left on this machine is not taken for this one's
RARE_SEGMENT, RARE_VALUE = f"zebrafinch-owners-{RUN}", 48151.62342
MALFORMED = f"quokka-in-a-number-{RUN}"
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
    return f"wombat.{person:03d}@marker-{RUN}.example"


@dataclass(frozen=True)
class Seen:
    """The service's processes as the operator sees them, and the web process's memory; parts by name."""

    processes: int
    listing: Mapping[str, bytes]
    memory: Sequence[bytes]


@dataclass(frozen=True)
class Flow:
    """Where everything lies after the flow, and what may lie nowhere but on the partners' own disks.

    seen: what the operator could see at the moments at which an enclave had just got its keys and a table was open.
    """

    service: ServingProcess
    homes: Path
    base: Path
    began: float
    markers: Mapping[str, bytes]
    seen: Sequence[Seen]


@pytest.fixture(scope="module")
def flow(service: ServingProcess, tmp_path_factory: pytest.TempPathFactory) -> Flow:
    began = time.time()
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
    seen: list[Seen] = []

    def look(broker: Broker, request: dict[str, Any]) -> str | None:
        """Where a commit is asked for, the enclave has its keys and has read its tables."""
        if request["kind"] == "commit":
            seen.append(looked_at(service))
        return broker.answer(request)

    with with_trouble(shop, look), with_broker(club):
        ask_everything(analyst)
    markers = {**row_markers(shop), **key_markers(shop, club)}
    return Flow(service, homes, tmp_path_factory.getbasetemp(), began, markers, seen)


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
        "e-mail": f"@marker-{RUN}.example".encode(),
        "token's digits": token.partition(".")[2].encode(),
        "token's bytes": parse_token(token).person,
        "anybody's token": f"{home.identity_key.tag}.".encode(),
        "segment": RARE_SEGMENT.encode(),
        "value's bytes": struct.pack("<d", RARE_VALUE),
        "value's digits": str(RARE_VALUE).encode(),
        "malformed value": MALFORMED.encode(),
    }


def key_markers(*homes: PartyHome) -> dict[str, bytes]:
    """Every table's key, the key of the difference states, the one that hashed people; raw, base64 and hex."""
    identity = homes[0].identity_key.secret
    keys = {"identity key": identity, "state key": state_key(identity, homes[0].room.collaboration)}
    for home in homes:
        kept = BrokerHome(home.broker).keys
        for held in kept.all_held():
            keys[f"key of {held.dataset} {held.version}"] = kept.get(held.version)
    assert len(keys) == 4
    texts = {f"{name}, base64": base64.b64encode(key).rstrip(b"=") for name, key in keys.items()}
    return {**keys, **texts, **{f"{name}, hex": key.hex().encode() for name, key in keys.items()}}


def looked_at(service: ServingProcess) -> Seen:
    """Now. Searched later: who asked waits meanwhile."""
    processes = [service.pid, *service.workers()]
    return Seen(len(processes), listing(processes), list(memory(service.pid)))


def listing(processes: Sequence[int]) -> dict[str, bytes]:
    """Command lines and environments, as far as they may be read."""
    found = {}
    for pid in processes:
        for part in ("cmdline", "environ", "comm"):
            with suppress(OSError):  # it ended, or is another user's
                found[f"{part} of {pid}"] = Path(f"/proc/{pid}/{part}").read_bytes()
    return found


def open_files(pid: int) -> Iterator[tuple[str, bytes]]:
    """Files that a process has open, those without a name too."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            if stat.S_ISREG(link.stat().st_mode):
                yield f"{link.name}: {os.readlink(link)}", link.read_bytes()


def changed_since(moment: float, *, without: Path) -> Iterator[Path]:
    """Files of the machine's common places for temporary files."""
    for place in (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")):
        for folder, folders, names in os.walk(place):
            folders[:] = [name for name in folders if Path(folder, name) != without]
            for path in (Path(folder, name) for name in names):
                with suppress(OSError):
                    status = path.lstat()
                    if stat.S_ISREG(status.st_mode) and status.st_mtime >= moment:
                        yield path


def found_in(markers: Mapping[str, bytes], content: bytes) -> list[str]:
    return [name for name, marker in markers.items() if marker in content]


def test_the_search_itself_finds_what_partners_have(flow: Flow, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    planted.write_bytes(b"\0".join(flow.markers.values()))
    assert set(found_in(flow.markers, planted.read_bytes())) == set(flow.markers)


def test_the_search_finds_what_is_planted_in_a_process_and_among_temporary_files(flow: Flow) -> None:
    segment = flow.markers["segment"].decode()
    with (
        tempfile.NamedTemporaryFile(dir="/tmp") as named,
        tempfile.TemporaryFile(dir="/tmp") as unnamed,
        subprocess.Popen(
            ["sleep", "60"], executable="/bin/sleep", env={"MARKER": segment}, stdin=unnamed
        ) as planted,
    ):
        for file in (named, unnamed):
            file.write(segment.encode())
            file.flush()
        wait_until(lambda: any(found_in(flow.markers, seen) for seen in listing([planted.pid]).values()))
        assert any(found_in(flow.markers, content) for _, content in open_files(planted.pid))
        assert Path(named.name) in set(changed_since(flow.began, without=flow.base))
        planted.kill()


def test_no_file_of_the_service_holds_any_of_it(flow: Flow) -> None:
    files = [path for path in flow.service.data.parent.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"room.db", "room.db-wal", "service.log"} <= names
    assert sum(path.suffix == ".sealed" for path in files) == 2
    holding = {path.name: found_in(flow.markers, path.read_bytes() + str(path).encode()) for path in files}
    assert {name: hits for name, hits in holding.items() if hits} == {}


def test_no_temporary_file_of_the_machine_and_no_open_file_holds_any_of_it(flow: Flow) -> None:
    holding = {}
    for path in changed_since(flow.began, without=flow.base):
        with suppress(OSError):  # removed meanwhile
            holding[str(path)] = found_in(flow.markers, path.read_bytes())
    for pid in (flow.service.pid, *flow.service.workers()):
        holding |= {name: found_in(flow.markers, content) for name, content in open_files(pid)}
    assert {name: hits for name, hits in holding.items() if hits} == {}


def test_the_process_listing_holds_none_of_it_while_tables_are_open(flow: Flow) -> None:
    assert len(flow.seen) == sum("orders" in sql for sql in QUESTIONS)
    for seen in flow.seen:
        assert seen.processes > 1  # the enclave that has the keys is among them
        assert any(b"serve" in content for content in seen.listing.values())
        holding = {name: found_in(flow.markers, content) for name, content in seen.listing.items()}
        assert {name: hits for name, hits in holding.items() if hits} == {}


def test_the_web_process_s_memory_holds_none_of_it_while_tables_are_open(flow: Flow) -> None:
    for seen in flow.seen:
        if not seen.memory:
            pytest.skip("another process's memory may be read by root only")
        hits = {name for region in seen.memory for name in found_in(flow.markers, region)}
        assert hits == set()


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
