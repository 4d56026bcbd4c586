"""Limits that the kernel holds each enclave to."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from privacy.errors import InvalidSetting


@dataclass(frozen=True)
class ResourceLimits:
    """Of one enclave. Memory counts every mapping, reserved or used, in bytes; spill space is memory on top of it."""

    memory_bytes: int = 8 * 2**30
    spill_bytes: int = 2 * 2**30
    cpu_seconds: int = 600
    threads: int = 128
    open_files: int = 256

    def __post_init__(self) -> None:
        if not all(type(value) is int and value > 0 for value in asdict(self).values()):
            raise InvalidSetting(
                "limits of an enclave are whole numbers above zero", hint="leave out those you do not need"
            )

    @classmethod
    def of(cls, plain: Mapping[str, int]) -> ResourceLimits:
        """From what `asdict` gave."""
        return cls(**{field.name: plain[field.name] for field in fields(cls)})

    def apply(self) -> None:
        """To this process, for good. A core dump is never written."""
        for kind, most in (
            (resource.RLIMIT_AS, self.memory_bytes),
            (resource.RLIMIT_FSIZE, self.spill_bytes),
            (resource.RLIMIT_CPU, self.cpu_seconds),
            (resource.RLIMIT_NPROC, self.threads),
            (resource.RLIMIT_NOFILE, self.open_files),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_MEMLOCK, 0),
            (resource.RLIMIT_MSGQUEUE, 0),
        ):
            _, hard = resource.getrlimit(kind)
            limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (limit, limit))
