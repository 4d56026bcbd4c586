"""How far an enclave is kept apart from its host, in one word."""

from __future__ import annotations

from enum import StrEnum


class Isolation(StrEnum):
    """What keeps an enclave apart."""

    FULL = "full"  # bubblewrap, and all of the below
    REDUCED = "reduced"  # at least limits, filters of system calls and Landlock; namespaces where the kernel gives them
    NONE = "none"  # nothing: for debugging only, measured as zeros
