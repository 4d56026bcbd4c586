"""Silos, a coordinator and a key holder on a disk of its own, with keys far too short for anything but tests."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phe import generate_paillier_keypair

from privacy.identity import PinnedPeers, SiloIdentity
from privacy.masks.key_agreement import build_roster, offer_key
from privacy.masks.mask_state import KeyOffer
from privacy.paillier.aggregation import HOLDER, EncryptedUpdate, EncryptionRound, HeldRoster, OpenRequest
from privacy.paillier.encrypted_sum import EncryptedSum
from privacy.paillier.holder_home import HolderHome
from privacy.paillier.keys import HolderKey, ModulusRule
from privacy.paillier.silo import PaillierState, encrypt_update, join_held_roster
from tests.privacy.masks.masked_federation import MODEL, RUN, ChosenBytes, silo_names

BITS = 512
WEAK = ModulusRule(BITS, insecure=True)
LARGEST = 1000
NO_MINIMA: dict[str, int] = {}


@lru_cache
def weak_key(min_silos: int = 3) -> HolderKey:
    _, private = generate_paillier_keypair(n_length=BITS)
    return HolderKey(private.p, private.q, min_silos)


class PaillierFederation:
    """`n_silos` that share one roster with the key holder in `directory`; states pass through their stored form."""

    def __init__(
        self,
        directory: Path,
        n_silos: int = 5,
        *,
        min_silos: dict[str, int] = NO_MINIMA,
        key: HolderKey | None = None,
    ) -> None:
        self.names = silo_names(n_silos)
        self.identities = {name: SiloIdentity.generate(name) for name in self.names}
        self.min_silos = min_silos
        self.home = HolderHome(directory)
        directory.mkdir(parents=True, exist_ok=True)
        (key or weak_key()).save(directory / "paillier-key.json")
        SiloIdentity.generate(HOLDER).save(directory / "identity.pem")
        keys = {name: identity.public_key for name, identity in self.identities.items()}
        self.peers = PinnedPeers({**keys, HOLDER: self.home.identity.public_key})
        PinnedPeers(keys).save(self.home.peers_path)
        self.meet()

    def meet(self, *, left_out: Collection[str] = ()) -> None:
        """Fresh keys of everyone, one roster; also what a resumed run does."""
        self.offers = {
            name: offer_key(identity, RUN, min_silos=self.min_silos.get(name, 3))
            for name, identity in self.identities.items()
            if name not in left_out
        }
        self.roster = build_roster([offer.advert for offer in self.offers.values()])
        self.held = HeldRoster(self.roster, self.home.offer(RUN))
        self.home.start(self.roster)
        self.stored = {name: self.join(offer).to_bytes() for name, offer in self.offers.items()}

    def join(self, offer: KeyOffer) -> PaillierState:
        return join_held_roster(KeyOffer.from_bytes(offer.to_bytes()), self.held, self.peers, rule=WEAK)

    def round(
        self, number: int = 1, *, length: int = 4, largest: int = LARGEST, question: bytes = MODEL
    ) -> EncryptionRound:
        return EncryptionRound(RUN, number, question, self.held.digest, length, largest)

    def encrypt(self, name: str, request: EncryptionRound, vector: NDArray[np.uint64]) -> EncryptedUpdate:
        step = encrypt_update(PaillierState.from_bytes(self.stored[name]), request, vector)
        self.stored[name] = step.state.to_bytes()
        return step.message

    def updates(self, request: EncryptionRound, vectors: NDArray[np.uint64]) -> dict[str, EncryptedUpdate]:
        """Everyone's message. `vectors`: [silo, value]."""
        pairs = zip(self.names, vectors, strict=True)
        return {name: self.encrypt(name, request, vector) for name, vector in pairs if name in self.stored}

    def asked(self, request: EncryptionRound, updates: Iterable[EncryptedUpdate]) -> OpenRequest:
        """What an honest coordinator asks about these updates."""
        encrypted = EncryptedSum(self.held, request)
        for update in updates:
            encrypted.accept_update(update)
        return encrypted.open_request()

    def total(self, request: EncryptionRound, asked: OpenRequest) -> list[int]:
        """The opened sum, as signed integers."""
        opened = EncryptedSum(self.held, request).read(self.home.open(asked))
        return [int(value) for value in opened.view(np.int64)]


def integers(values: Any) -> NDArray[np.uint64]:
    """Signed integers modulo 2^64."""
    return np.array(values, dtype=np.int64).view(np.uint64)


def small_vectors(n_silos: int, length: int = 4, *, largest: int = LARGEST) -> NDArray[np.uint64]:
    """[silo, value] signed integers within the bound, the same in every test run."""
    raw = ChosenBytes("vectors")(8 * n_silos * length)
    spread = np.frombuffer(raw, dtype=np.uint64) % np.uint64(2 * largest + 1)
    return integers(spread.astype(np.int64) - largest).reshape(n_silos, length)


def plain_sum(vectors: NDArray[np.uint64]) -> list[int]:
    return [sum(column) for column in zip(*vectors.view(np.int64).tolist(), strict=True)]
