"""The silo's own disk: its key, its pinned peers, its ledger, and what it has already answered."""

import base64
import fcntl
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from clients.errors import ReplayRefused
from mmm_models.intake.silo_spec import SiloSpec
from privacy.budget_ledger import Ledger, LifetimeLimit
from privacy.errors import IdentityUnusable
from privacy.identity import PinnedPeers, SiloIdentity
from privacy.secure_noise import KeyedNoise, NoiseSource

NOISE_KEY_BYTES = 32
TERMS = 0  # number of the invitation among what a run was answered; sums count from 1


@dataclass(frozen=True)
class SiloHome:
    """Files of one silo in `directory`; they never travel."""

    silo: str
    directory: Path
    limit: LifetimeLimit

    @classmethod
    def of(cls, spec: SiloSpec) -> "SiloHome":
        """The home a silo file names, created for the owner's eyes only when it is not there."""
        directory = spec.state_directory / spec.silo
        if not directory.is_dir():
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        rules = spec.privacy
        return cls(spec.silo, directory, LifetimeLimit(rules.lifetime_epsilon, rules.lifetime_delta))

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
    def ledger(self) -> Ledger:
        """The lifetime privacy ledger; one that was charged before must not have vanished."""
        marker = self.directory / "ledger-started"
        ledger = Ledger.open(self.directory / "ledger.jsonl", limit=self.limit, must_exist=marker.exists())
        marker.touch(mode=0o600)
        return ledger

    def run_directory(self, run_id: str) -> Path:
        """Where this silo keeps its own results of one run."""
        directory = self.directory / "runs" / hashlib.sha256(run_id.encode()).hexdigest()[:16]
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return directory

    def agree_once(self, run_id: str, digest: bytes) -> None:
        """Hold this silo to one invitation per private run: a second one could ask for sums nobody charged.

        Raises ReplayRefused.
        """
        self._answer_once(run_id, TERMS, digest)

    def noise_for(self, run_id: str, number: int, digest: bytes) -> NoiseSource:
        """Noise of one private sum: secret, and the same whenever the same sum is asked for again.

        A resumed run repeats its last request. Fresh noise each time would let a coordinator that keeps
        "resuming" average the noise away, so the noise is a function of this silo's secret key and the
        request, and a second request under the same number that differs in anything is refused.
        `digest` covers everything the sum depends on, this silo's data included. Raises ReplayRefused.
        """
        self._answer_once(run_id, number, digest)
        label = f"{run_id}|{number}|".encode() + digest
        return KeyedNoise(hmac.new(self._noise_key, label, hashlib.sha256).digest())

    @property
    def _noise_key(self) -> bytes:
        path = self.directory / "noise.key"
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(NOISE_KEY_BYTES))
        return path.read_bytes()

    def _answer_once(self, run_id: str, number: int, digest: bytes) -> None:
        """Remember on disk, before answering, which request carried this number."""
        path = self.run_directory(run_id) / "answered.jsonl"
        with path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # two requests at once: the second reads what the first wrote
            path.chmod(0o600)
            file.seek(0)
            known = _answered(file.read(), self.silo).get(number)
            if known is None:
                file.write(json.dumps({"number": number, "digest": digest.hex()}) + "\n")
                file.flush()
                os.fsync(file.fileno())
                return
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


def _answered(content: str, silo: str) -> dict[int, str]:
    """Digest by number; raises ReplayRefused when the file is damaged, since it cannot tell a replay then."""
    try:
        entries = [json.loads(line) for line in content.splitlines()]
        return {int(entry["number"]): str(entry["digest"]) for entry in entries}
    except (ValueError, KeyError, TypeError) as error:
        raise ReplayRefused(
            f"{silo}'s record of what it answered in this run is damaged; nothing was sent",
            hint="start a new run",
        ) from error
