"""What a run directory keeps of its enclaves: every attestation that all silos accepted, for whoever audits the run."""

import base64
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from privacy.enclave.attestation_document import AttestationDocument
from privacy.enclave.certificate_chain import is_emulated_root
from privacy.enclave.cose_sign1 import parse_sign1
from privacy.identity import fingerprint
from privacy.wire import AttestedEnclave
from server.run_store import RunStore, write_json

FOLDER, FORMAT = "attestations", "mixroom-run-attestation/1"


@dataclass(frozen=True)
class KeptAttestation:
    """What a kept document says; each silo verified it before it sent anything."""

    measurement: str
    root_fingerprint: str
    is_emulated: bool
    sha256: str


def keep_attestation(store: RunStore, shown: AttestedEnclave) -> None:
    """Write `attestations/0001.json` and so on, and an event."""
    folder = store.directory / FOLDER
    folder.mkdir(exist_ok=True)
    terms = {name: _plain(value) for name, value in asdict(shown).items() if name != "document"}
    kept = {"format": FORMAT, "terms": terms, "document": base64.b64encode(shown.document).decode()}
    write_json(folder / f"{len(list(folder.glob('*.json'))) + 1:04d}.json", kept)
    store.event("attested", **asdict(_described(shown.document)))


def newest_attestation(store: RunStore) -> KeptAttestation:
    """The run's last enclave; only of a run that had one."""
    newest = max((store.directory / FOLDER).glob("*.json"))
    return _described(base64.b64decode(json.loads(newest.read_text(encoding="utf-8"))["document"]))


def _described(document: bytes) -> KeptAttestation:
    said = AttestationDocument.of(parse_sign1(document).payload)
    root = said.cabundle[0]
    digest = hashlib.sha256(document).hexdigest()
    return KeptAttestation(said.measurement.code, fingerprint(root), is_emulated_root(root), digest)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
