"""The coordinator's side of Paillier aggregation: multiply ciphertexts, ask the key holder for the sum.

It holds no private key: ciphertexts in, ciphertexts out.
"""

import numpy as np
from numpy.typing import NDArray

from privacy.errors import MalformedMessage, TooFewSilos
from privacy.paillier.aggregation import (
    HOLDER,
    EncryptedUpdate,
    EncryptionRound,
    HeldRoster,
    OpenedSum,
    OpenRequest,
)
from privacy.paillier.keys import ciphertext_bytes, is_ciphertext, multiply


class EncryptedSum:
    """One sum, used in this order: accept_update*, open_request, read."""

    def __init__(self, held: HeldRoster, request: EncryptionRound) -> None:
        self._held, self._request = held, request
        self._modulus = held.holder.n
        self._silos: list[str] = []
        packing = request.packing(silos=len(held.roster.adverts), modulus=self._modulus)
        self._count = packing.plaintexts(request.length)
        self._products = [1] * self._count

    @property
    def silos(self) -> tuple[str, ...]:
        """Silos whose ciphertexts are in the product, in name order."""
        return tuple(sorted(self._silos))

    def accept_update(self, update: EncryptedUpdate) -> None:
        """Multiply one silo's ciphertexts in. Raises MalformedMessage, naming the silo, and takes nothing."""
        known = update.silo in self._held.roster.silos and update.silo not in self._silos
        numbers = read_ciphertexts(update.ciphertexts, self._modulus)
        sound = len(numbers) == self._count and all(is_ciphertext(self._modulus, c) for c in numbers)
        if not known or update.context != self._request.digest or not sound:
            raise MalformedMessage(
                f"the encrypted update of {update.silo} has the wrong shape, round or sender, or came twice; "
                "it was not used",
                silos=(update.silo,),
                hint="go on without this silo; check that it runs the same version",
            )
        self._products = [
            multiply(self._modulus, product, number)
            for product, number in zip(self._products, numbers, strict=True)
        ]
        self._silos.append(update.silo)

    def open_request(self) -> OpenRequest:
        """What the key holder is asked. Raises TooFewSilos: it would refuse."""
        if len(self._silos) < self._held.needed:
            raise TooFewSilos(
                f"{len(self._silos)} of {len(self._held.roster.adverts)} silos sent an update, "
                f"{self._held.needed} are needed; nothing was opened",
                hint="start the next round when more silos are reachable",
            )
        of, size = self._request, ciphertext_bytes(self._modulus)
        return OpenRequest(
            of.run_id, of.round, of.question, of.roster_digest, of.length, of.largest, self.silos,
            b"".join(product.to_bytes(size, "big") for product in self._products),
        )  # fmt: skip

    def read(self, opened: OpenedSum) -> NDArray[np.uint64]:
        """[value] the sum modulo 2^64 over `opened.silos`: those of the first answer to this sum of the run.

        A resumed run may have lost one of them since, so they need not be in this roster. Raises MalformedMessage.
        """
        names = opened.silos
        fits = (
            opened.question == self._request.question
            and len(set(names)) == len(names) >= self._held.needed
            and len(opened.total) == 8 * self._request.length
        )
        if not fits:
            raise MalformedMessage(
                "the opened sum has the wrong shape, round or silos; it was not used",
                silos=(HOLDER,),
                hint="run the same version of this software everywhere",
            )
        return np.frombuffer(opened.total, dtype="<u8").astype(np.uint64)


def read_ciphertexts(octets: bytes, modulus: int) -> tuple[int, ...]:
    """[plaintext] numbers; empty when `octets` are not whole ciphertexts."""
    size = ciphertext_bytes(modulus)
    if len(octets) % size:
        return ()
    return tuple(int.from_bytes(octets[k : k + size], "big") for k in range(0, len(octets), size))
