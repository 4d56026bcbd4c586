"""The broker's folder in a party's home: its keys, its log, its consent, and the programs it allows.

`keys/` and `wrapping/`, `log.jsonl`, `state.json` (the rollback counter), `record-head.json` (how far the room's record
was seen), `allowed.json`. Uploads, deletions and the running broker use it at once: every step takes its turn, and
stands in the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from cleanroom.broker.allowed_code import CodeRules
from cleanroom.broker.charge_book import ChargeBook
from cleanroom.broker.held_keys import HeldKey, Tombstone
from cleanroom.broker.key_encryption import FileKeys, KeyEncryptionKeys
from cleanroom.broker.key_store import KeyStore, Rotation
from cleanroom.broker.private_files import private_folder, read_private, write_private
from cleanroom.broker.release_log import Entry, ReleaseLog
from cleanroom.broker.release_policy import ALL
from cleanroom.datasets.key_commitment import key_commitment
from cleanroom.datasets.sealed_table import SealedTableManifest
from cleanroom.errors import StateRolledBack

_KEYS, _WRAPPING, _LOG, _ALLOWED = "keys", "wrapping", "log.jsonl", "allowed.json"
STATE, RECORD_HEAD, RUNNING = "state.json", "record-head.json", "running.lock"


class BrokerHome:
    """The folder, made when it is not there.

    `wrapping_keys`: where the keys that wrap others are, when they are not in files here.
    Raises HomeUnusable, LogBroken, StateRolledBack.
    """

    def __init__(self, folder: Path, wrapping_keys: KeyEncryptionKeys | None = None) -> None:
        self.folder = private_folder(folder)
        _require_no_lost_log(folder)
        self.book = ChargeBook()
        self.log = ReleaseLog(folder / _LOG, self.book.take)
        self.keys = KeyStore(folder / _KEYS, wrapping_keys or FileKeys(folder / _WRAPPING))

    def keep_key(self, manifest: SealedTableManifest, key: bytes, *, now: datetime) -> HeldKey:
        """Keep the data key of a table. The same again changes nothing; Conflict when it contradicts what is there."""
        held = HeldKey.of(manifest, now)
        with self.log.turn() as turn:
            if held.version not in self.book.kept:
                body = {
                    "collaboration": held.collaboration,
                    "dataset": held.dataset,
                    "version": held.version,
                    "manifest": held.manifest_digest,
                    "commitment": key_commitment(held.version, key),
                }
                turn.append(Entry.KEPT, body, now=now)
        return self.keys.put(manifest, key, now=now)

    def destroy_key(self, version: str, *, now: datetime, why: str) -> Tombstone:
        """The key is gone once this returns. Raises NotFound when it was never kept here."""
        tombstone = self.keys.destroy(version, now=now, why=why)
        self._log_destroyed(tombstone, now)
        return tombstone

    def retire_expired(self, retention_days: Mapping[str, int], *, now: datetime) -> tuple[Tombstone, ...]:
        """Destroy the keys whose retention has ended. `retention_days`: by dataset, as the rules in force say."""
        ended = [
            held.version
            for held in self.keys.all_held()
            if held.is_expired(retention_days.get(held.dataset, 0), now)
        ]
        return tuple(self.destroy_key(version, now=now, why="its retention ended") for version in ended)

    def rotate(self, *, now: datetime) -> Rotation:
        """Wrap every key by a new wrapping key and destroy the older ones."""
        rotation = self.keys.rotate()
        body = {"wrapped_by": rotation.identifier, "rewrapped": rotation.rewrapped}
        self.log.append(Entry.ROTATED, body, now=now)
        return rotation

    @property
    def paused(self) -> frozenset[str]:
        """Datasets whose keys are not released at present; ALL for every one."""
        with self.log.turn():
            return self.book.paused

    def pause(self, dataset: str = ALL, *, now: datetime) -> None:
        """Release no key of the dataset until `resume`; a running broker obeys at once."""
        with self.log.turn() as turn:
            turn.append(Entry.CONSENT, {"paused": sorted(self.book.paused | {dataset})}, now=now)

    def resume(self, dataset: str = ALL, *, now: datetime) -> None:
        """Release keys of the dataset again; ALL ends every pause."""
        with self.log.turn() as turn:
            left = self.book.paused - {dataset} if dataset != ALL else frozenset[str]()
            turn.append(Entry.CONSENT, {"paused": sorted(left)}, now=now)

    @property
    def code_rules(self) -> CodeRules:
        """Which programs are allowed besides the installation's own."""
        try:
            return CodeRules.of(read_private(self.folder / _ALLOWED))
        except FileNotFoundError:
            return CodeRules()

    def allow(self, rules: CodeRules, *, now: datetime) -> None:
        """These rules from now on; a running broker obeys at once."""
        plain = {
            "measurements": list(rules.measurements),
            "reduced": rules.reduced,
            "production": rules.production,
        }
        self.log.append(Entry.CODE, plain, now=now)
        write_private(self.folder / _ALLOWED, rules.to_bytes())

    def finish_destroying(self, *, now: datetime) -> None:
        """Destroyed keys are gone, and stand in the log, also after a crash or a backup that brought one back."""
        for held in self.keys.all_held():
            if held.version in self.book.destroyed:
                self.keys.destroy(held.version, now=now, why="it was destroyed before, and came back")
        for tombstone in self.keys.destroyed():
            self._log_destroyed(tombstone, now)

    def require_logged(self) -> None:
        """Raise StateRolledBack when a key is there that the log does not know: lines of it are missing."""
        here = {
            *(held.version for held in self.keys.all_held()),
            *(one.version for one in self.keys.destroyed()),
        }
        if not here <= self.book.kept:
            raise _log_lost(self.folder / _LOG, "lacks keys that are kept beside it")

    def _log_destroyed(self, tombstone: Tombstone, now: datetime) -> None:
        """Once."""
        with self.log.turn() as turn:
            if tombstone.version not in self.book.destroyed:
                turn.append(Entry.DESTROYED, tombstone.to_plain(), now=now)


def _require_no_lost_log(folder: Path) -> None:
    """Before a new one is begun in its place."""
    used = (folder / STATE).exists() or any((folder / _KEYS).glob("ver-*"))
    if used and not (folder / _LOG).exists():
        raise _log_lost(folder / _LOG, "is missing, and the folder was used before")


def _log_lost(path: Path, what: str) -> StateRolledBack:
    return StateRolledBack(
        f"{path} {what}: what was released would be forgotten; no key was released",
        hint="restore the newest copy of the broker's whole folder, from one moment",
    )
