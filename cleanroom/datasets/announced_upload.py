"""What is said of an upload: its name, what will arrive, and how much of it has."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cleanroom.errors import UploadBroken

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class AnnouncedUpload:
    """What the sender says will arrive."""

    expected_bytes: int
    expected_sha256: str

    def __post_init__(self) -> None:
        if self.expected_bytes < 1 or not _SHA256.fullmatch(self.expected_sha256):
            raise UploadBroken(
                "an upload is announced with its bytes and its SHA-256 in 64 lower-case hexadecimal digits",
                hint="announce what the sealed table's manifest says",
            )


@dataclass(frozen=True)
class UploadProgress:
    """How much of an upload is on the disk; the next part starts there."""

    received_bytes: int
    expected_bytes: int

    @property
    def is_whole(self) -> bool:
        """Whether only the commit is missing."""
        return self.received_bytes == self.expected_bytes


def require_vault_name(name: str) -> str:
    """The name, if it can be one of a file and of nothing else. Raises UploadBroken."""
    if not _NAME.fullmatch(name):
        raise UploadBroken(
            "the name of an upload or version has 1 to 64 of a-z, 0-9 and -; nothing was changed",
            hint="use the name that the service gave",
        )
    return name
