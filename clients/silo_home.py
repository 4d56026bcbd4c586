"""The silo's own disk: its key, its pinned peers, its ledger, and what it has already answered."""

import base64
import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from clients.errors import OutOfOrder, ReplayRefused
from mmm_models.intake.silo_spec import SiloSpec
from privacy.enclave.certificate_chain import is_emulated_root
from privacy.errors import AttestationRefused, IdentityUnusable, ValueOutOfRange
from privacy.identity import PinnedPeers, SiloIdentity
from privacy.ledger.budget_ledger import Ledger
from privacy.ledger.ledger_entries import LifetimeLimit
from privacy.ledger.ledger_witness import LedgerWitness, rolled_back
from privacy.secure_noise import KeyedNoise, NoiseSource

NOISE_KEY_BYTES = 32
# A line of what was answered, as json.dumps writes it; matching is many times faster than parsing every line.
_ENTRY = re.compile(r'\{"number": (\d+), "digest": "([0-9a-f]*)"\}\n')
ENCLAVE_ROOTS, UNITS = "enclave-roots", "units.json"
SEALED, REPORTED, OUT_OF_RANGE = "sealed.jsonl", "reported.jsonl", "out-of-range"
TERMS = 0  # number of what a run was agreed on, among what it was answered or sealed; sums count from 1


def usual_witness_directory() -> Path:
    """Where ledgers' heads are noted unless a silo file says otherwise: the user's own state directory."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "mixroom" / "ledger-heads"


@dataclass(frozen=True)
class SiloHome:
    """Files of one silo in `directory`; they never travel. `witnesses`: a directory apart, see `ledger`."""

    silo: str
    directory: Path
    limit: LifetimeLimit
    witnesses: Path = field(default_factory=usual_witness_directory)

    @classmethod
    def of(cls, spec: SiloSpec) -> "SiloHome":
        """The home a silo file names, created for the owner's eyes only when it is not there."""
        directory = spec.state_directory / spec.silo
        if not directory.is_dir():
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        rules = spec.privacy
        limit = LifetimeLimit(rules.lifetime_epsilon, rules.lifetime_delta)
        return cls(spec.silo, directory, limit, spec.ledger_witness or usual_witness_directory())

    @property
    def identity(self) -> SiloIdentity:
        """The long-term signing key, made at first use."""
        path = self.directory / "identity.pem"
        if not path.exists():
            SiloIdentity.generate(self.silo).save(path)
        return SiloIdentity.load(self.silo, path)

    @property
    def peers(self) -> PinnedPeers:
        """The peers' public keys as this silo's owner pinned them."""
        return PinnedPeers.load(self.peers_path)

    def pin(self, peer: str, public_key: str) -> None:
        """Trust `public_key` (base64) as `peer`'s from now on; other pins stay."""
        known = dict(self.peers.keys) if self.peers_path.exists() else {}
        try:
            raw = base64.b64decode(public_key, validate=True)
        except ValueError as error:
            raise IdentityUnusable(
                f"the key given for {peer} is not base64; nothing was pinned",
                hint="copy it again from `silo key`",
            ) from error
        PinnedPeers({**known, peer: raw}).save(self.peers_path)

    @property
    def peers_path(self) -> Path:
        return self.directory / "peers.toml"

    @property
    def enclave_roots(self) -> tuple[bytes, ...]:
        """The certificates (DER) that attestations of enclaves may lead to, as this silo's owner pinned them."""
        return tuple(path.read_bytes() for path in sorted((self.directory / ENCLAVE_ROOTS).glob("*.der")))

    def pin_enclave_root(self, certificate: bytes) -> None:
        """Trust enclaves whose attestation leads to this certificate (DER); other pins stay.

        Raises IdentityUnusable for bytes that are none.
        """
        try:
            is_emulated_root(certificate)
        except AttestationRefused as error:
            raise IdentityUnusable(
                "the root given is not a certificate; nothing was pinned",
                hint="copy it again from `mixroom enclave root`, in one piece",
            ) from error
        folder = self.directory / ENCLAVE_ROOTS
        folder.mkdir(exist_ok=True, mode=0o700)
        (folder / f"{hashlib.sha256(certificate).hexdigest()[:16]}.der").write_bytes(certificate)

    @property
    def ledger(self) -> Ledger:
        """The lifetime privacy ledger.

        Refused (LedgerRolledBack) when it has vanished or forgotten a charge: as its own marker says, the notes
        in `witnesses`, which a restored backup of `directory` leaves as they are, and the record of what was
        answered.
        """
        marker = self.directory / "ledger-started"
        ledger = Ledger.open(
            self.directory / "ledger.jsonl",
            limit=self.limit,
            must_exist=marker.exists(),
            witness=self.ledger_witness,
        )
        marker.touch(mode=0o600)
        self._require_charged(ledger)
        return ledger

    @property
    def ledger_witness(self) -> LedgerWitness:
        """What is noted of the ledger apart from it."""
        return LedgerWitness.of(
            self.witnesses,
            self.silo,
            public_key=self.identity.public_key,
            state=self.directory.resolve(),
        )

    def run_directory(self, run_id: str) -> Path:
        """Where this silo keeps its own results of one run."""
        directory = self.directory / "runs" / _folder(run_id)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return directory

    def agree_once(self, run_id: str, digest: bytes) -> None:
        """Hold this silo to one invitation per private run: a second one could ask for sums nobody charged.

        Raises ReplayRefused.
        """
        self._answer_once(run_id, TERMS, digest)

    def noise_for(self, run_id: str, number: int, digest: bytes, *, once: bool = False) -> NoiseSource:
        """Noise of one private sum: secret, and the same whenever the same sum is asked for again.

        A resumed run repeats its last request. Fresh noise each time would let a coordinator that keeps
        "resuming" average the noise away, so the noise is a function of this silo's secret key and the
        request, and a second request under the same number that differs in anything is refused.
        `digest` covers everything the sum depends on, this silo's data included. With `once` the same request is
        refused as well: a share of noise may be in one sum only (`PrivacyTerms.answered_once`).
        Raises ReplayRefused.
        """
        self._answer_once(run_id, number, digest, repeatable=not once)
        label = f"{run_id}|{number}|".encode() + digest
        return KeyedNoise(hmac.new(self._noise_key, label, hashlib.sha256).digest())

    def report_once(self, run_id: str, digest: bytes) -> None:
        """Hold this silo to the first wording of a run's report, for ever, be it refused: two that differ in the model
        would tell by their difference what single silos' experiments are, and a calendar refused or not tells whether
        this silo has all of its weeks. Raises OutOfOrder.
        """
        record = self.run_directory(run_id) / REPORTED
        if self._note_first(record, TERMS, digest) not in (None, digest.hex()):
            raise OutOfOrder(
                f"{self.silo} has already answered this run's report in another wording; nothing was sent",
                hint="resume with the same settings, or start a new run",
            )

    @contextmanager
    def within_range(self, run_id: str) -> Iterator[None]:
        """Compute a sum of the run: one at a time, and none ever after one whose values did not fit its range.

        Whether they fit tells of this silo's own values. A coordinator that chooses at what model and in which
        coordinates to ask would otherwise find them to any precision, a bit each question. Raises OutOfOrder.
        """
        with (self.run_directory(run_id) / OUT_OF_RANGE).open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            if file.read():
                raise OutOfOrder(
                    f"a value of {self.silo} did not fit the range of an earlier sum of this run; it answers no more "
                    "of it, and nothing was sent",
                    hint="start a new run; where local training diverged, with a lower learning rate",
                )
            try:
                yield
            except ValueOutOfRange:
                file.write("a value did not fit\n")
                file.flush()
                os.fsync(file.fileno())
                raise

    def keep_units(self, run_id: str, units: float) -> None:
        """Remember for a resumed run, which does not ask for the scales again, what they made of the units."""
        (self.run_directory(run_id) / UNITS).write_text(json.dumps(units), encoding="utf-8")

    def kept_units(self, run_id: str) -> float:
        """The number of units as sums of that run may use it; zero before its scales."""
        path = self.run_directory(run_id) / UNITS
        return float(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else 0.0

    def seal_once(self, run_id: str, number: int, digest: bytes) -> None:
        """Remember, before an update is sealed, that this silo is in that sum of the run. Raises ReplayRefused.

        An enclave opens a sum once, but forgets it when it dies, and the next one would open it again over other silos.
        """
        record = self.run_directory(run_id) / SEALED
        if self._note_first(record, number, digest) is not None:
            raise ReplayRefused(
                f"{self.silo} has already sealed its part of sum {number} of this run to an enclave; no sum is "
                "answered twice; nothing was sent",
                hint="go on with the next sum",
            )

    def agree_silos_once(self, run_id: str, membership: bytes) -> None:
        """Hold this silo to the first list of silos that an enclave of the run was attested with, for ever.

        A later, shorter one could open a sum again that was opened before, over others. Raises OutOfOrder.
        """
        record = self.run_directory(run_id) / SEALED
        if self._note_first(record, TERMS, membership) not in (None, membership.hex()):
            raise OutOfOrder(
                "the enclave was attested with other silos, keys or fewest silos in a sum than the run's first one; "
                "nothing was sent",
                hint="bring the same silos with the same keys and rules again, or start a new run",
            )

    def _require_charged(self, ledger: Ledger) -> None:
        """Every run that was answered private sums was charged before; else the ledger is an older one."""
        records = sorted(self.directory.glob("runs/*/answered.jsonl"))
        for _ in range(2):  # a run may have been charged and answered meanwhile: in that order, so look again
            if records:
                charged = {_folder(run_id) for run_id in ledger.charged_runs()}
                uncharged = [record for record in records if record.parent.name not in charged]
                records = [record for record in uncharged if _names_a_sum(record.read_bytes())]
        if records:
            raise rolled_back(records[0], missing=len(records))

    @property
    def _noise_key(self) -> bytes:
        path = self.directory / "noise.key"
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(NOISE_KEY_BYTES))
        return path.read_bytes()

    def _answer_once(self, run_id: str, number: int, digest: bytes, *, repeatable: bool = True) -> None:
        """Remember on disk, before answering, which request carried this number."""
        known = self._note_first(self.run_directory(run_id) / "answered.jsonl", number, digest)
        if known is None:
            return
        if not repeatable:
            raise ReplayRefused(
                f"{self.silo} has already answered sum {number} of this run; with distributed noise no sum is "
                "answered twice; nothing was sent",
                hint="go on with the next sum",
            )
        if known != digest.hex():
            what = (
                "agreed to this run on other terms"
                if number == TERMS
                else f"answered sum {number} of this run"
            )
            raise ReplayRefused(
                f"{self.silo} has already {what}, with another model or other data; nothing was sent",
                hint="resume with the same settings and unchanged data, or start a new run",
            )

    def _note_first(self, path: Path, number: int, digest: bytes) -> str | None:
        """The digest noted for this number before; None when there was none, and this one is on the disk now."""
        with path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # two requests at once: the second reads what the first wrote
            path.chmod(0o600)
            file.seek(0)
            known = _answered(file.read(), self.silo).get(number)
            if known is None:
                file.write(json.dumps({"number": number, "digest": digest.hex()}) + "\n")
                file.flush()
                os.fsync(file.fileno())
        return known


def _folder(run_id: str) -> str:
    return hashlib.sha256(run_id.encode()).hexdigest()[:16]


def _names_a_sum(content: bytes) -> bool:
    """Whether a record of answers names a sum, or something unreadable that may have been one.

    A last line that a crash left unfinished does not count: it is written before the sum is computed.
    """
    for line in content.split(b"\n")[:-1]:
        try:
            if json.loads(line)["number"] == TERMS:
                continue
        except (ValueError, KeyError, TypeError):
            pass
        return True
    return False


def _answered(content: str, silo: str) -> dict[int, str]:
    """Digest by number; raises ReplayRefused when the file is damaged, since it cannot tell a replay then."""
    if _ENTRY.sub("", content):
        raise ReplayRefused(
            f"{silo}'s record of what it answered in this run is damaged; nothing was sent",
            hint="start a new run",
        )
    return {int(number): digest for number, digest in _ENTRY.findall(content)}
