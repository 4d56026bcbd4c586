"""`mixroom room serve` as an operator runs it: first start, restart, stop; and what it does by itself."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from cleanroom.errors import NotAuthorised
from cleanroom.governance.proposal_text import ProposalKind, ProposalState
from cleanroom.partner.room_client import RoomClient
from cleanroom.service.housekeeping import tidy
from cleanroom.service.settings import RoomSettings
from tests.cleanroom.service.running_room import OWNER
from tests.cleanroom.service.small_tables import document, uploaded


@contextmanager
def started(folder, *flags):
    command = [sys.executable, "-m", "mixroom", "room", "serve", "--data", str(folder), "--port", "0", *flags]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert process.stdout is not None
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_it_tells_its_secrets_once_answers_and_stops_when_told(tmp_path, monkeypatch, repository):
    monkeypatch.chdir(repository)
    with started(tmp_path / "data") as process:
        lines = dict(process.stdout.readline().rsplit(" ", 1) for _ in range(3))
        assert lines.keys() == {"url", "operator key", "founding code"}
        with httpx.Client(base_url=lines["url"].strip(), trust_env=False) as client:
            assert client.get("/readyz").json() == {"ok": True}
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)

    with started(tmp_path / "data", "--json") as process:
        line = ""
        while not line.rstrip().endswith("}"):
            line += process.stdout.readline()
        assert json.loads(line).keys() == {"url"}
        process.send_signal(signal.SIGINT)
        process.wait(20)


def test_only_the_owner_enters_the_services_folder(service):
    data = service.parts.settings.data
    modes = {
        path.name: path.stat().st_mode & 0o077 for path in (data / "enclave", data / "vault", data / "pepper")
    }

    assert modes == {"enclave": 0, "vault": 0, "pepper": 0}


@pytest.mark.parametrize("host", ["0.0.0.0", "room.example", "192.0.2.1"])
def test_plain_http_is_served_to_this_machine_only(tmp_path, host):
    with pytest.raises(ValueError, match="only a loopback address"):
        RoomSettings(data=tmp_path, host=host)
    assert RoomSettings(data=tmp_path, host=host, insecure=True).host == host


def test_retention_ends_a_table_by_itself(service, tmp_path):
    home = service.founded(tmp_path)
    done = uploaded(tmp_path, home, retention_days=1)
    later = replace(service.parts, clock=lambda: service.parts.clock() + timedelta(days=2))

    tidy(later)

    assert done.version.id not in service.parts.vault.versions()
    with RoomClient(home) as room:
        assert room.versions("crm").versions[0].state == "deleted"
        assert room.audit().entries[-1].actor == "service"


def test_a_file_of_a_version_that_ended_is_removed_even_after_a_crash(service, tmp_path):
    """The process died between the two."""
    home = service.founded(tmp_path)
    done = uploaded(tmp_path, home)
    parts = service.parts
    owner = parts.governance.api_keys.authenticate(home.api_key.reveal(), now=parts.clock())
    parts.governance.datasets.delete(
        owner, home.room.collaboration, "crm", done.version.id, now=parts.clock()
    )
    kept = uploaded(tmp_path, home)
    assert {done.version.id, kept.version.id} <= set(parts.vault.versions())

    tidy(parts)

    assert done.version.id not in parts.vault.versions()
    assert kept.version.id in parts.vault.versions()


def test_an_upload_that_nobody_completes_is_forgotten(service, tmp_path):
    home = service.founded(tmp_path)
    with RoomClient(home) as room, service.http(home) as client:
        room.propose_rules(document())
        announced = {"version": "ver-" + "7" * 16, "sealed_bytes": 10, "sealed_sha256": "0" * 64}
        client.post(f"/v1/collaborations/{home.room.collaboration}/datasets/crm/uploads", json=announced)
        tidy(replace(service.parts, clock=lambda: service.parts.clock() + timedelta(hours=25)))

        assert room.versions("crm").versions == []
    assert not list(service.parts.settings.data.glob("vault/incoming/ver-7*"))


def test_a_removed_members_tables_are_destroyed(service, tmp_path):
    acme = service.founded(tmp_path)
    beta = service.joined(acme, "beta", OWNER)
    done = uploaded(tmp_path, beta, "visits")

    with RoomClient(acme) as of_acme, RoomClient(beta) as of_beta:
        proposal = of_acme.propose(ProposalKind.REMOVAL, {"member": "beta"})
        if proposal.state is not ProposalState.EFFECTIVE:
            of_beta.approve(proposal.id)
        with pytest.raises(NotAuthorised):
            of_beta.collaboration()

    assert done.version.id not in service.parts.vault.versions()
