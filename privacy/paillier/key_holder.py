"""The key holder's side of Paillier aggregation: pure steps. `paillier/holder_home.py` is its disk."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from numpy.typing import NDArray

from privacy.errors import OpeningRefused, PrivacyError, RosterRefused, UntrustedPeer
from privacy.identity import PinnedPeers, SiloIdentity
from privacy.masks.key_agreement import require_signed_by_others, require_sound_roster
from privacy.masks.mask_state import pack_state, state_damaged, unpack_state
from privacy.masks.masking import pair_key
from privacy.masks.secure_aggregation import EXCHANGE_KEY_BYTES, MINIMUM_ROSTER, KeyRoster
from privacy.paillier.aggregation import HeldRoster, HolderAdvert, OpenRequest, holder_advert_bytes
from privacy.paillier.blinding import blinding_key, unblind
from privacy.paillier.encrypted_sum import read_ciphertexts
from privacy.paillier.keys import HolderKey, is_ciphertext
from privacy.paillier.packing import not_that_sum

OFFER, SESSION = "holder-offer", "holder-session"
PAIR_KEY_BYTES = 32


@dataclass(frozen=True)
class HolderOffer:
    """Between advert and roster. To be used once: store what `agree` returns in its place."""

    advert: HolderAdvert
    private_key: bytes = field(repr=False)  # raw X25519

    def to_bytes(self) -> bytes:
        """For `from_bytes`; contains the private key."""
        advert = self.advert
        header = {
            "run_id": advert.run_id,
            "min_silos": advert.min_silos,
            "modulus": advert.modulus.hex(),
            "exchange_key": advert.exchange_key.hex(),
            "signature": advert.signature.hex(),
        }
        return pack_state(OFFER, header, self.private_key)

    @classmethod
    def from_bytes(cls, stored: bytes) -> "HolderOffer":
        """Raises MaskStateDamaged unless `stored` is a whole offer."""
        header, secret = unpack_state(OFFER, stored)
        try:
            octets = (bytes.fromhex(header[name]) for name in ("modulus", "exchange_key", "signature"))
            advert = HolderAdvert(header["run_id"], header["min_silos"], *octets)
        except (KeyError, TypeError, ValueError, PrivacyError) as error:
            raise state_damaged() from error
        if len(secret) != EXCHANGE_KEY_BYTES:
            raise state_damaged()
        return cls(advert, secret)


@dataclass(frozen=True)
class HolderSession:
    """What the key holder remembers of a run that was started."""

    run_id: str
    silos: tuple[str, ...]
    needed: int
    roster_digest: bytes
    pair_keys: tuple[bytes, ...] = field(repr=False)  # [silo] extracted Diffie-Hellman secrets

    def to_bytes(self) -> bytes:
        """For `from_bytes`; contains the secrets."""
        header = {
            "run_id": self.run_id,
            "silos": self.silos,
            "needed": self.needed,
            "roster_digest": self.roster_digest.hex(),
        }
        return pack_state(SESSION, header, b"".join(self.pair_keys))

    @classmethod
    def from_bytes(cls, stored: bytes) -> "HolderSession":
        """Raises MaskStateDamaged unless `stored` is a whole session."""
        header, keys = unpack_state(SESSION, stored)
        try:
            silos, digest = tuple(header["silos"]), bytes.fromhex(header["roster_digest"])
            if len(keys) != PAIR_KEY_BYTES * len(silos):
                raise state_damaged()
            pair_keys = (keys[k : k + PAIR_KEY_BYTES] for k in range(0, len(keys), PAIR_KEY_BYTES))
            return cls(header["run_id"], silos, header["needed"], digest, tuple(pair_keys))
        except (KeyError, TypeError, ValueError) as error:
            raise state_damaged() from error


def offer_holder_keys(
    identity: SiloIdentity,
    key: HolderKey,
    run_id: str,
    *,
    randbytes: Callable[[int], bytes] = secrets.token_bytes,
) -> HolderOffer:
    """The modulus and a fresh X25519 key for one run, signed."""
    own = X25519PrivateKey.from_private_bytes(randbytes(32))
    public, min_silos = own.public_key().public_bytes_raw(), max(key.min_silos, MINIMUM_ROSTER)
    modulus = key.modulus.to_bytes((key.modulus.bit_length() + 7) // 8, "big")
    signature = identity.sign(holder_advert_bytes(run_id, min_silos, modulus, public))
    return HolderOffer(HolderAdvert(run_id, min_silos, modulus, public, signature), own.private_bytes_raw())


def agree(offer: HolderOffer, roster: KeyRoster, peers: PinnedPeers) -> HolderSession:
    """Check every silo by the key holder's own pins, then agree on a secret with each.

    Raises RosterRefused (who and how many) or UntrustedPeer (whose key).
    """
    held = HeldRoster(roster, offer.advert)
    require_sound_roster(roster, offer.advert.run_id)
    require_signed_by_others(roster, peers)
    if held.needed > len(roster.adverts):
        raise RosterRefused(
            f"the roster has {len(roster.adverts)} silos, the key holder opens sums of {held.needed} or more",
            hint="bring more silos into the run",
        )
    own = X25519PrivateKey.from_private_bytes(offer.private_key)
    try:
        pair_keys = tuple(pair_key(own, advert.exchange_key) for advert in roster.adverts)
    except ValueError as error:
        raise UntrustedPeer(
            "a silo's exchange key is not usable; the roster was refused",
            hint="ask the silos' owners; a sound client never makes such a key",
        ) from error
    return HolderSession(roster.run_id, roster.silos, held.needed, held.digest, pair_keys)


def require_askable(session: HolderSession, request: OpenRequest) -> None:
    """Raise OpeningRefused unless the request is of this run and roster and names enough distinct silos of it."""
    if request.run_id != session.run_id or request.roster_digest != session.roster_digest:
        raise OpeningRefused(
            "the sum is not of the run and roster that the key holder joined; nothing was opened",
            hint="start the run again: silos and key holder must see one roster",
        )
    if list(request.silos) != sorted(set(request.silos)) or not set(request.silos) <= set(session.silos):
        raise OpeningRefused(
            "the silos named are not, in name order and each once, silos of the roster; nothing was opened",
            hint="name the silos whose ciphertexts are in the product",
        )
    if len(request.silos) < session.needed:
        raise OpeningRefused(
            f"{len(request.silos)} silos are in the sum, {session.needed} are needed; nothing was opened",
            hint="start the next round when more silos are reachable",
        )


def open_sum(key: HolderKey, session: HolderSession, request: OpenRequest) -> NDArray[np.uint64]:
    """[value] the sum modulo 2^64 of the named silos' vectors.

    Guarantee: see `paillier/aggregation.py`; what is not that sum looks like noise and is refused in one way.
    Raises OpeningRefused. Not to be called twice for one round: the caller remembers.
    """
    require_askable(session, request)
    of, modulus = request.of_round(), key.modulus
    packing = of.packing(silos=len(session.silos), modulus=modulus)
    numbers = read_ciphertexts(request.ciphertexts, modulus)
    if len(numbers) != packing.plaintexts(of.length) or not all(is_ciphertext(modulus, c) for c in numbers):
        raise not_that_sum()
    pairs = dict(zip(session.silos, session.pair_keys, strict=True))
    keys = [blinding_key(pairs[silo], of.digest, silo) for silo in request.silos]
    sums = unblind([key.decrypt(number) for number in numbers], keys, modulus)
    return packing.unpack(sums, count=len(request.silos), length=of.length)
