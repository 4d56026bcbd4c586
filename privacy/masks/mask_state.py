"""What a silo remembers between messages, in memory and stored. It holds secrets: keep it local.

Stored form: one line of JSON (readable, no secrets), the secrets as raw bytes in a fixed order, and a SHA-256
checksum of both against accidents.
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from privacy.errors import MaskStateDamaged, PrivacyError
from privacy.masks.secret_sharing import SHARE_BYTES
from privacy.masks.secure_aggregation import EXCHANGE_KEY_BYTES, KeyAdvert

VERSION = 1
PAIR_KEY_BYTES = 32
CHECKSUM_BYTES = 32


@dataclass(frozen=True)
class KeyOffer:
    """Between advert and roster. To be used once: store what `join_roster` returns in its place."""

    advert: KeyAdvert
    private_key: bytes = field(repr=False)  # raw X25519

    def to_bytes(self) -> bytes:
        """For `from_bytes`; contains the private key."""
        header = {
            "run_id": self.advert.run_id,
            "silo": self.advert.silo,
            "min_silos": self.advert.min_silos,
            "exchange_key": self.advert.exchange_key.hex(),
            "signature": self.advert.signature.hex(),
        }
        return pack_state("key-offer", header, self.private_key)

    @classmethod
    def from_bytes(cls, stored: bytes) -> "KeyOffer":
        """Raises MaskStateDamaged unless `stored` is a whole key offer."""
        header, secret = unpack_state("key-offer", stored)
        try:
            advert = KeyAdvert(
                run_id=header["run_id"],
                silo=header["silo"],
                min_silos=header["min_silos"],
                exchange_key=bytes.fromhex(header["exchange_key"]),
                signature=bytes.fromhex(header["signature"]),
            )
        except (KeyError, TypeError, ValueError, PrivacyError) as error:
            raise state_damaged() from error
        if len(secret) != EXCHANGE_KEY_BYTES:
            raise state_damaged()
        return cls(advert, secret)


@dataclass(frozen=True)
class PendingRound:
    """A round that was masked and not yet unmasked."""

    context: bytes
    own_shares: bytes = field(repr=False)  # the share of each of its own seeds that the silo holds itself


@dataclass(frozen=True)
class SiloMaskState:
    """A silo's memory of one run. Never a round's seeds; its own shares of them go when unmasked."""

    run_id: str
    silo: str
    silos: tuple[str, ...]
    threshold: int
    min_silos: int  # the largest that any silo of the roster signed: each honours all
    roster_digest: bytes
    pair_keys: tuple[bytes, ...] = field(
        repr=False
    )  # [slot] extracted Diffie-Hellman secrets; own slot empty
    last_round: int = 0
    pending: PendingRound | None = None

    @property
    def slot(self) -> int:
        """This silo's place in the roster."""
        return self.silos.index(self.silo)

    def to_bytes(self) -> bytes:
        """For `from_bytes`; contains secrets. About 65 bytes per silo of the roster and 300 more."""
        header = {
            "run_id": self.run_id,
            "silo": self.silo,
            "silos": self.silos,
            "threshold": self.threshold,
            "min_silos": self.min_silos,
            "roster_digest": self.roster_digest.hex(),
            "last_round": self.last_round,
            "pending": self.pending.context.hex() if self.pending else None,
        }
        own_shares = self.pending.own_shares if self.pending else b""
        return pack_state("mask-state", header, b"".join(self.pair_keys) + own_shares)

    @classmethod
    def from_bytes(cls, stored: bytes) -> "SiloMaskState":
        """Raises MaskStateDamaged unless `stored` is a whole state."""
        header, secrets = unpack_state("mask-state", stored)
        try:
            silos = tuple(header["silos"])
            slot, n_keys = silos.index(header["silo"]), len(silos) - 1
            keys = [secrets[k * PAIR_KEY_BYTES : (k + 1) * PAIR_KEY_BYTES] for k in range(n_keys)]
            own_shares = secrets[n_keys * PAIR_KEY_BYTES :]
            context = header["pending"]
            share_bytes = len(silos) * SHARE_BYTES if context else 0
            if len(secrets) != n_keys * PAIR_KEY_BYTES + share_bytes:
                raise state_damaged()
            return cls(
                run_id=header["run_id"],
                silo=header["silo"],
                silos=silos,
                threshold=header["threshold"],
                min_silos=header["min_silos"],
                roster_digest=bytes.fromhex(header["roster_digest"]),
                pair_keys=(*keys[:slot], b"", *keys[slot:]),
                last_round=header["last_round"],
                pending=PendingRound(bytes.fromhex(context), own_shares) if context else None,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise state_damaged() from error


def pack_state(kind: str, header: dict[str, Any], secrets: bytes) -> bytes:
    """One line of JSON, the secrets, a checksum."""
    body = json.dumps({"kind": kind, "version": VERSION, **header}).encode() + b"\n" + secrets
    return body + hashlib.sha256(body).digest()


def unpack_state(kind: str, stored: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and secrets of a whole state of that kind. Raises MaskStateDamaged."""
    body, checksum = stored[:-CHECKSUM_BYTES], stored[-CHECKSUM_BYTES:]
    if hashlib.sha256(body).digest() != checksum:
        raise state_damaged()
    line, _, secrets = body.partition(b"\n")
    header = json.loads(line)
    if header["version"] != VERSION:
        raise state_damaged()
    if header["kind"] != kind:
        raise MaskStateDamaged(
            f"the stored state is a {header['kind']}, not a {kind}; nothing was sent",
            hint="run the steps in order: one key offer and one roster per run",
        )
    return header, secrets


def state_damaged() -> MaskStateDamaged:
    """The refusal to use what is not a whole state."""
    return MaskStateDamaged(
        "the silo's stored masking state is incomplete or of another version; nothing was sent",
        hint="start a new run: its key agreement replaces the state",
    )
