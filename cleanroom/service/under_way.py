"""Queries under way, so that a service that stops lets them end while their owners' brokers can still be reached."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cleanroom.errors import StoreUnavailable


class UnderWay:
    """Counts, and takes no more once it is stopped. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._stopped = False

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """While this lasts. Raises StoreUnavailable when stopped."""
        with self._lock:
            if self._stopped:
                raise StoreUnavailable(
                    "the service is stopping; nothing was charged", hint="ask again in a moment"
                )
            self._number += 1
        try:
            yield
        finally:
            with self._lock:
                self._number -= 1

    def stop(self) -> None:
        """Take no more."""
        with self._lock:
            self._stopped = True

    @property
    def is_idle(self) -> bool:
        """Whether none is under way."""
        with self._lock:
            return self._number == 0
