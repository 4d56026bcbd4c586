"""A whole secure federation in memory, with chosen randomness, for the tests of secure aggregation."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from privacy.identity import PinnedPeers, SiloIdentity
from privacy.masks.key_agreement import build_roster, join_roster, offer_key
from privacy.masks.mask_coordinator import MaskedRound, UnmaskedSum
from privacy.masks.mask_silo import answer_unmask, mask_update
from privacy.masks.mask_state import KeyOffer, SiloMaskState
from privacy.masks.secure_aggregation import MaskedUpdate, MaskRequest, UnmaskReply, UnmaskRequest

RUN = "run-1"
MODEL = hashlib.sha256(b"model").digest()
OTHER_MODEL = hashlib.sha256(b"another model").digest()


class ChosenBytes:
    """SHAKE-256 of a seed and a counter: looks random, the same in every test run."""

    def __init__(self, seed: str) -> None:
        self.seed, self.calls = seed, 0

    def __call__(self, count: int) -> bytes:
        self.calls += 1
        return hashlib.shake_256(f"{self.seed}/{self.calls}".encode()).digest(count)


def silo_names(count: int) -> list[str]:
    """silo-00, silo-01, ...: already in name order."""
    return [f"silo-{k:02d}" for k in range(count)]


class MaskedFederation:
    """`n_silos` that have agreed on keys; states pass through their stored form between any two messages."""

    def __init__(
        self,
        n_silos: int = 5,
        *,
        threshold: int | None = None,
        min_silos: Mapping[str, int] = MappingProxyType({}),
        seed: str = "test",
    ) -> None:
        self.names = silo_names(n_silos)
        self.random: Callable[[int], bytes] = ChosenBytes(seed)
        self.identities = {
            name: SiloIdentity(name, Ed25519PrivateKey.from_private_bytes(self.random(32)))
            for name in self.names
        }
        self.peers = PinnedPeers({name: key.public_key for name, key in self.identities.items()})
        self.offers = {
            name: offer_key(identity, RUN, min_silos=min_silos.get(name, 3), randbytes=self.random)
            for name, identity in self.identities.items()
        }
        self.agree(threshold=threshold)

    def agree(self, *, threshold: int | None = None, left_out: Collection[str] = ()) -> None:
        """Everyone who is not left out joins one roster of the offers as they are."""
        invited = {name: offer for name, offer in self.offers.items() if name not in left_out}
        self.roster = build_roster([offer.advert for offer in invited.values()], threshold=threshold)
        self.stored = {
            name: join_roster(KeyOffer.from_bytes(offer.to_bytes()), self.roster, self.peers).to_bytes()
            for name, offer in invited.items()
        }

    def slot(self, name: str) -> int:
        return self.roster.silos.index(name)

    def state(self, name: str) -> SiloMaskState:
        return SiloMaskState.from_bytes(self.stored[name])

    def request(self, round_number: int = 1, *, length: int = 4, model: bytes = MODEL) -> MaskRequest:
        return MaskRequest(RUN, round_number, model, self.roster.digest, length, 34)

    def mask(self, name: str, request: MaskRequest, vector: NDArray[np.uint64]) -> MaskedUpdate:
        step = mask_update(self.state(name), request, vector, randbytes=self.random)
        self.stored[name] = step.state.to_bytes()
        return step.message

    def answer(self, request: UnmaskRequest) -> UnmaskReply:
        step = answer_unmask(self.state(request.silo), request)
        self.stored[request.silo] = step.state.to_bytes()
        return step.message

    def collect(
        self, request: MaskRequest, vectors: NDArray[np.uint64], *, absent: Collection[str] = ()
    ) -> MaskedRound:
        """Message 1 from everyone who is not absent. `vectors`: [silo, value]."""
        current = MaskedRound(self.roster, request)
        for name, vector in zip(self.names, vectors, strict=True):
            if name not in absent:
                current.accept_update(self.mask(name, request, vector))
        return current

    def unmask(self, current: MaskedRound, *, absent: Collection[str] = ()) -> UnmaskedSum:
        """Message 2 to everyone who is alive and not absent, and the sum."""
        for unmask in current.unmask_requests():
            if unmask.silo not in absent:
                current.accept_reply(self.answer(unmask))
        return current.finish()


def random_vectors(n_silos: int, length: int, seed: int = 0) -> NDArray[np.uint64]:
    """[silo, value] uniform over all of Z/2^64."""
    return np.random.default_rng(seed).integers(0, 2**64, (n_silos, length), dtype=np.uint64)


def plain_sum(vectors: Iterable[NDArray[np.uint64]]) -> list[int]:
    """Modulo 2^64 in Python's unbounded integers: nothing in common with the code under test."""
    return [sum(map(int, column)) % 2**64 for column in zip(*vectors, strict=True)]
