"""Sums under Paillier encryption: the coordinator adds ciphertexts, and a key holder apart opens sums only.

For those who want no pairwise masks: one message a silo and sum, no peers' shares, and a silo that drops out is
simply not in the sum. The price is a third party, and some 50 ms of a silo's time for every fifty values.
This file holds the messages; `packing.py` is how values lie in a plaintext, `blinding.py` every
derivation, `silo.py`, `encrypted_sum.py` and `key_holder.py` the three sides, `holder_process.py` the key holder's
own process.

Once a run. Each silo signs a fresh X25519 key (KeyAdvert, as for masks), the key holder signs its Paillier modulus
and a fresh X25519 key (HolderAdvert). The coordinator hands all adverts to all (HeldRoster). Silos and key holder
check every signature against their own pinned keys, the silos also the modulus.

A sum. Silo i packs its vector into plaintexts M_ik (all slots >= 0, no carries possible) and sends

    c_ik = Enc(M_ik + z_ik mod n),    z_ik uniform below n, known to silo i and the key holder only

with z_ik expanded from their X25519 secret and the digest of this sum. The coordinator multiplies the c_ik of the
silos that answered and names these silos to the key holder, which decrypts, takes off the z_ik of the named silos,
and finds the sum of the M_ik. It writes its answer to its own disk, then gives it. A sum number of a run has one
answer for ever, also when that answer is no.

Guarantee, against a coordinator that may deviate in any way: it learns, of each sum number of a run, at most one
sum, over at least `needed` silos of the roster, and of their vectors nothing else. With c silos on its side it can
take theirs off: what remains is a sum over at least `needed` - c others. Reason: let y_i = M_i + z_i mod n. As the
z_i are uniform, so are the y_i, whatever the M_i; suppose the coordinator even knew the y_i. Whatever number d it
has decrypted, the key holder computes d - sum z_i over the named silos = (d - sum y_i) + sum M_i: a shift that the
coordinator chooses without knowing any M_i, plus the sum of every named silo, each exactly once. Leaving one out,
doubling or scaling one, dividing by a power of two to push a secret slot into the place of a known one, mixing sums
or runs: all this only changes the shift. (A tag in a slot of its own does not give that: c^(1/2^k) shifts all slots
at once, tag included.) A shift by other than a small multiple of slots is met by the zeros that `Packing` keeps,
with chance 2^-64 of passing, and then shows noise.
Unit: one silo's vector in one sum. Rests on: X25519, HKDF-SHA256, AES-256 and Ed25519. Paillier (decisional
composite residuosity) is a second lock on the same door: it hides the y_i, should a silo's X25519 secret leak.
Against a key holder that may deviate in any way (it can falsify a sum): it sees the sums that the coordinator has
opened, and never a single ciphertext, as long as the coordinator passes none on and messages travel encrypted.
Not covered: coordinator and key holder pooling what they know (together they open every silo's vector); what the
sum itself reveals (noise does that); the key holder's disk rolled back to before an answer; how long a decryption
takes (gmpy2 is not constant-time: it could wear down the second lock); a silo that sends nonsense, which closes
that sum number and so ends the run, unnamed.
Sources: Paillier 1999; packing as in Zhang et al. 2020 (BatchCrypt); one-time pads as in Castelluccia, Mykletun,
Tsudik 2005.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

from privacy.errors import InvalidSetting, MalformedMessage, RosterRefused
from privacy.masks.secure_aggregation import (
    DIGEST_BYTES,
    EXCHANGE_KEY_BYTES,
    LARGEST_ROSTER,
    LARGEST_ROUND,
    MINIMUM_ROSTER,
    KeyRoster,
    canonical_bytes,
)
from privacy.paillier.packing import Packing

HOLDER = "key-holder"  # the name under which silos pin its key; no silo may bear it
LARGEST_MODULUS_BYTES = 2048


@dataclass(frozen=True)
class HolderAdvert:
    """The key holder's keys for one run and the fewest silos whose sum it opens, signed by its long-term key."""

    run_id: str
    min_silos: int
    modulus: bytes  # n, big endian
    exchange_key: bytes  # raw X25519 public key
    signature: bytes

    def __post_init__(self) -> None:
        in_range = MINIMUM_ROSTER <= self.min_silos <= LARGEST_ROSTER
        sizes = (
            1 <= len(self.modulus) <= LARGEST_MODULUS_BYTES and len(self.exchange_key) == EXCHANGE_KEY_BYTES
        )
        if not in_range or not sizes:
            raise MalformedMessage(
                "the key holder's advert has the wrong shape",
                silos=(HOLDER,),
                hint="run the same version of this software everywhere",
            )

    @property
    def signed_bytes(self) -> bytes:
        """What the signature covers."""
        return holder_advert_bytes(self.run_id, self.min_silos, self.modulus, self.exchange_key)

    @property
    def n(self) -> int:
        return int.from_bytes(self.modulus, "big")


def holder_advert_bytes(run_id: str, min_silos: int, modulus: bytes, exchange_key: bytes) -> bytes:
    """The bytes the key holder signs to offer its keys for one run."""
    return canonical_bytes("mixroom/paillier/v1/holder-advert", run_id, min_silos, modulus, exchange_key)


@dataclass(frozen=True)
class HeldRoster:
    """Who adds up with whom, and who opens the sums; checked by everybody against its own pins and rules."""

    roster: KeyRoster
    holder: HolderAdvert

    def __post_init__(self) -> None:
        if self.holder.run_id != self.roster.run_id or HOLDER in self.roster.silos:
            raise RosterRefused(
                "the key holder's advert is of another run, or a silo bears the key holder's name",
                hint="start the run again; name no silo " + HOLDER,
            )

    @property
    def needed(self) -> int:
        """The fewest silos in a sum: the threshold, or the most that a silo or the key holder asks for."""
        asked = (advert.min_silos for advert in self.roster.adverts)
        return max(self.roster.threshold, self.holder.min_silos, *asked)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over the roster and the signed holder advert; enters every blinding of the run."""
        return hashlib.sha256(
            canonical_bytes(
                "mixroom/paillier/v1/roster",
                self.roster.digest,
                self.holder.signed_bytes,
                self.holder.signature,
            )
        ).digest()


@dataclass(frozen=True)
class EncryptionRound:
    """One sum, as silos, coordinator and key holder must all see it; its digest enters every blinding."""

    run_id: str
    round: int  # 1, 2, ...; increasing within a run
    question: bytes  # SHA-256 of everything that the vectors depend on
    roster_digest: bytes  # HeldRoster.digest
    length: int  # number of values in the vector
    largest: int  # the largest absolute integer a silo may send

    def __post_init__(self) -> None:
        if not 1 <= self.round <= LARGEST_ROUND or self.length < 1 or not 0 < self.largest < 2**63:
            raise InvalidSetting(
                f"round {self.round}, length {self.length} or bound {self.largest} is out of range",
                hint="number rounds from 1, add up at least one value, bound values by 1 to 2^63 - 1",
            )
        if len(self.question) != DIGEST_BYTES or len(self.roster_digest) != DIGEST_BYTES:
            raise InvalidSetting(
                f"digests must have {DIGEST_BYTES} bytes",
                hint="send the raw SHA-256, not its hexadecimal form",
            )

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over every field: the context of the sum."""
        fields = (self.run_id, self.round, self.question, self.roster_digest, self.length, self.largest)
        return hashlib.sha256(canonical_bytes("mixroom/paillier/v1/round", *fields)).digest()

    def packing(self, *, silos: int, modulus: int) -> Packing:
        """How values lie in this sum's plaintexts. Raises CapacityExceeded."""
        return Packing(silos, self.largest, modulus.bit_length())


@dataclass(frozen=True)
class EncryptedUpdate:
    """A silo's vector, blinded and encrypted: to the coordinator, random numbers below n^2."""

    silo: str
    context: bytes  # EncryptionRound.digest
    ciphertexts: bytes  # [plaintext] big endian, each `ciphertext_bytes` long


@dataclass(frozen=True)
class OpenRequest:
    """Coordinator to key holder: the product of these silos' ciphertexts, and which sum it is."""

    run_id: str
    round: int
    question: bytes
    roster_digest: bytes
    length: int
    largest: int
    silos: tuple[str, ...]  # in name order
    ciphertexts: bytes

    def of_round(self) -> EncryptionRound:
        """Raises InvalidSetting."""
        return EncryptionRound(
            self.run_id, self.round, self.question, self.roster_digest, self.length, self.largest
        )


@dataclass(frozen=True)
class OpenedSum:
    """Key holder to coordinator: the one answer to that sum of the run, given again whenever it is asked again."""

    question: bytes
    silos: tuple[str, ...]
    total: bytes  # [value] integers modulo 2^64, little endian
