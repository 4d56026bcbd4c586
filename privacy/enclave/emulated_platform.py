"""The platform that emulated enclaves run on: a root of trust in a file, and the documents under it.

It stands where Nitro's hypervisor and AWS's certificates do, with their formats and none of their protection: whoever
can read the file can attest anything. The root's name says so; policies for production refuse it by its digest.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from privacy.enclave.attestation_document import AttestationDocument
from privacy.enclave.cose_sign1 import sign1
from privacy.enclave.emulated_certificates import (
    der,
    host_certificate,
    leaf_certificate,
    new_private_key,
    root_certificate,
)
from privacy.enclave.measurement import Measurement
from privacy.errors import EnclaveUnavailable
from privacy.identity import fingerprint

ROOT_FILE = "emulated-root.pem"
LONGEST_COMMON_NAME = 64


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class EmulatedPlatform:
    """A root and this process's host key. Neither key ever prints. Safe to use from several threads."""

    _root: x509.Certificate = field(repr=False)
    _root_key: ec.EllipticCurvePrivateKey = field(repr=False)
    _host_key: ec.EllipticCurvePrivateKey = field(repr=False)
    _clock: Callable[[], datetime] = field(repr=False)

    @classmethod
    def open(cls, folder: Path, *, clock: Callable[[], datetime] = utc_now) -> EmulatedPlatform:
        """The platform whose root lies in `folder`, made at the first call. Raises EnclaveUnavailable."""
        path = folder / ROOT_FILE
        if not path.exists():
            _make_root(path, clock())
        certificate, key = _read_root(path)
        return cls(certificate, key, new_private_key(), clock)

    @property
    def root(self) -> bytes:
        """The root's certificate in DER: what parties pin."""
        return der(self._root)

    @property
    def root_fingerprint(self) -> str:
        """What two people compare."""
        return fingerprint(self.root)

    def attest(
        self, measurement: Measurement, *, public_key: bytes, user_data: bytes, nonce: bytes, module_id: str
    ) -> bytes:
        """A signed document that says this, now. Raises InvalidSetting for a field that is too long.

        Leaf and host certificate are made for this document alone; nothing but the root outlives the process.
        """
        now = self._clock()
        host = host_certificate(self._host_key.public_key(), self._root, self._root_key, now)
        key = new_private_key()
        leaf = leaf_certificate(module_id[:LONGEST_COMMON_NAME], key.public_key(), host, self._host_key, now)
        document = AttestationDocument(
            module_id=module_id,
            timestamp=int(now.timestamp() * 1000),
            pcrs=measurement.pcrs,
            certificate=der(leaf),
            cabundle=(self.root, der(host)),
            public_key=public_key,
            user_data=user_data,
            nonce=nonce,
        )
        return sign1(document.to_cbor(), key)


def _make_root(path: Path, now: datetime) -> None:
    """Key and certificate in one file, 0600, there as a whole or not at all; the first of several makers wins."""
    key = new_private_key()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".root-")  # 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(pem + root_certificate(key, now).public_bytes(serialization.Encoding.PEM))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(name, path)
        finally:
            Path(name).unlink()
    except OSError as error:
        raise EnclaveUnavailable(
            f"the emulated root could not be written to {path.parent}",
            hint="choose a folder you can write to",
        ) from error


def _read_root(path: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        if path.stat().st_mode & 0o077:
            raise EnclaveUnavailable(
                f"{path} may be read by other users; it was not used",
                hint="whoever read it can attest anything: remove it, and let the partners pin the new root",
            )
        content = path.read_bytes()
        certificate = x509.load_pem_x509_certificate(content)
        key = serialization.load_pem_private_key(content, password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable(path) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        raise _unusable(path)
    return certificate, key


def _unusable(path: Path) -> EnclaveUnavailable:
    return EnclaveUnavailable(
        f"{path} does not hold an emulated root",
        hint="restore it from a backup, or remove it and pin the new root",
    )
