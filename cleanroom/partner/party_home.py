"""A party's home directory on its own machine: its keys, and which room it is in.

`keys/` as `PartyKeys.save` writes it; `room.json` with everything that was pinned when the party joined; for the
owner's eyes only (0600), `api.key` and, in homes of data owners, `identity.key`; `record.json`, the signed documents as
last read; and `broker/`, which remembers how far those went, and where an owner's key broker keeps the keys of its
tables and what it remembers.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cleanroom.errors import HomeUnusable
from cleanroom.governance.audit_chain import KnownHead
from cleanroom.governance.secret_text import Secret
from cleanroom.governance.terms import IdentityTerms
from privacy.errors import IdentityUnusable, InvalidSetting
from privacy.identifiers import IdentifierKind, IdentifierRule, IdentityKey
from privacy.identity import fingerprint
from privacy.party_keys import PartyKeys, PublicKeys

_KEYS, _ROOM, _PREPARED, _RECORD = "keys", "room.json", "joining.json", "record.json"
_API_KEY, _IDENTITY_KEY, _HEAD, _BROKER = "api.key", "identity.key", "audit-head.json", "broker"


@dataclass(frozen=True)
class PinnedRoom:
    """The room a party is in. What is pinned here is trusted; what the service says later is compared with it.

    enclave_root: the certificate (DER) that every worker's attestation must go back to.
    """

    url: str
    collaboration: str
    member: str
    identity: IdentityTerms
    terms_digest: str
    service_keys: PublicKeys
    enclave_root: bytes

    @property
    def root_fingerprint(self) -> str:
        """What two people compare of the root under which the room's workers are attested."""
        return fingerprint(self.enclave_root)

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        plain = {**vars(self), "identity": asdict(self.identity)}
        return {
            **plain,
            "service_keys": self.service_keys.to_plain(),
            "enclave_root": base64.b64encode(self.enclave_root).decode(),
        }

    @classmethod
    def of(cls, plain: Any) -> PinnedRoom:
        """From what `to_plain` gave. Raises KeyError, TypeError, ValueError or IdentityUnusable for anything else."""
        return cls(
            **{
                **plain,
                "identity": IdentityTerms(**plain["identity"]),
                "service_keys": PublicKeys.of(plain["service_keys"]),
                "enclave_root": base64.b64decode(plain["enclave_root"], validate=True),
            }
        )


@dataclass(frozen=True)
class PartyHome:
    """The folder. Reading what is not there yet raises HomeUnusable with the command that makes it."""

    folder: Path

    @property
    def is_in_room(self) -> bool:
        """Whether the party has founded or joined."""
        return (self.folder / _ROOM).exists()

    @property
    def keys(self) -> PartyKeys:
        """The party's own keys."""
        self._require(_KEYS)
        return PartyKeys.load(self.folder / _KEYS)

    @property
    def room(self) -> PinnedRoom:
        """The room that was pinned on joining."""
        self._require(_ROOM)
        return self._pinned(_ROOM)

    @property
    def api_key(self) -> Secret:
        """The key for requests to the service."""
        return Secret(self._secret(_API_KEY).strip())

    @property
    def identity_key(self) -> IdentityKey:
        """The collaboration's key for identifiers; only homes of data owners have it."""
        room = self.room
        if not (self.folder / _IDENTITY_KEY).exists():
            raise HomeUnusable(
                f"{self.folder} has no identity key: {room.member} did not join as a data owner",
                hint="only owners hash and upload tables",
            )
        return _identity_key(self._secret(_IDENTITY_KEY), room.identity, self.folder / _IDENTITY_KEY)

    @property
    def broker(self) -> Path:
        """The key broker's folder; it may not be there yet."""
        return self.folder / _BROKER

    @property
    def broker_log(self) -> Path:
        """Where the broker writes what it gave and refused."""
        return self.broker / "log.jsonl"

    def ensure_keys(self, party: str) -> PartyKeys:
        """The party's keys, made now unless there are some. Raises HomeUnusable when they are another party's."""
        if not (self.folder / _KEYS).exists():
            PartyKeys.generate(party).save(self.folder / _KEYS)
        keys = self.keys
        if keys.name != party:
            raise HomeUnusable(
                f"{self.folder} is the home of {keys.name}, not of {party}",
                hint="name another --home; or remove this one, if nobody has joined anything with it",
            )
        return keys

    def require_new(self) -> None:
        """Raise HomeUnusable when the party is in a room already."""
        if self.is_in_room:
            raise HomeUnusable(
                f"{self.folder} is in a room already; nothing was changed",
                hint="use one home per collaboration: name another --home",
            )

    def prepare(self, room: PinnedRoom, identity_key: IdentityKey | None) -> None:
        """Before the request that joins: what must not be lost if its answer is."""
        if identity_key is not None:
            self._write(_IDENTITY_KEY, identity_text(identity_key), 0o600)
        self._write(_PREPARED, json.dumps(room.to_plain(), indent=1, ensure_ascii=False) + "\n", 0o644)

    @property
    def prepared(self) -> PinnedRoom | None:
        """The room that an earlier attempt was about to join, if one was."""
        return self._pinned(_PREPARED) if (self.folder / _PREPARED).exists() else None

    def enter(self, api_key: Secret) -> PinnedRoom:
        """The prepared room was joined. Its file gets its name last: without it the party is not in."""
        self.replace_api_key(api_key)
        (self.folder / _PREPARED).replace(self.folder / _ROOM)
        return self.room

    def replace_api_key(self, api_key: Secret) -> None:
        """Use another key from now on."""
        self._write(_API_KEY, api_key.reveal() + "\n", 0o600)

    @property
    def record(self) -> Any:
        """The collaboration's signed documents as last read; None when they never were."""
        path = self.folder / _RECORD
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        except ValueError as error:
            raise _unusable(path, "is damaged") from error

    def keep_record(self, record: Any) -> None:
        """Keep the signed documents, so that releases are verified without the service."""
        self._write(_RECORD, json.dumps(record, ensure_ascii=False), 0o644)

    @property
    def audit_head(self) -> KnownHead | None:
        """Where the audit log ended when it was last verified from here; None when it never was."""
        path = self.folder / _HEAD
        try:
            return KnownHead(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
        except (ValueError, TypeError) as error:
            raise _unusable(path, "is damaged") from error

    def keep_audit_head(self, head: KnownHead) -> None:
        """Keep it, so that a log that is cut later is noticed."""
        self._write(_HEAD, json.dumps(asdict(head)) + "\n", 0o644)

    def _pinned(self, name: str) -> PinnedRoom:
        try:
            return PinnedRoom.of(json.loads((self.folder / name).read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError, IdentityUnusable) as error:
            raise _unusable(self.folder / name, "is not what was written when the party joined") from error

    def _require(self, name: str) -> None:
        if not (self.folder / name).exists():
            raise HomeUnusable(
                f"{self.folder} is not the home of a party in a room",
                hint="name it with --home, or make it with `mixroom room create` or `mixroom room accept`",
            )

    def _secret(self, name: str) -> str:
        self._require(name)
        path = self.folder / name
        if path.stat().st_mode & 0o077:
            raise HomeUnusable(
                f"{path} may be read by other users; it was not used", hint=f"chmod 600 {path}"
            )
        return path.read_text(encoding="utf-8")

    def _write(self, name: str, text: str, mode: int) -> None:
        """Whole or not at all."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self.folder / f".{name}.{secrets.token_hex(4)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.folder / name)
        finally:
            draft.unlink(missing_ok=True)


def identity_text(key: IdentityKey) -> str:
    """The secret as text, for the file and the invitation."""
    return base64.b64encode(key.secret).decode()


def read_identity_key(text: str, terms: IdentityTerms) -> IdentityKey:
    """The key of these terms. Raises ValueError when the text is not it."""
    kind, rule = IdentifierKind(terms.kind), IdentifierRule(terms.rule)
    try:
        key = IdentityKey(base64.b64decode(text.strip(), validate=True), kind, rule)
    except (binascii.Error, InvalidSetting) as error:
        raise ValueError("not 32 bytes in base64") from error
    if key.tag != terms.tag:
        raise ValueError("another collaboration's key")
    return key


def _identity_key(text: str, terms: IdentityTerms, path: Path) -> IdentityKey:
    try:
        return read_identity_key(text, terms)
    except ValueError as error:
        raise _unusable(path, "is not this collaboration's identity key") from error


def _unusable(path: Path, what: str) -> HomeUnusable:
    return HomeUnusable(f"{path} {what}; it was not used", hint="restore the file from a backup")
