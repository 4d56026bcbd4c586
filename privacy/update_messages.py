"""A silo's vector as a flat message: in clear or masked. `privacy/wire.py` says when which of them may leave a silo."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.errors import MalformedMessage
from privacy.masks.secure_aggregation import MaskedUpdate


@dataclass(frozen=True)
class PlainUpdate:
    """The quantised vector in clear, little-endian uint64."""

    silo: str
    context: bytes
    vector: bytes


@dataclass(frozen=True)
class MaskedUpdateMessage:
    """`MaskedUpdate` in bytes."""

    silo: str
    context: bytes
    masked: bytes
    boxes: tuple[bytes, ...]
    commitments: bytes

    @classmethod
    def of(cls, update: MaskedUpdate) -> "MaskedUpdateMessage":
        masked = update.masked.astype("<u8", copy=False).tobytes()
        return cls(update.silo, update.context, masked, update.boxes, update.commitments)

    def update(self) -> MaskedUpdate:
        return MaskedUpdate(
            self.silo, self.context, unpack_integers(self.masked), self.boxes, self.commitments
        )


def unpack_integers(raw: bytes) -> NDArray[np.uint64]:
    """uint64, little endian; raises MalformedMessage unless whole."""
    if len(raw) % 8:
        raise MalformedMessage(
            "the message is not a well-formed vector; it was not used",
            silos=(),
            hint="run the same version of this software everywhere",
        )
    return np.frombuffer(raw, dtype="<u8").astype(np.uint64)
