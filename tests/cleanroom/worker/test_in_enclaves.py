"""The worker where it belongs: in enclaves of this machine, as isolated as it can have them, cold and warm."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from cleanroom.errors import SealedTableBroken
from cleanroom.worker.enclave_executor import WORKER_PROGRAM, EnclaveExecutor
from cleanroom.worker.job import JobTemplate
from cleanroom.worker.statement import Statement, nonce_of
from privacy.enclave.attestation_verifier import AttestationPolicy, verify_attestation
from privacy.enclave.availability import isolation_available
from privacy.enclave.emulated_backend import EmulatedBackend
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.isolation import Isolation
from privacy.enclave.sandbox_profile import SandboxProfile
from privacy.signed_document import open_document
from tests.cleanroom.worker.conftest import Room
from tests.cleanroom.worker.two_owners import BOTH, ONE_REGION, Brokers, Tables


@pytest.fixture(scope="module")
def backend(platform: EmulatedPlatform) -> Iterator[EmulatedBackend]:
    isolation = isolation_available()
    assert isolation is not Isolation.NONE
    started = EmulatedBackend(WORKER_PROGRAM, platform, SandboxProfile(isolation), warm=1)
    yield started
    started.close()


class EnclaveRoom(Room):
    """Its executor runs real enclaves."""

    def executor(self, **settings: object) -> EnclaveExecutor:
        return EnclaveExecutor(self.backend, self.brokers, seconds=60.0)


@pytest.fixture
def enclaves(tables: Tables, backend: EmulatedBackend) -> EnclaveRoom:
    return EnclaveRoom(tables, backend, Brokers(tables.keys))  # type: ignore[arg-type]


def test_a_release_is_signed_by_a_key_that_the_platform_vouches_for(
    enclaves: EnclaveRoom, backend: EmulatedBackend
) -> None:
    release = enclaves.ask(BOTH).release

    document = base64.b64decode(release["body"]["attestation"]["document"])
    statement = Statement.of(release["body"]["statement"])
    policy = AttestationPolicy((backend.root,), frozenset({backend.measurement.code}))
    nonce = nonce_of(statement.nonces)
    attested = verify_attestation(document, policy, nonce=nonce, now=datetime.now(UTC))
    body = open_document(release, kind="release", public_key=attested.public_key[32:])
    assert attested.user_data == statement.digest()
    assert body["measurement"] == backend.measurement.code
    assert body["result"]["rows"] == [["north", 200], ["south", 100]]


def test_a_history_goes_from_one_enclave_to_the_next(enclaves: EnclaveRoom) -> None:
    first, second = (enclaves.ask(BOTH).release["body"]["history"] for _ in range(2))

    assert second["before"] == first["after"]


def test_noise_is_drawn_and_cells_are_presented_anew_inside(enclaves: EnclaveRoom) -> None:
    first = enclaves.ask(BOTH, noised=True).release
    again = enclaves.ask(BOTH, noised=True, reuse=first).release

    assert again["body"]["result"] == first["body"]["result"]
    assert again["public_key"] != first["public_key"]


def test_a_template_is_read_again_inside(enclaves: EnclaveRoom) -> None:
    template = JobTemplate("one region", ONE_REGION, {"region": "north"})
    body = enclaves.ask(ONE_REGION, template=template, rule={"query": "templates"}).release["body"]

    assert body["result"]["rows"] == [[200]]


def test_a_refusal_comes_out_in_its_own_words(enclaves: EnclaveRoom) -> None:
    enclaves.brokers = Brokers(dict.fromkeys(enclaves.tables.keys, bytes(32)))
    with pytest.raises(SealedTableBroken, match="does not open"):
        enclaves.ask(BOTH)
