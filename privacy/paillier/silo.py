"""A silo's side of Paillier aggregation: pure steps from (state, message) to (state, message).

Store the new state before sending the message that came with it: a round is never encrypted twice.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from numpy.typing import NDArray

from privacy.errors import InvalidSetting, RoundRefused, UntrustedPeer
from privacy.identity import PinnedPeers
from privacy.masks.key_agreement import require_own_rules, require_signed_by_others
from privacy.masks.mask_state import KeyOffer, pack_state, state_damaged, unpack_state
from privacy.masks.masking import pair_key
from privacy.paillier.aggregation import HOLDER, EncryptedUpdate, EncryptionRound, HeldRoster
from privacy.paillier.blinding import blind, blinding_key
from privacy.paillier.keys import ModulusRule, ciphertext_bytes, encrypt

KIND = "paillier-state"
USUAL_RULE = ModulusRule()


@dataclass(frozen=True)
class PaillierState:
    """A silo's memory of one run."""

    run_id: str
    silo: str
    silos: int  # of the roster
    roster_digest: bytes
    modulus: int
    holder_key: bytes = field(repr=False)  # extracted Diffie-Hellman secret with the key holder
    last_round: int = 0

    def to_bytes(self) -> bytes:
        """For `from_bytes`; contains the secret."""
        header = {
            "run_id": self.run_id,
            "silo": self.silo,
            "silos": self.silos,
            "roster_digest": self.roster_digest.hex(),
            "modulus": hex(self.modulus),
            "last_round": self.last_round,
        }
        return pack_state(KIND, header, self.holder_key)

    @classmethod
    def from_bytes(cls, stored: bytes) -> "PaillierState":
        """Raises MaskStateDamaged unless `stored` is a whole state."""
        header, holder_key = unpack_state(KIND, stored)
        try:
            return cls(
                run_id=header["run_id"],
                silo=header["silo"],
                silos=header["silos"],
                roster_digest=bytes.fromhex(header["roster_digest"]),
                modulus=int(header["modulus"], 16),
                holder_key=holder_key,
                last_round=header["last_round"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise state_damaged() from error


@dataclass(frozen=True, eq=False)
class EncryptStep:
    """What to store, then what to send."""

    state: PaillierState
    message: EncryptedUpdate


def join_held_roster(
    offer: KeyOffer, held: HeldRoster, peers: PinnedPeers, *, rule: ModulusRule = USUAL_RULE
) -> PaillierState:
    """Check silos and key holder against this silo's own rules and pins, then agree on a secret with the holder.

    Raises RosterRefused (who and how many), UntrustedPeer (whose key) or ModulusRefused.
    """
    require_own_rules(offer.advert, held.roster)
    require_signed_by_others(held.roster, peers, own=offer.advert)
    peers.require_signed(HOLDER, held.holder.signed_bytes, held.holder.signature)
    rule.require(held.holder.n)
    own = X25519PrivateKey.from_private_bytes(offer.private_key)
    try:
        holder_key = pair_key(own, held.holder.exchange_key)
    except ValueError as error:
        raise UntrustedPeer(
            "the key holder's exchange key is not usable; the roster was refused",
            hint="ask the key holder's owner; a sound one never makes such a key",
        ) from error
    roster = held.roster
    return PaillierState(
        roster.run_id, offer.advert.silo, len(roster.adverts), held.digest, held.holder.n, holder_key
    )


def encrypt_update(
    state: PaillierState,
    request: EncryptionRound,
    vector: NDArray[np.uint64],
    *,
    randbelow: Callable[[int], int] = secrets.randbelow,
) -> EncryptStep:
    """`vector` ([value], integers modulo 2^64 of at most `request.largest`) packed, blinded, encrypted.

    Guarantee: without the key holder's secret the message is indistinguishable from random numbers.
    Raises RoundRefused, InvalidSetting, ValueOutOfRange or CapacityExceeded; nothing was sent.
    """
    _require_next_round(state, request)
    if vector.shape != (request.length,) or vector.dtype != np.uint64:
        raise InvalidSetting(
            f"the vector is {vector.dtype}{list(vector.shape)}, the round asks for uint64[{request.length}]",
            hint="quantise the update; check that model and round belong together",
        )
    plaintexts = request.packing(silos=state.silos, modulus=state.modulus).pack(vector)
    key = blinding_key(state.holder_key, request.digest, state.silo)
    size = ciphertext_bytes(state.modulus)
    numbers = (encrypt(state.modulus, m, randbelow) for m in blind(plaintexts, key, state.modulus))
    ciphertexts = b"".join(number.to_bytes(size, "big") for number in numbers)
    message = EncryptedUpdate(state.silo, request.digest, ciphertexts)
    return EncryptStep(replace(state, last_round=request.round), message)


def _require_next_round(state: PaillierState, request: EncryptionRound) -> None:
    if request.run_id != state.run_id or request.roster_digest != state.roster_digest:
        raise RoundRefused(
            f"round {request.round} is not of the run and roster {state.silo} joined; nothing was sent",
            hint="the coordinator must use one roster for every silo; start the run again",
        )
    if request.round <= state.last_round:
        raise RoundRefused(
            f"round {request.round} came again or late, after round {state.last_round}; nothing was sent",
            hint="continue with a higher round number; a round is never encrypted twice",
        )
