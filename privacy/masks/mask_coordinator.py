"""The coordinator's side of secure aggregation: collect masked vectors, then the seeds that unmask their sum.

It holds nothing that opens a single vector. Nothing is trusted unseen: shapes are checked on arrival,
rebuilt seeds against the hashes sent before; a wrong sum is never returned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray

from privacy.errors import (
    MalformedMessage,
    MasksDisagree,
    ReconstructionFailed,
    RoundRefused,
    TooFewSilos,
)
from privacy.masks import masking
from privacy.masks.mask_silo import BOX_OVERHEAD_BYTES
from privacy.masks.secret_sharing import SHARE_BYTES, combine, lagrange_weights, read_share
from privacy.masks.secure_aggregation import (
    DIGEST_BYTES,
    KeyRoster,
    MaskedUpdate,
    MaskRequest,
    UnmaskReply,
    UnmaskRequest,
)

# With more replies than needed, wrong ones are sought by leaving out one, two, ... until the hashes agree.
MOST_ATTEMPTS = 2000


@dataclass(frozen=True, eq=False)
class UnmaskedSum:
    """The exact sum modulo 2^64 over `silos`.

    `faulty`: silos whose replies had to be left out to match the hashes. Silos that agree on their lies could
    shift this blame; the sum is exact all the same.
    """

    total: NDArray[np.uint64]  # [value]
    silos: tuple[str, ...]
    faulty: tuple[str, ...] = ()


class MaskedRound:
    """One round, used in this order: accept_update*, unmask_requests, accept_reply*, finish."""

    def __init__(self, roster: KeyRoster, request: MaskRequest) -> None:
        self._roster, self._request = roster, request
        self._slots = {name: slot for slot, name in enumerate(roster.silos)}
        self._updates: dict[str, MaskedUpdate] = {}
        self._replies: dict[str, UnmaskReply] = {}
        self._closed = False

    @property
    def alive(self) -> tuple[str, ...]:
        """Silos whose masked vector is in, in name order."""
        return tuple(name for name in self._roster.silos if name in self._updates)

    @property
    def dropped(self) -> tuple[str, ...]:
        """The rest of the roster, in name order."""
        return tuple(name for name in self._roster.silos if name not in self._updates)

    def accept_update(self, update: MaskedUpdate) -> None:
        """Take a masked vector. Raises MalformedMessage, naming the silo, and takes nothing."""
        n_silos = len(self._slots)
        box_bytes = SHARE_BYTES * n_silos + BOX_OVERHEAD_BYTES
        slot = self._slots.get(update.silo, -1)
        fits = (
            slot >= 0
            and update.silo not in self._updates
            and not self._closed
            and update.context == self._request.digest
            and update.masked.shape == (self._request.length,)
            and update.masked.dtype == np.uint64
            and [len(box) for box in update.boxes] == [box_bytes * (k != slot) for k in range(n_silos)]
            and len(update.commitments) == DIGEST_BYTES * n_silos
        )
        if not fits:
            raise _malformed("masked update", update.silo)
        self._updates[update.silo] = update

    def exclude(self, silo: str) -> None:
        """Count a silo as dropped whose update was accepted; only before `unmask_requests`."""
        if self._closed:
            raise RoundRefused(
                f"{silo} cannot leave a round whose unmasking began",
                hint="give up this round, start the next",
            )
        self._updates.pop(silo, None)

    def unmask_requests(self) -> tuple[UnmaskRequest, ...]:
        """Close message 1: one request per alive silo.

        Raises TooFewSilos, or MasksDisagree with the silos at odds: `exclude` them and call again, or give
        up.
        """
        alive, dropped = self.alive, self.dropped
        needed = self._roster.fewest_in_a_sum
        if len(alive) < needed:
            raise TooFewSilos(
                f"{len(alive)} of {len(self._slots)} silos sent an update, {needed} are needed; "
                "nothing was unmasked",
                hint="start the next round when more silos are reachable",
            )
        self._require_agreed_masks()
        self._closed = True
        return tuple(
            UnmaskRequest(
                silo=silo,
                context=self._request.digest,
                alive=alive,
                dropped=dropped,
                boxes=tuple(self._updates[sender].boxes[self._slots[silo]] for sender in alive),
            )
            for silo in alive
        )

    def accept_reply(self, reply: UnmaskReply) -> None:
        """Take a silo's shares. Raises MalformedMessage, naming the silo, and takes nothing."""
        n_alive, n_dropped = len(self.alive), len(self.dropped)
        fits = (
            self._closed
            and reply.silo in self._updates
            and reply.silo not in self._replies
            and reply.context == self._request.digest
            and len(reply.self_shares) == SHARE_BYTES * n_alive
            and len(reply.pair_shares) == SHARE_BYTES * n_alive * n_dropped
        )
        if not fits:
            raise _malformed("unmask reply", reply.silo)
        self._replies[reply.silo] = reply

    def finish(self) -> UnmaskedSum:
        """Rebuild the seeds and take their masks off the sum. Raises TooFewSilos or ReconstructionFailed."""
        if len(self._replies) < self._roster.threshold:
            raise TooFewSilos(
                f"{len(self._replies)} silos replied, {self._roster.threshold} needed; no sum was computed",
                hint="start the next round when more silos are reachable",
            )
        seeds, faulty = self._rebuild_seeds()
        pairs = dict(zip(self._seed_places(), seeds, strict=True))
        add = [pairs[i, j] for i, j in pairs if j < i]  # alive i subtracted these, see secure_aggregation
        subtract = [pairs[i, j] for i, j in pairs if j >= i]
        total = np.zeros(self._request.length, dtype=np.uint64)
        for silo in self.alive:
            total += self._updates[silo].masked
        masking.apply_masks(total, add=add, subtract=subtract)
        return UnmaskedSum(total, self.alive, faulty)

    def _require_agreed_masks(self) -> None:
        """Both ends of a pair committed to the same seed, or the masks would not cancel."""
        slots = [self._slots[name] for name in self.alive]
        hashes = b"".join(self._updates[name].commitments for name in self.alive)
        matrix = np.frombuffer(hashes, np.uint8).reshape(len(slots), len(self._slots), DIGEST_BYTES)[:, slots]
        disputes = (matrix != matrix.transpose(1, 0, 2)).any(axis=2).sum(axis=1)  # [alive]
        if disputes.any():
            most = disputes.max()
            odd = [name for name, count in zip(self.alive, disputes, strict=True) if count == most]
            raise MasksDisagree(
                f"the masks of {', '.join(odd)} do not cancel with their peers'; nothing was unmasked",
                silos=odd,
                hint="exclude these silos or give up the round; all silos must see the same model and roster",
            )

    def _seed_places(self) -> list[tuple[int, int]]:
        """Slots of the seeds to rebuild, in the shares' order: (i, i) is b_i, (i, j) is s_ij dealt by i."""
        alive, dropped = ([self._slots[name] for name in names] for names in (self.alive, self.dropped))
        return [(i, i) for i in alive] + [(i, j) for i in alive for j in dropped]

    def _rebuild_seeds(self) -> tuple[list[bytes], tuple[str, ...]]:
        """Seeds in the order of `_seed_places` that match every hash, and the silos left out to get there."""
        blocks = {
            self._slots[name]: self._replies[name].self_shares + self._replies[name].pair_shares
            for name in self.alive
            if name in self._replies
        }
        hashes = [
            self._updates[self._roster.silos[i]].commitments[j * DIGEST_BYTES : (j + 1) * DIGEST_BYTES]
            for i, j in self._seed_places()
        ]
        for left_out in islice(_by_size(tuple(blocks), len(blocks) - self._roster.threshold), MOST_ATTEMPTS):
            holders = tuple(slot for slot in blocks if slot not in left_out)[: self._roster.threshold]
            seeds = self._try_holders(blocks, holders, hashes)
            if seeds:
                return seeds, tuple(self._roster.silos[slot] for slot in left_out)
        raise ReconstructionFailed(
            f"no {self._roster.threshold} of the {len(blocks)} replies rebuild the committed seeds; "
            "no sum was computed",
            hint="start the next round; if this repeats, exclude silos one by one to find the one at fault",
        )

    def _try_holders(
        self, blocks: dict[int, bytes], holders: tuple[int, ...], hashes: Sequence[bytes]
    ) -> list[bytes]:
        """Every seed, or nothing at the first one that does not match its hash."""
        weights, context, seeds = lagrange_weights(holders), self._request.digest, []
        chosen = [blocks[slot] for slot in holders]
        for position, (place, expected) in enumerate(zip(self._seed_places(), hashes, strict=True)):
            seed = combine([read_share(block, position) for block in chosen], weights)
            if seed is None or masking.seed_commitment(seed, context, *place) != expected:
                return []
            seeds.append(seed)
        return seeds


def _by_size(items: tuple[int, ...], largest: int) -> Iterator[tuple[int, ...]]:
    """All subsets with up to `largest` members, smallest first."""
    for size in range(largest + 1):
        yield from combinations(items, size)


def _malformed(kind: str, silo: str) -> MalformedMessage:
    return MalformedMessage(
        f"the {kind} of {silo} has the wrong shape, round or sender, or came twice or late; it was not used",
        silos=(silo,),
        hint="go on without this silo; check that it runs the same version",
    )
