"""What an enclave runs, in numbers: platform configuration registers as AWS Nitro Enclaves has them.

Register 0 is the SHA-384 of everything, 1 of what the program runs on, 2 of the program and its libraries. Zeros stand
for debug mode, whose enclave anybody on the host can look into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from privacy.errors import InvalidSetting

CODE, PLATFORM, APPLICATION = 0, 1, 2
DIGEST_BYTES = 48
REGISTER_BYTES = frozenset({32, 48, 64})
MOST_REGISTERS = 32


@dataclass(frozen=True)
class Measurement:
    """Register number -> digest. Register 0 is always there. Raises InvalidSetting for what Nitro would not issue."""

    pcrs: Mapping[int, bytes]

    def __post_init__(self) -> None:
        numbers = all(type(number) is int and 0 <= number < MOST_REGISTERS for number in self.pcrs)
        digests = all(type(pcr) is bytes and len(pcr) in REGISTER_BYTES for pcr in self.pcrs.values())
        if not numbers or not digests or CODE not in self.pcrs:
            raise InvalidSetting(
                "a measurement has registers 0 to 31, the first always, each of 32, 48 or 64 bytes",
                hint="measure the program again",
            )
        object.__setattr__(self, "pcrs", MappingProxyType(dict(self.pcrs)))

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.pcrs.items())))

    @property
    def code(self) -> str:
        """Register 0 in hex: what allow-lists hold. 96 digits for SHA-384."""
        return self.pcrs[CODE].hex()

    @property
    def is_debug(self) -> bool:
        """Whether register 0 is zero: the enclave was open to its host."""
        return not any(self.pcrs[CODE])

    @classmethod
    def debug(cls) -> Measurement:
        """What every program measures as in debug mode."""
        return cls(dict.fromkeys((CODE, PLATFORM, APPLICATION), bytes(DIGEST_BYTES)))
