"""How many different texts went by, in eight bytes of memory each."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


class DistinctCount:
    """Counts different texts by Python's keyed 64-bit hash of them; the texts are not kept.

    One too few with probability about n**2 / 2**65: 1e-5 for twenty million.
    """

    def __init__(self) -> None:
        self._known: NDArray[np.int64] = np.empty(0, np.int64)
        self._fresh: list[NDArray[np.int64]] = []
        self._fresh_items = 0

    def add(self, texts: Iterable[str]) -> None:
        """See these too."""
        hashes = np.unique(np.fromiter((hash(text) for text in texts), np.int64))
        self._fresh.append(hashes)
        self._fresh_items += len(hashes)
        if self._fresh_items > len(self._known):  # so sorting costs n log n in all, not n per batch
            self._merge()

    @property
    def value(self) -> int:
        """Different texts so far."""
        self._merge()
        return len(self._known)

    def _merge(self) -> None:
        self._known = np.unique(np.concatenate([self._known, *self._fresh]))
        self._fresh, self._fresh_items = [], 0
