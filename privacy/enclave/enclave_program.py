"""Which program an enclave runs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from privacy.errors import InvalidSetting

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


@dataclass(frozen=True)
class EnclaveProgram:
    """A module that is run as `__main__`, or a package with a `__main__`, and what people call it."""

    name: str
    module: str

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable():
            raise InvalidSetting("an enclave's program needs a printable name", hint='for example "worker"')
        if not _DOTTED.fullmatch(self.module):
            raise InvalidSetting(
                f"{self.module!r:.150} is not a module's name", hint='use a dotted name: "cleanroom.worker"'
            )
