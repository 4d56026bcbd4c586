"""The adapter for Nitro says what is missing."""

from __future__ import annotations

import pytest

from privacy.enclave.measurement import Measurement
from privacy.enclave.nitro_backend import HOST_DEVICE, NitroBackend
from privacy.errors import EnclaveUnavailable


def test_machine_without_the_hardware_is_told_so() -> None:
    if HOST_DEVICE.exists():
        pytest.skip("this machine can run Nitro enclaves")
    backend = NitroBackend(Measurement.debug(), b"root")

    with pytest.raises(EnclaveUnavailable, match="nitro_enclaves") as refused:
        backend.start()

    assert "EC2" in refused.value.hint
