"""The key holder's own disk: its keys, the silos it knows, and the one answer to each sum of each run.

An answer is written, and forced to the disk, before it is given. A sum number of a run is answered once: the same
question gets the same answer again (a coordinator that lost it may resume), over the silos of the first time,
whatever came since; another question, or the question after a refusal, gets none. Otherwise two sums over sets of
silos that differ by one would give that one away.
"""

import base64
import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privacy.errors import HolderUnusable, IdentityUnusable, OpeningRefused
from privacy.identity import PinnedPeers, SiloIdentity
from privacy.masks.secure_aggregation import KeyRoster
from privacy.paillier.aggregation import HOLDER, HolderAdvert, OpenedSum, OpenRequest
from privacy.paillier.key_holder import (
    HolderOffer,
    HolderSession,
    agree,
    offer_holder_keys,
    open_sum,
    require_askable,
)
from privacy.paillier.keys import HolderKey, ModulusRule

Stored = dict[str, Any]


@dataclass(frozen=True)
class HolderHome:
    """Files in `directory`; they never travel. `alone`: no other process writes there, and nobody else can look."""

    directory: Path
    alone: bool = False

    def create(self, rule: ModulusRule, *, min_silos: int) -> None:
        """New keys. An existing key holder is left as it is, with HolderUnusable."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._key_path.exists():
            raise HolderUnusable(
                "there is a key holder already; nothing was changed", hint="choose a new directory"
            )
        if not self._identity_path.exists():
            SiloIdentity.generate(HOLDER).save(self._identity_path)
        if not self.peers_path.exists():
            PinnedPeers({}).save(self.peers_path)
        HolderKey.generate(rule, min_silos=min_silos).save(self._key_path)

    @property
    def exists(self) -> bool:
        return self._key_path.exists()

    @property
    def identity(self) -> SiloIdentity:
        """The long-term signing key, which silos pin."""
        return SiloIdentity.load(HOLDER, self._identity_path)

    @property
    def peers_path(self) -> Path:
        """The silos' public keys as the key holder's owner pinned them."""
        return self.directory / "peers.toml"

    def pin(self, silo: str, public_key: str) -> None:
        """Trust `public_key` (base64) as `silo`'s from now on; other pins stay."""
        try:
            raw = base64.b64decode(public_key, validate=True)
        except ValueError as error:
            raise IdentityUnusable(
                f"the key given for {silo} is not base64; nothing was pinned",
                hint="copy it again from `mixroom silo key`",
            ) from error
        PinnedPeers({**PinnedPeers.load(self.peers_path).keys, silo: raw}).save(self.peers_path)

    def offer(self, run_id: str) -> HolderAdvert:
        """Join a run, afresh when it is resumed; what was answered in it stays answered."""
        key = HolderKey.load(self._key_path)
        offer = offer_holder_keys(self.identity, key, run_id)
        _write(self._run(run_id) / "session", offer.to_bytes())
        return offer.advert

    def start(self, roster: KeyRoster) -> None:
        """Check the roster and agree on keys. Raises RosterRefused or UntrustedPeer."""
        path = self._run(roster.run_id) / "session"
        offer = HolderOffer.from_bytes(_read(path))
        _write(path, agree(offer, roster, PinnedPeers.load(self.peers_path)).to_bytes())

    def open(self, request: OpenRequest) -> OpenedSum:
        """The answer to this sum of the run, found now or found before. Raises OpeningRefused."""
        run = self._run(request.run_id)
        session = HolderSession.from_bytes(_read(run / "session"))
        require_askable(session, request)
        path = run / f"sum-{request.of_round().round:010d}.json"
        if not path.exists():
            _require_newest(run, path)
            answer = _answer(HolderKey.load(self._key_path), session, request)
            if self.alone:  # an enclave's file system has no links
                _write(path, json.dumps(answer).encode())
            else:
                # Whoever writes first decides; a second request at the same moment reads what the first one wrote.
                _write_once(path, answer)
        try:
            return _given(json.loads(path.read_bytes()), request)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise HolderUnusable(
                f"the key holder's record of sum {request.round} is damaged; nothing was opened",
                hint="start a new run",
            ) from error

    @property
    def _key_path(self) -> Path:
        return self.directory / "paillier-key.json"

    @property
    def _identity_path(self) -> Path:
        return self.directory / "identity.pem"

    def _run(self, run_id: str) -> Path:
        directory = self.directory / "runs" / hashlib.sha256(run_id.encode()).hexdigest()[:16]
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return directory


def _answer(key: HolderKey, session: HolderSession, request: OpenRequest) -> Stored:
    """What will be the answer for ever. A refusal is one too: otherwise refusals, asked for often, would measure."""
    asked = {"question": request.question.hex(), "silos": list(request.silos)}
    try:
        total = open_sum(key, session, request)
    except OpeningRefused as refusal:
        return {**asked, "refused": str(refusal), "hint": refusal.hint}
    return {**asked, "total": base64.b64encode(total.astype("<u8").tobytes()).decode()}


def _given(stored: Stored, request: OpenRequest) -> OpenedSum:
    if stored["question"] != request.question.hex():
        raise OpeningRefused(
            f"sum {request.round} of this run was another one; nothing was opened",
            hint="resume with the same settings, or start a new run",
        )
    if "refused" in stored:
        raise OpeningRefused(stored["refused"], hint=stored["hint"])
    return OpenedSum(request.question, tuple(stored["silos"]), base64.b64decode(stored["total"]))


def _require_newest(run: Path, path: Path) -> None:
    """Sums only go forward: a number that was passed over stays closed."""
    if any(other.name > path.name for other in run.glob("sum-*.json")):
        raise OpeningRefused(
            "a later sum of this run was opened already; nothing was opened",
            hint="go on with a higher round number",
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HolderUnusable(
            "the key holder has not joined this run", hint="invite it first; resume the run"
        ) from error


def _write(path: Path, content: bytes) -> None:
    """Replace the file, whole or not at all. Raises HolderUnusable."""
    try:
        os.replace(_draft(path, content), path)
        _sync(path.parent)
    except OSError as error:
        raise _unwritable() from error


def _write_once(path: Path, content: Stored) -> None:
    """Write the file whole, or leave the one that is there. Raises HolderUnusable."""
    try:
        draft = _draft(path, json.dumps(content).encode())
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
        _sync(path.parent)
    except OSError as error:
        raise _unwritable() from error


def _draft(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable() -> HolderUnusable:
    return HolderUnusable(
        "the key holder's disk cannot be written; no sum was given",
        hint="free disk space or fix the permissions, then resume the run",
    )
