"""What an enclosed key holder keeps outside, sealed: which names such files have, and how they are tied together."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from privacy.errors import HolderUnusable, PrivacyError
from privacy.sealing import open_bytes, seal_bytes

INDEX = "index"
_NAMES = re.compile(
    r"identity\.pem|peers\.toml|paillier-key\.json|runs/[0-9a-f]{16}/(?:session|sum-[0-9]{10}\.json)"
)


@dataclass(frozen=True)
class StateFile:
    """One sealed file; `name` is its path below the key holder's folder, or INDEX."""

    name: str
    sealed: bytes


def is_state_name(name: str) -> bool:
    """Whether a key holder has files of this name; nothing else is restored or kept."""
    return _NAMES.fullmatch(name) is not None


def file_context(name: str) -> dict[str, object]:
    """What a sealed file is bound to."""
    return {"purpose": "key holder state", "name": name}


def digest_of(content: bytes) -> str:
    """SHA-256 of a file's content, as the index has it."""
    return hashlib.sha256(content).hexdigest()


class SealedState:
    """Seals and opens files under one key; an index of digests says which belong together.

    Guarantee: what opens is what was sealed last under its name, as the index has it, and all of it. So whoever keeps
    the files can neither change, mix nor leave out single ones. Not covered: all of them put back to an earlier state.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, name: str, content: bytes) -> StateFile:
        """One file, or the index."""
        return StateFile(name, seal_bytes(self._key, content, file_context(name)))

    def seal_index(self, digests: dict[str, str]) -> StateFile:
        """Digest by name, of all files there are."""
        return self.seal(INDEX, json.dumps(digests).encode())

    def open_index(self, sealed: bytes) -> dict[str, str]:
        """What `seal_index` was given; nothing for no index: then there must be no files. Raises HolderUnusable."""
        return dict(json.loads(self._open(StateFile(INDEX, sealed)))) if sealed else {}

    def open(self, file: StateFile, index: dict[str, str]) -> bytes:
        """The content of a file that the index has. Raises HolderUnusable for any other."""
        content = self._open(file)
        if not is_state_name(file.name) or index.get(file.name) != digest_of(content):
            raise state_unusable()
        return content

    def _open(self, file: StateFile) -> bytes:
        try:
            return open_bytes(self._key, file.sealed, file_context(file.name))
        except PrivacyError as error:
            raise state_unusable() from error


def require_all(restored: Iterable[str], index: dict[str, str]) -> None:
    """Every file of the index came. Raises HolderUnusable."""
    if set(restored) != set(index):
        raise state_unusable()


def state_unusable() -> HolderUnusable:
    """One for every cause."""
    return HolderUnusable(
        "the key holder's files do not belong together, or not to its state key: some were changed, mixed or lost; no "
        "sum was opened",
        hint="undo the change. An older copy of the folder has forgotten what was opened since, so that sums could be "
        "opened again over other silos: rather make a new key holder, pin it, and start new runs",
    )
