"""Uploads over HTTP: interrupted, repeated, foreign, false. Nothing half-way ever counts."""

import time
from datetime import date

import anyio
import anyio.from_thread
import pytest

from cleanroom.datasets.sealed_table import TableContext
from cleanroom.datasets.table_sealing import TableSealing, seal_table
from cleanroom.errors import Conflict, ServiceUnreachable, TableRefused
from cleanroom.governance.datasets import MOST_OPEN_UPLOADS
from cleanroom.governance.room_ids import new_version_id
from cleanroom.partner import table_upload
from cleanroom.partner.room_client import RoomClient
from cleanroom.service import upload_routes
from cleanroom.service.upload_turns import OF_ONE_CALLER, UploadTurns
from privacy.sealing import new_key
from privacy.signed_document import sign_document
from tests.cleanroom.service.running_room import ANALYST, OWNER
from tests.cleanroom.service.small_tables import PEOPLE, document, table, uploaded


@pytest.fixture
def acme(service, tmp_path):
    home = service.founded(tmp_path)
    with RoomClient(home) as room:
        room.propose_rules(document())
    return home


@pytest.fixture
def client(service, acme):
    with service.http(acme) as http:
        yield http


def uploads(home):
    return f"/v1/collaborations/{home.room.collaboration}/datasets/crm/uploads"


def sealed(folder, home, **changes):
    """A sealed table, and the announcement of its upload."""
    context = {
        "collaboration": home.room.collaboration,
        "dataset": "crm",
        "version": new_version_id(),
        "owner": home.room.member,
        "identity_tag": home.room.identity.tag,
        **changes,
    }
    sealing = TableSealing(document(), TableContext(**context), date(2026, 3, 31))
    made = seal_table(table(folder, home), folder / "sealed", sealing, key=new_key())
    announced = {
        "version": made.manifest.context.version,
        "sealed_bytes": made.manifest.sealed_bytes,
        "sealed_sha256": made.manifest.sealed_sha256,
    }
    return made, announced


def completion(home, made, **changes):
    manifest = sign_document("sealed table", {**made.manifest.to_plain(), **changes}, home.keys)
    return {"manifest": manifest, "key_commitment": "0" * 64}


def send(client, place, content, offset=0):
    headers = {"Content-Type": "application/octet-stream"}
    return client.put(f"{place}/content", params={"offset": offset}, content=content, headers=headers)


def test_a_table_arrives_in_parts_and_becomes_current(client, acme, tmp_path):
    made, announced = sealed(tmp_path, acme)
    content = made.path.read_bytes()
    place = f"{uploads(acme)}/{announced['version']}"

    assert client.post(uploads(acme), json=announced).json()["received_bytes"] == 0
    assert send(client, place, content[:1000]).json()["received_bytes"] == 1000
    assert client.get(place).json()["received_bytes"] == 1000
    assert send(client, place, content[1000:], 1000).json()["received_bytes"] == len(content)
    done = client.post(f"{place}/complete", json=completion(acme, made)).json()

    assert (done["ok"], done["state"], done["current"], done["manifest"]["rows"]) == (
        True,
        "ready",
        True,
        PEOPLE,
    )


def test_a_completion_may_be_repeated(client, acme, tmp_path):
    made, announced = sealed(tmp_path, acme)
    place = f"{uploads(acme)}/{announced['version']}"
    client.post(uploads(acme), json=announced)
    send(client, place, made.path.read_bytes())

    first, second = (client.post(f"{place}/complete", json=completion(acme, made)).json() for _ in range(2))

    assert first == second


def test_announcing_again_tells_how_much_has_arrived(client, acme, tmp_path):
    made, announced = sealed(tmp_path, acme)
    client.post(uploads(acme), json=announced)
    send(client, f"{uploads(acme)}/{announced['version']}", made.path.read_bytes()[:500])

    assert client.post(uploads(acme), json=announced).json()["received_bytes"] == 500
    assert client.post(uploads(acme), json={**announced, "sealed_bytes": 1}).status_code == 409


def test_bytes_missing_or_changed_are_not_accepted(service, client, acme, tmp_path):
    made, announced = sealed(tmp_path, acme)
    content = made.path.read_bytes()
    place = f"{uploads(acme)}/{announced['version']}"
    client.post(uploads(acme), json=announced)

    send(client, place, content[:-1])
    assert (
        client.post(f"{place}/complete", json=completion(acme, made)).json()["error"]["code"]
        == "upload_broken"
    )
    send(client, place, bytes([content[-1] ^ 1]), len(content) - 1)
    refused = client.post(f"{place}/complete", json=completion(acme, made)).json()

    assert "another SHA-256" in refused["error"]["message"]
    assert announced["version"] not in service.parts.vault.versions()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sealed_sha256": "0" * 64}, "other bytes were announced"),
        ({"version": "ver-2222222222222222"}, "another version or owner"),
        ({"owner": "beta"}, "another version or owner"),
        ({"dataset": "other"}, "another dataset"),
        ({"identity_tag": "00000000"}, "another key than the collaboration's"),
        ({"policy_digest": "0" * 64}, "rules have changed"),
        ({"rows": 0}, "does not open"),
    ],
)
def test_a_manifest_that_does_not_fit_makes_nothing_ready(client, acme, tmp_path, changes, told):
    made, announced = sealed(tmp_path, acme)
    place = f"{uploads(acme)}/{announced['version']}"
    client.post(uploads(acme), json=announced)
    send(client, place, made.path.read_bytes())

    refused = client.post(f"{place}/complete", json=completion(acme, made, **changes))

    assert refused.status_code == 409
    assert told in refused.json()["error"]["message"]
    with RoomClient(acme) as room:
        assert not room.dataset("crm").ready


def test_a_manifest_signed_by_somebody_else_makes_nothing_ready(service, client, acme, tmp_path):
    beta = service.joined(acme, "beta", OWNER)
    made, announced = sealed(tmp_path, acme)
    place = f"{uploads(acme)}/{announced['version']}"
    client.post(uploads(acme), json=announced)
    send(client, place, made.path.read_bytes())

    refused = client.post(f"{place}/complete", json=completion(beta, made))

    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "signature_invalid")


def test_only_the_datasets_owner_uploads(service, acme, tmp_path):
    _, announced = sealed(tmp_path, acme)
    analyst, owner = service.joined(acme, "ana", ANALYST), service.joined(acme, "beta", OWNER)

    for other in (analyst, owner):
        with service.http(other) as http:
            assert http.post(uploads(acme), json=announced).status_code == 403


def test_an_abandoned_upload_leaves_nothing(service, client, acme, tmp_path):
    made, announced = sealed(tmp_path, acme)
    place = f"{uploads(acme)}/{announced['version']}"
    client.post(uploads(acme), json=announced)
    send(client, place, made.path.read_bytes()[:500])

    assert client.delete(place).json() == {"ok": True}
    assert client.get(place).status_code == 404
    assert not list(service.parts.settings.data.glob(f"vault/*/{announced['version']}*"))


def test_a_lost_connection_is_gone_on_with_where_it_stopped(acme, tmp_path, monkeypatch):
    monkeypatch.setattr(table_upload, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(table_upload, "FIRST_PAUSE_SECONDS", 0.0)
    sent = []
    with RoomClient(acme) as room:
        put_part = room.link.put_part

        def lose_the_first(path, shape, *, offset, chunks):
            sent.append(offset)
            if len(sent) == 1:
                put_part(path, shape, offset=offset, chunks=iter([next(chunks)]))
                raise ServiceUnreachable("lost")
            return put_part(path, shape, offset=offset, chunks=chunks)

        monkeypatch.setattr(room.link, "put_part", lose_the_first)
        done = room.upload(table(tmp_path, acme), "crm")

    assert sent == [0, 1000]
    assert (done.version.current, done.rows) == (True, PEOPLE)


def test_a_refused_table_was_never_announced(acme, tmp_path):
    path = tmp_path / "plain.csv"
    path.write_text("person,region\nann@example.com,north\n", encoding="utf-8")

    with RoomClient(acme) as room:
        with pytest.raises(TableRefused):
            room.upload(path, "crm")
        assert room.versions("crm").versions == []
    assert not list(acme.folder.glob(".upload-*"))


def test_destroying_a_version_removes_its_file_and_proves_it_in_the_log(service, acme, tmp_path):
    done = uploaded(tmp_path, acme)
    with RoomClient(acme) as room:
        destroyed = room.destroy("crm", done.version.id)
        entry = room.audit().entries[-1]

    assert entry.action == "version destroyed"
    assert entry.details["key_commitment"] == destroyed.key_commitment == done.version.key_commitment
    assert done.version.id not in service.parts.vault.versions()


def test_how_large_a_table_is_only_its_owner_is_told(service, acme, tmp_path):
    """One more row would tell that one more person is in it."""
    uploaded(tmp_path, acme)
    beta = service.joined(acme, "beta", OWNER)

    with RoomClient(acme) as own, RoomClient(beta) as other:
        assert own.versions("crm").versions[0].manifest["rows"] == PEOPLE
        for told in (other.versions("crm").versions[0], other.dataset("crm").current):
            assert told is not None
            assert told.manifest.keys() == {"owner", "sealed_sha256", "columns", "policy_digest", "created"}


def test_nothing_is_announced_sent_or_abandoned_after_completion(service, client, acme, tmp_path):
    made, announced = sealed(tmp_path, acme)
    place = f"{uploads(acme)}/{announced['version']}"
    client.post(uploads(acme), json=announced)
    send(client, place, made.path.read_bytes())
    assert client.post(f"{place}/complete", json=completion(acme, made)).is_success

    late = [
        client.post(uploads(acme), json=announced),
        send(client, place, b"more"),
        client.delete(place),
        client.post(f"{place}/complete", json=completion(acme, made, rows=PEOPLE + 1)),
    ]

    assert [answer.status_code for answer in late] == [409] * 4
    assert announced["version"] in service.parts.vault.versions()
    assert not list(service.parts.settings.data.glob(f"vault/incoming/{announced['version']}*"))


def test_an_owner_has_only_so_many_uploads_under_way(client, acme):
    """What is announced counts as taken, so one member could take all the room."""
    first = {"version": new_version_id(), "sealed_bytes": 10, "sealed_sha256": "0" * 64}
    client.post(uploads(acme), json=first)
    for _ in range(MOST_OPEN_UPLOADS - 1):
        assert client.post(uploads(acme), json={**first, "version": new_version_id()}).is_success

    refused = client.post(uploads(acme), json={**first, "version": new_version_id()})
    client.delete(f"{uploads(acme)}/{first['version']}")

    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    assert client.post(uploads(acme), json={**first, "version": new_version_id()}).is_success


def test_a_version_is_destroyed_under_its_own_dataset_only(client, acme, tmp_path):
    done = uploaded(tmp_path, acme)
    with RoomClient(acme) as room:
        room.propose_rules(document("other"))
        here = f"/v1/collaborations/{acme.room.collaboration}/datasets"
        assert client.delete(f"{here}/other/versions/{done.version.id}").status_code == 404
        assert room.dataset("crm").ready


def test_a_part_that_arrives_too_slowly_is_broken_off_and_gone_on_with(client, acme, tmp_path, monkeypatch):
    monkeypatch.setattr(upload_routes, "PIECE_SECONDS", 0.2)
    made, announced = sealed(tmp_path, acme)
    place = f"{uploads(acme)}/{announced['version']}"
    client.post(uploads(acme), json=announced)

    def drip():
        yield made.path.read_bytes()[:10]
        time.sleep(1)
        yield b"late"

    refused = send(client, place, drip())

    assert (refused.status_code, refused.json()["error"]["code"]) == (408, "request_slow")
    assert client.get(place).is_success


def test_one_member_sends_only_so_many_parts_at_once():
    async def overrun():
        turns, going_on = UploadTurns(), anyio.Event()

        async def hold():
            await turns.store("col-a/acme", lambda: anyio.from_thread.run(going_on.wait))

        async with anyio.create_task_group() as group:
            for _ in range(OF_ONE_CALLER):
                group.start_soon(hold)
            await anyio.sleep(0.05)
            with pytest.raises(Conflict):
                await turns.store("col-a/acme", lambda: None)
            assert await turns.store("col-a/beta", lambda: "stored") == "stored"
            going_on.set()

    anyio.run(overrun)
