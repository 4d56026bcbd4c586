"""What an enclave that adds up silos' vectors is bound to, and what every silo checks before it sends.

Once a run (and again whenever the enclave had to be replaced): each silo gives a fresh nonce (Challenge); the
coordinator starts an enclave and hands it the terms; the enclave has them attested, with a key of its own made inside;
every silo checks the document (`silo_attestation`) and seals its updates to that key from then on (`sealed_update`).

Guarantee, against a coordinator that may deviate in any way, given that the attested code runs where its measurement
says, among silos that were shown the same list (silos, keys, `needed`) and with fewer than 2 * needed - n of these n on
the coordinator's side: it learns of each sum number of a run at most one sum, over at least `needed` silos that
everybody pinned, and nothing else of their vectors. Reason: updates open with a key that never leaves the enclave, are
signed by pinned keys (so none can be made up), name run, terms, enclave, silo and sum, and each silo answers each sum
number once ever, whichever enclave asks, and keeps to the first list it was shown in a run; the enclave takes one
update a silo and sum, and opens each sum once, in rising order. `needed` is over two thirds of n, so two sums have
silos in common; only those on the coordinator's side answer twice.
Unit: one silo's vector in one sum. Rests on: X25519 with HPKE, Ed25519, and the platform that attests. While that is
emulated, whoever controls the coordinator's process or its account, or reads its folder or a backup of it, holds the
root and can attest anything: against them only masks and noise hold.
Not covered: what a sum itself reveals (noise does that), and what two sums of different numbers differ in: the
coordinator chooses who is left out, and may ask the same under two numbers. Different lists for different silos: that
is two runs under one id, of which each silo's own `min_silos` alone bounds the sums. A silo that lies about its data;
silos that pool what they know with the coordinator take their own parts off.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

from privacy.errors import InvalidSetting, RosterRefused
from privacy.identity import PUBLIC_KEY_BYTES
from privacy.masks.secure_aggregation import (
    DIGEST_BYTES,
    LARGEST_ROSTER,
    LARGEST_ROUND,
    MINIMUM_ROSTER,
    canonical_bytes,
    smallest_threshold,
)

NONCE_BYTES = 32


@dataclass(frozen=True)
class Challenge:
    """Silo to coordinator: a nonce for one attestation, and the fewest silos in a sum that this silo is part of."""

    silo: str
    run_id: str
    nonce: bytes
    min_silos: int


@dataclass(frozen=True)
class SumTerms:
    """One enclave's run, silos and rules. The attestation's user data is `digest`, its nonce is `nonce`.

    `roster_digest`: of the masks' roster; empty where vectors are sealed without masks. `needed`: over two thirds of
    the silos, else two sums of one number could be of different ones. Raises RosterRefused.
    """

    run_id: str
    invitation: bytes  # digest of the run's terms as silos accepted them
    roster_digest: bytes
    needed: int
    silos: tuple[str, ...]  # in name order
    public_keys: tuple[bytes, ...]  # [silo] long-term Ed25519 keys
    nonces: tuple[bytes, ...]  # [silo]

    def __post_init__(self) -> None:
        count = len(self.silos)
        fewest = max(MINIMUM_ROSTER, smallest_threshold(count))
        sound = (
            list(self.silos) == sorted(set(self.silos))
            and fewest <= self.needed <= count <= LARGEST_ROSTER
            and len(self.invitation) == DIGEST_BYTES
            and len(self.roster_digest) in (0, DIGEST_BYTES)
            and [len(key) for key in self.public_keys] == [PUBLIC_KEY_BYTES] * count
            and len(set(self.public_keys)) == count
            and [len(nonce) for nonce in self.nonces] == [NONCE_BYTES] * count
        )
        if not sound:
            raise RosterRefused(
                f"an enclave's terms name {count} silos, of which {self.needed} must be in a sum, in the wrong shape; "
                f"at least {fewest} are needed",
                hint="bring more silos into the run, each under its own name and key",
            )

    @property
    def is_masked(self) -> bool:
        return bool(self.roster_digest)

    @property
    def nonce(self) -> bytes:
        """SHA-256 over all silos' nonces: fresh for each of them."""
        pairs = (part for pair in zip(self.silos, self.nonces, strict=True) for part in pair)
        return hashlib.sha256(canonical_bytes("mixroom/attested-sum/v1/nonces", *pairs)).digest()

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over every field; it also says what the enclave is for."""
        columns = zip(self.silos, self.public_keys, self.nonces, strict=True)
        parts = (part for column in columns for part in column)
        head = (self.run_id, self.invitation, self.roster_digest, self.needed, len(self.silos))
        return hashlib.sha256(canonical_bytes("mixroom/attested-sum/v1/terms", *head, *parts)).digest()

    @property
    def membership(self) -> bytes:
        """SHA-256 over what may not change within a run, however often its enclave does: silos, keys and `needed`.

        The masks' roster may: silos make new keys for it when a run is resumed.
        """
        pairs = (part for pair in zip(self.silos, self.public_keys, strict=True) for part in pair)
        head = (self.run_id, self.needed, len(self.silos))
        return hashlib.sha256(canonical_bytes("mixroom/attested-sum/v1/members", *head, *pairs)).digest()

    def public_key_of(self, silo: str) -> bytes:
        """The key that signs a silo's updates. Raises RosterRefused for a silo that is not of the run."""
        if silo not in self.silos:
            raise RosterRefused(
                f"{silo} is not a silo of this run", hint="ask the silos that the run began with"
            )
        return self.public_keys[self.silos.index(silo)]


@dataclass(frozen=True)
class SumQuestion:
    """One sum as silos, coordinator and enclave must all see it. Raises InvalidSetting."""

    run_id: str
    number: int  # 1, 2, ...; rising within a run
    question: bytes  # SHA-256 of everything that the vectors depend on
    length: int  # number of values in the vector
    fraction_bits: int
    largest: int  # the largest absolute integer a silo may send

    def __post_init__(self) -> None:
        sound = (
            1 <= self.number <= LARGEST_ROUND
            and len(self.question) == DIGEST_BYTES
            and self.length >= 1
            and 0 <= self.fraction_bits < 64
            and 0 < self.largest < 2**63
        )
        if not sound:
            raise InvalidSetting(
                f"sum {self.number} is asked for in the wrong shape", hint="run the same version everywhere"
            )
