"""Paillier aggregation as Mixroom does it against phe used plainly: one sum, same key, same values, both in full.

Plainly means: every value on its own through `encrypt`, sums by `EncryptedNumber` addition, `decrypt` per value.
Bytes are what one silo sends; for phe the bare ciphertext and four bytes of exponent, without its JSON.

Seconds are processor seconds: the plain way takes minutes, in which a shared machine is busy and idle by turns. Both
ways keep one processor busy and wait for nothing but the key holder's disk. Ours is taken before and after the other,
and the slower time counts.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from phe import PaillierPrivateKey, PaillierPublicKey

from benchmarks.line import Bar, Line, Setting
from privacy.identity import PinnedPeers, SiloIdentity
from privacy.masks.key_agreement import build_roster, offer_key
from privacy.paillier.aggregation import HOLDER, EncryptionRound, HeldRoster
from privacy.paillier.encrypted_sum import EncryptedSum
from privacy.paillier.holder_home import HolderHome
from privacy.paillier.keys import HolderKey, ModulusRule, ciphertext_bytes
from privacy.paillier.silo import encrypt_update, join_held_roster
from privacy.quantization import FixedPoint

RUN = "benchmark"
EXPONENT_BYTES = 4
BAR = Bar(30.0, at_least=True)
EXACTNESS = Bar(1e-6)
SCALE = FixedPoint(28, 2.0**28)  # what a run uses


@dataclass(frozen=True)
class Spent:
    """Seconds of all silos together, of the coordinator and of the key holder; bytes one silo sends; the sum."""

    encrypting: float
    adding: float
    opening: float
    sent_bytes: int
    total: NDArray[np.float64]

    @property
    def seconds(self) -> float:
        return self.encrypting + self.adding + self.opening


def measure(setting: Setting) -> tuple[Line, ...]:
    """Ours, the plain way, ours again."""
    rule = ModulusRule(512, insecure=True) if setting.quick else ModulusRule()
    silos, values = (3, 60) if setting.quick else (3, 2_000)
    began = time.process_time()
    key = HolderKey.generate(rule, min_silos=3)
    making = time.process_time() - began
    vectors = np.random.default_rng(0).normal(1.0, 0.1, (silos, values))
    before = _packed(vectors, key, rule, setting.scratch / "key-holder-1")
    plain = _plain(vectors, key)
    after = _packed(vectors, key, rule, setting.scratch / "key-holder-2")
    packed = max(before, after, key=lambda spent: spent.seconds)
    error = max(float(np.abs(way.total / vectors.sum(axis=0) - 1).max()) for way in (packed, plain))
    case = f"{silos} silos x {values:,} values, {rule.least_bits} bits"
    return (
        Line(f"packed, {case}", packed.seconds, "s", values=(before.seconds, after.seconds)),
        Line("of which a silo", packed.encrypting / silos, "s"),
        Line("of which the coordinator", packed.adding, "s"),
        Line("of which the key holder", packed.opening, "s"),
        Line("packed, a silo sends", packed.sent_bytes, "bytes"),
        Line(f"phe plainly, {case}", plain.seconds, "s"),
        Line("phe plainly, a silo sends", plain.sent_bytes, "bytes"),
        Line("less time than phe plainly", plain.seconds / packed.seconds, "x", BAR),
        Line("fewer bytes than phe plainly", plain.sent_bytes / packed.sent_bytes, "x", BAR),
        Line("largest relative error of a sum, both ways", error, "", EXACTNESS),
        Line("making the key, once", making, "s"),
    )


def _packed(vectors: NDArray[np.float64], key: HolderKey, rule: ModulusRule, directory: Path) -> Spent:
    """Through the same steps as a run, the key holder's disk included."""
    names = [f"silo-{k:02d}" for k in range(len(vectors))]
    identities = [SiloIdentity.generate(name) for name in names]
    home = HolderHome(directory)
    directory.mkdir(parents=True)
    key.save(directory / "paillier-key.json")
    SiloIdentity.generate(HOLDER).save(directory / "identity.pem")
    known = {identity.silo: identity.public_key for identity in identities}
    PinnedPeers(known).save(home.peers_path)
    offers = [offer_key(identity, RUN) for identity in identities]
    roster = build_roster([offer.advert for offer in offers])
    held = HeldRoster(roster, home.offer(RUN))
    home.start(roster)
    peers = PinnedPeers({**known, HOLDER: home.identity.public_key})
    states = [join_held_roster(offer, held, peers, rule=rule) for offer in offers]
    request = EncryptionRound(RUN, 1, bytes(32), held.digest, vectors.shape[1], SCALE.largest_integer)
    began = time.process_time()
    sent = [
        encrypt_update(s, request, SCALE.quantize(v)).message for s, v in zip(states, vectors, strict=True)
    ]
    encrypted_at = time.process_time()
    encrypted = EncryptedSum(held, request)
    for update in sent:
        encrypted.accept_update(update)
    asked = encrypted.open_request()
    added_at = time.process_time()
    total = SCALE.dequantize(encrypted.read(home.open(asked)))
    opened_at = time.process_time()
    return Spent(
        encrypted_at - began, added_at - encrypted_at, opened_at - added_at, len(sent[0].ciphertexts), total
    )


def _plain(vectors: NDArray[np.float64], key: HolderKey) -> Spent:
    """As its documentation shows it."""
    public = PaillierPublicKey(key.modulus)
    private = PaillierPrivateKey(public, key.p, key.q)
    began = time.process_time()
    sent = [[public.encrypt(float(value)) for value in vector] for vector in vectors]
    encrypted_at = time.process_time()
    sums = sent[0]
    for vector in sent[1:]:
        sums = [one + other for one, other in zip(sums, vector, strict=True)]
    added_at = time.process_time()
    total = np.array([private.decrypt(value) for value in sums])
    opened_at = time.process_time()
    size = vectors.shape[1] * (ciphertext_bytes(key.modulus) + EXPONENT_BYTES)
    return Spent(encrypted_at - began, added_at - encrypted_at, opened_at - added_at, size, total)
