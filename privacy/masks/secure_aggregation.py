"""Secure aggregation: the coordinator learns the sum of the silos' vectors and no single one of them.

The protocol of Bonawitz et al. (2017), with the two messages per round that a slow network asks for. This
file holds the messages; `key_agreement` is what happens once a run, `mask_silo` a silo's side of a round,
`mask_coordinator` the coordinator's, `masking` every derivation.

Once a run. Each silo signs a fresh X25519 key with its long-term key (KeyAdvert); the coordinator hands all
adverts to all (KeyRoster); each silo checks every signature against its own pinned keys and its own rules.

Message 1, MaskRequest -> MaskedUpdate. Silo i sends, modulo 2^64,

    y_i = x_i + PRG(b_i) + sum_{j > i} PRG(s_ij) - sum_{j < i} PRG(s_ij)

with b_i fresh and s_ij derived from the pair's Diffie-Hellman secret and the round; in the whole sum the
s_ij cancel. It also sends, encrypted for each peer, Shamir shares of b_i and of its s_ij of this round, and
a hash of each seed. The Diffie-Hellman keys live for the whole run and are therefore never shared: only
seeds of this one round are.

Message 2, UnmaskRequest -> UnmaskReply. The coordinator names who answered (alive) and who did not
(dropped). A silo returns its shares of b_i for i alive, and of s_ij for i alive and j dropped. `threshold`
replies rebuild these seeds; the hashes prove them right; what remains is the exact sum over the alive
silos.

Guarantee: with AES, HKDF-SHA256, SHA-256 and X25519 as good as they are believed to be, a coordinator that
may deviate from the protocol in any way learns at most one sum per round, of more than half of the roster
(threshold t > 2n/3). Reason: an honest silo replies once, with one partition into alive A and dropped D,
and |D| <= n - t. A silo i whose b_i is rebuilt was in A for t replies, so at most n - t < t replies put it
in D, and s_ij can only be rebuilt from i's own shares, by t replies with i in A and j in D. All n replies
together afford i at most n(n - t)/t < n/2 such j; the masks towards all others stay on, so i is only
visible in a sum with them.
Against a coordinator that colludes with c < 2t - n silos the same count gives: no single update of another
silo while two are honest. `opened_sums` has the numbers; both bounds are sharp.
Unit: one silo's vector in one round. Not covered: what the sum itself reveals (noise does that), silos
lying about their own data, coordinators colluding with 2t - n silos or more, seizure of a silo's stored
state during the run.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from privacy.errors import InvalidSetting, MalformedMessage, RosterRefused

MINIMUM_ROSTER = 3  # in a sum of two, each silo subtracts its own vector and reads the other's
DIGEST_BYTES = 32
EXCHANGE_KEY_BYTES = 32
LARGEST_ROUND = 2**32 - 1
LARGEST_ROSTER = 2**16 - 1


def smallest_threshold(n_silos: int) -> int:
    """The smallest t with 3t > 2n."""
    return 2 * n_silos // 3 + 1


def canonical_bytes(label: str, *fields: str | int | bytes) -> bytes:
    """One unambiguous encoding: label and fields, each behind its length; integers as 8 bytes, big endian."""
    parts = [label.encode()]
    for value in fields:
        if isinstance(value, int):
            parts.append(value.to_bytes(8, "big"))
        else:
            parts.append(value.encode() if isinstance(value, str) else value)
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@dataclass(frozen=True)
class KeyAdvert:
    """A silo's key for this run and the smallest sum it takes part in, signed by its long-term key."""

    run_id: str
    silo: str
    min_silos: int
    exchange_key: bytes  # raw X25519 public key
    signature: bytes

    def __post_init__(self) -> None:
        in_range = 1 <= self.min_silos <= LARGEST_ROSTER
        if not self.silo or not in_range or len(self.exchange_key) != EXCHANGE_KEY_BYTES:
            raise MalformedMessage(
                f"the key advert of {self.silo or 'an unnamed silo'} has the wrong shape",
                silos=(self.silo,),
                hint="run the same version of this software on every silo",
            )

    @property
    def signed_bytes(self) -> bytes:
        """What the signature covers."""
        return advert_bytes(self.run_id, self.silo, self.min_silos, self.exchange_key)


def advert_bytes(run_id: str, silo: str, min_silos: int, exchange_key: bytes) -> bytes:
    """The bytes a silo signs to offer `exchange_key` for one run."""
    return canonical_bytes("mixroom/secagg/v1/key-advert", run_id, silo, min_silos, exchange_key)


@dataclass(frozen=True)
class KeyRoster:
    """Who computes sums together in this run; every silo checks it again by its own pins and rules."""

    run_id: str
    threshold: int
    adverts: tuple[KeyAdvert, ...]  # in name order, names distinct

    def __post_init__(self) -> None:
        if not 1 <= self.threshold <= len(self.adverts) <= LARGEST_ROSTER:
            raise RosterRefused(
                f"threshold {self.threshold} does not lie within 1..{len(self.adverts)}, the roster's size",
                hint=f"use a threshold of {smallest_threshold(len(self.adverts))} for this roster",
            )
        if list(self.silos) != sorted(set(self.silos)):
            raise RosterRefused(
                "the roster is not in name order, or names a silo twice",
                hint="give every silo its own name; one client per silo",
            )

    @property
    def silos(self) -> tuple[str, ...]:
        """Names in order; a silo's place here is its slot in every message."""
        return tuple(advert.silo for advert in self.adverts)

    @property
    def fewest_in_a_sum(self) -> int:
        """The threshold, or what the most demanding silo asks for."""
        return max(self.threshold, *(advert.min_silos for advert in self.adverts))

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over run, threshold and every signed advert; enters every seed and key of the run."""
        signed = (part for advert in self.adverts for part in (advert.signed_bytes, advert.signature))
        return hashlib.sha256(
            canonical_bytes("mixroom/secagg/v1/roster", self.run_id, self.threshold, *signed)
        ).digest()


@dataclass(frozen=True)
class MaskRequest:
    """One round, as every silo must see it; its digest enters every seed, share key and hash of the round."""

    run_id: str
    round: int  # 1, 2, ...; increasing within a run
    model_digest: bytes  # SHA-256 of the global parameters the updates refer to
    roster_digest: bytes
    length: int  # number of values in the vector
    fraction_bits: int  # the scale of the fixed-point values

    def __post_init__(self) -> None:
        if not 1 <= self.round <= LARGEST_ROUND or self.length < 1 or not 0 <= self.fraction_bits < 64:
            raise InvalidSetting(
                f"round {self.round}, length {self.length} or scale {self.fraction_bits} is out of range",
                hint="number rounds from 1, mask at least one value, use 0 to 63 fraction bits",
            )
        if len(self.model_digest) != DIGEST_BYTES or len(self.roster_digest) != DIGEST_BYTES:
            raise InvalidSetting(
                f"digests must have {DIGEST_BYTES} bytes",
                hint="send the raw SHA-256, not its hexadecimal form",
            )

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over every field: the context of the round."""
        fields = (
            self.run_id, self.round, self.model_digest, self.roster_digest, self.length, self.fraction_bits
        )  # fmt: skip
        return hashlib.sha256(canonical_bytes("mixroom/secagg/v1/round", *fields)).digest()


@dataclass(frozen=True, eq=False)
class MaskedUpdate:
    """A silo's masked vector. Uniformly random to whoever lacks its seeds."""

    silo: str
    context: bytes  # MaskRequest.digest
    masked: NDArray[np.uint64]  # [value]
    boxes: tuple[bytes, ...]  # [recipient slot] encrypted shares; empty for the sender itself
    commitments: bytes  # [slot] SHA-256: own slot for b_i, slot j for s_ij


@dataclass(frozen=True)
class UnmaskRequest:
    """The coordinator's claim about who answered, with the shares the alive silos sealed for `silo`."""

    silo: str  # the recipient
    context: bytes
    alive: tuple[str, ...]  # in name order
    dropped: tuple[str, ...]  # in name order
    boxes: tuple[bytes, ...]  # [alive], each sealed by that silo for the recipient; empty for its own


@dataclass(frozen=True)
class UnmaskReply:
    """A silo's shares of the seeds that the sum over the alive silos needs."""

    silo: str
    context: bytes
    self_shares: bytes  # [alive] of b_i
    pair_shares: bytes  # [alive, dropped] of s_ij
