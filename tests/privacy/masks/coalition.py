"""The adversary: a coordinator with some silos on its side, and what their knowledge together opens.

It keeps every message it may see, opens every box that was sealed for one of its silos, and tries to rebuild
every seed from whatever shares it holds.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from privacy.masks import masking
from privacy.masks.mask_silo import NONCE_BYTES
from privacy.masks.secret_sharing import combine, lagrange_weights, read_share
from privacy.masks.secure_aggregation import (
    DIGEST_BYTES,
    MaskedUpdate,
    MaskRequest,
    UnmaskReply,
    UnmaskRequest,
)
from tests.privacy.masks.masked_federation import MaskedFederation


def told(updates: Mapping[str, MaskedUpdate], silo: str, *, dropped: Collection[str] = ()) -> UnmaskRequest:
    """What a coordinator that has `updates` of all silos may tell `silo`: any partition it likes."""
    alive = tuple(sorted(set(updates) - set(dropped)))
    slot = sorted(updates).index(silo)
    boxes = tuple(updates[name].boxes[slot] for name in alive)
    return UnmaskRequest(silo, updates[silo].context, alive, tuple(sorted(dropped)), boxes)


class Coalition:
    """Everything the coordinator and the silos in `colluders` know of one round."""

    def __init__(
        self, federation: MaskedFederation, request: MaskRequest, colluders: Collection[str] = ()
    ) -> None:
        self.names, self.request = federation.roster.silos, request
        self.keys = {federation.slot(name): federation.state(name).pair_keys for name in colluders}
        self.updates: dict[int, MaskedUpdate] = {}
        self.shares: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)  # [dealer, about][holder]

    @property
    def honest(self) -> list[int]:
        return [slot for slot in range(len(self.names)) if slot not in self.keys]

    def hear_update(self, update: MaskedUpdate) -> None:
        """Keep the vector; open the boxes that were sealed for the coalition's own silos."""
        dealer = self.names.index(update.silo)
        self.updates[dealer] = update
        for holder, keys in self.keys.items():
            if holder != dealer:
                context, box = update.context, update.boxes[holder]
                key = masking.share_key(keys[dealer], context, sender=dealer, recipient=holder)
                header = masking.share_header(context, sender=dealer, recipient=holder)
                block = AESGCM(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], header)
                for about in range(len(self.names)):
                    self.shares[dealer, about][holder] = read_share(block, about)

    def hear_reply(self, reply: UnmaskReply, request: UnmaskRequest) -> None:
        """Keep the shares a silo gave for the partition it was told."""
        holder = self.names.index(reply.silo)
        alive, dropped = (
            [self.names.index(name) for name in names] for names in (request.alive, request.dropped)
        )
        for position, dealer in enumerate(alive):
            self.shares[dealer, dealer][holder] = read_share(reply.self_shares, position)
        pairs = ((dealer, about) for dealer in alive for about in dropped)
        for position, pair in enumerate(pairs):
            self.shares[pair][holder] = read_share(reply.pair_shares, position)

    def seed(self, first: int, second: int) -> bytes | None:
        """b_i for (i, i), else s_ij: known to a colluder, or rebuilt from either end's shares, or unknown."""
        for own, peer in ((first, second), (second, first)):
            if own in self.keys and own != peer:
                return masking.pair_seed(self.keys[own][peer], self.request.digest, own, peer)
        return self._rebuilt(first, second) or self._rebuilt(second, first)

    def stripped(self, slot: int) -> tuple[NDArray[np.uint64], set[int]]:
        """A masked vector without the masks that are known, and the slots of those that stay on."""
        seeds = {peer: self.seed(slot, peer) for peer in range(len(self.names))}
        rest = self.updates[slot].masked.copy()
        masking.apply_masks(
            rest,
            add=[seed for peer, seed in seeds.items() if seed and peer < slot],
            subtract=[seed for peer, seed in seeds.items() if seed and peer >= slot],
        )
        return rest, {peer for peer, seed in seeds.items() if seed is None}

    def opened_sums(self) -> dict[frozenset[int], list[int]]:
        """Every sum over honest silos that the coalition can compute, smallest groups only.

        Silos that share an unknown s_ij are visible together or not at all.
        """
        stripped = {slot: self.stripped(slot) for slot in self.honest if slot in self.updates}
        sums = {}
        for group in groups_joined_by({slot: unknown - {slot} for slot, (_, unknown) in stripped.items()}):
            if all(stripped[slot][1] <= group - {slot} for slot in group):
                total = sum((stripped[slot][0] for slot in group), np.zeros_like(stripped[min(group)][0]))
                sums[group] = total.tolist()
        return sums

    def _rebuilt(self, dealer: int, about: int) -> bytes | None:
        """From all shares it holds, be they enough by the rules or not; the dealer's own hash tells a hit."""
        holders = tuple(sorted(self.shares[dealer, about]))
        if dealer not in self.updates or not holders:
            return None
        seed = combine([self.shares[dealer, about][holder] for holder in holders], lagrange_weights(holders))
        committed = self.updates[dealer].commitments[DIGEST_BYTES * about : DIGEST_BYTES * (about + 1)]
        hit = seed and masking.seed_commitment(seed, self.request.digest, dealer, about) == committed
        return seed if hit else None


def groups_joined_by(neighbours: Mapping[int, Collection[int]]) -> set[frozenset[int]]:
    """Connected groups of a graph."""
    groups = {frozenset([node]) for node in neighbours}
    for node, others in neighbours.items():
        touched = {group for group in groups if group & {node, *others}}
        groups = (groups - touched) | {frozenset().union(*touched)}
    return groups
