"""Registers hold what Nitro's could hold, and cannot be changed afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from privacy.enclave.measurement import Measurement
from privacy.errors import InvalidSetting


def test_the_code_is_register_zero_in_hex() -> None:
    assert Measurement({0: bytes(range(48)), 1: bytes(48)}).code == bytes(range(48)).hex()


def test_debug_is_zeros_in_all_three() -> None:
    debug = Measurement.debug()

    assert debug.is_debug
    assert debug.code == "0" * 96
    assert not Measurement({0: b"\x00" * 47 + b"\x01"}).is_debug


def test_later_changes_to_the_given_mapping_do_not_show() -> None:
    pcrs = {0: b"\x01" * 48}
    measurement = Measurement(pcrs)
    pcrs[0] = bytes(48)

    assert not measurement.is_debug
    with pytest.raises(TypeError):
        measurement.pcrs[0] = bytes(48)  # type: ignore[index]


def test_equal_registers_in_another_order_are_one_measurement() -> None:
    first, second = Measurement({0: b"a" * 48, 1: b"b" * 48}), Measurement({1: b"b" * 48, 0: b"a" * 48})

    assert first == second
    assert len({first, second}) == 1


@pytest.mark.parametrize(
    "pcrs",
    [
        {},
        {1: bytes(48)},
        {0: bytes(47)},
        {0: b""},
        {0: bytes(48), 32: bytes(48)},
        {0: bytes(48), -1: bytes(48)},
        {0: bytes(48), "1": bytes(48)},
        {0: bytes(48), True: bytes(48)},
        {0: bytearray(48)},
        {0: "0" * 48},
    ],
)
def test_what_is_no_measurement_is_refused(pcrs: dict[Any, Any]) -> None:
    with pytest.raises(InvalidSetting, match="registers 0 to 31"):
        Measurement(pcrs)
