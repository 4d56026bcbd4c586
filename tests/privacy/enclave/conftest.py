"""A sound chain for a session: tests make their own where they want something wrong with it."""

from __future__ import annotations

import pytest

from tests.privacy.enclave.forgery import Chain


@pytest.fixture(scope="session")
def chain() -> Chain:
    """Root, host and leaf, all sound and valid for an hour on both sides of NOW."""
    return Chain.sound()
