"""The emulated root: made once, readable by its owner only, named for what it is, and refused in production."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from privacy.enclave.attestation_document import AttestationDocument
from privacy.enclave.attestation_verifier import AttestationPolicy, Attested, verify_attestation
from privacy.enclave.cose_sign1 import parse_sign1
from privacy.enclave.emulated_platform import ROOT_FILE, EmulatedPlatform
from privacy.enclave.measurement import Measurement
from privacy.errors import AttestationRefused, EnclaveUnavailable, InvalidSetting
from tests.privacy.enclave.forgery import NONCE, PCRS, PUBLIC_KEY, USER_DATA

MEASUREMENT = Measurement(PCRS)


def attest(platform: EmulatedPlatform, measurement: Measurement = MEASUREMENT) -> bytes:
    return platform.attest(
        measurement, public_key=PUBLIC_KEY, user_data=USER_DATA, nonce=NONCE, module_id="worker-0"
    )


def verify(platform: EmulatedPlatform, document: bytes, *, production: bool = False) -> Attested:
    policy = AttestationPolicy((platform.root,), frozenset({MEASUREMENT.code}), production=production)
    return verify_attestation(document, policy, nonce=NONCE, now=datetime.now(UTC))


def test_what_it_attests_is_accepted_under_its_root_and_called_emulated(tmp_path: Path) -> None:
    platform = EmulatedPlatform.open(tmp_path)

    attested = verify(platform, attest(platform))

    assert (attested.public_key, attested.user_data) == (PUBLIC_KEY, USER_DATA)
    assert attested.measurement == MEASUREMENT
    assert attested.is_emulated
    assert attested.root_fingerprint == platform.root_fingerprint


def test_a_policy_for_production_refuses_it(tmp_path: Path) -> None:
    platform = EmulatedPlatform.open(tmp_path)

    with pytest.raises(AttestationRefused):
        verify(platform, attest(platform), production=True)


def test_debug_mode_is_refused(tmp_path: Path) -> None:
    platform = EmulatedPlatform.open(tmp_path)

    with pytest.raises(AttestationRefused):
        verify(platform, attest(platform, Measurement.debug()))


def test_the_root_lives_in_one_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    folder = tmp_path / "enclave"
    EmulatedPlatform.open(folder)

    assert [path.name for path in folder.iterdir()] == [ROOT_FILE]
    assert stat.S_IMODE((folder / ROOT_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_opened_again_it_has_the_same_root_and_another_host(tmp_path: Path) -> None:
    first, second = EmulatedPlatform.open(tmp_path), EmulatedPlatform.open(tmp_path)

    assert first.root == second.root
    assert verify(first, attest(second)).is_emulated
    hosts = [
        AttestationDocument.of(parse_sign1(attest(made)).payload).cabundle[1] for made in (first, second)
    ]
    keys = [x509.load_der_x509_certificate(host).public_key() for host in hosts]
    assert keys[0] != keys[1]


def test_of_several_first_starts_one_root_stays(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        platforms = list(pool.map(lambda _: EmulatedPlatform.open(tmp_path), range(8)))

    assert len({platform.root for platform in platforms}) == 1
    assert [path.name for path in tmp_path.iterdir()] == [ROOT_FILE]


def test_each_document_has_a_leaf_of_its_own_that_lives_for_hours(tmp_path: Path) -> None:
    platform = EmulatedPlatform.open(tmp_path)
    documents = [AttestationDocument.of(parse_sign1(attest(platform)).payload) for _ in range(2)]
    leaves = [x509.load_der_x509_certificate(document.certificate) for document in documents]

    assert leaves[0].public_key() != leaves[1].public_key()
    assert all(leaf.not_valid_after_utc - datetime.now(UTC) < timedelta(hours=3) for leaf in leaves)
    assert all(leaf.subject.rfc4514_string() == "CN=worker-0" for leaf in leaves)


def test_the_root_says_that_it_is_emulated_and_lives_for_thirty_years(tmp_path: Path) -> None:
    root = x509.load_der_x509_certificate(EmulatedPlatform.open(tmp_path).root)

    assert root.subject.rfc4514_string() == "CN=Mixroom emulated enclave root"
    assert root.not_valid_after_utc - datetime.now(UTC) > timedelta(days=29 * 365)
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 1


def test_a_service_that_runs_for_a_year_still_attests(tmp_path: Path) -> None:
    later = datetime.now(UTC) + timedelta(days=365)
    EmulatedPlatform.open(tmp_path)
    platform = EmulatedPlatform.open(tmp_path, clock=lambda: later)
    policy = AttestationPolicy((platform.root,), frozenset({MEASUREMENT.code}))

    assert verify_attestation(attest(platform), policy, nonce=NONCE, now=later).is_emulated


def test_a_reader_whose_clock_is_a_minute_behind_accepts(tmp_path: Path) -> None:
    platform = EmulatedPlatform.open(tmp_path)
    policy = AttestationPolicy((platform.root,), frozenset({MEASUREMENT.code}))
    behind = datetime.now(UTC) - timedelta(seconds=55)

    assert verify_attestation(attest(platform), policy, nonce=NONCE, now=behind).is_emulated


def test_keys_never_print(tmp_path: Path) -> None:
    assert repr(EmulatedPlatform.open(tmp_path)) == "EmulatedPlatform()"


def test_a_root_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    EmulatedPlatform.open(tmp_path)
    (tmp_path / ROOT_FILE).chmod(0o640)

    with pytest.raises(EnclaveUnavailable, match="may be read by other users"):
        EmulatedPlatform.open(tmp_path)


def test_a_damaged_root_is_not_replaced(tmp_path: Path) -> None:
    EmulatedPlatform.open(tmp_path)
    (tmp_path / ROOT_FILE).write_bytes(b"damaged")

    with pytest.raises(EnclaveUnavailable, match="does not hold an emulated root"):
        EmulatedPlatform.open(tmp_path)
    assert (tmp_path / ROOT_FILE).read_bytes() == b"damaged"


def test_the_key_of_one_root_and_the_certificate_of_another_are_not_used(tmp_path: Path) -> None:
    pems = []
    for name in ("one", "two"):
        EmulatedPlatform.open(tmp_path / name)
        pems.append((tmp_path / name / ROOT_FILE).read_text())
    cut = pems[0].index("-----BEGIN CERTIFICATE")
    (tmp_path / "one" / ROOT_FILE).write_text(
        pems[0][:cut] + pems[1][pems[1].index("-----BEGIN CERTIFICATE") :]
    )

    with pytest.raises(EnclaveUnavailable, match="does not hold an emulated root"):
        EmulatedPlatform.open(tmp_path / "one")


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(EnclaveUnavailable, match="could not be written"):
        EmulatedPlatform.open(tmp_path / "file" / "enclave")


def test_user_data_that_no_document_can_hold_are_refused(tmp_path: Path) -> None:
    platform = EmulatedPlatform.open(tmp_path)

    with pytest.raises(InvalidSetting):
        platform.attest(
            MEASUREMENT, public_key=PUBLIC_KEY, user_data=bytes(513), nonce=NONCE, module_id="worker-0"
        )
