"""What a collaboration has released so far, as sketches: enough to see a difference, not to read anybody's row.

For every independent released number a row is kept as it was released and once more with all that earlier rows
explain taken out (whole multiples only, so both span the same whole-number combinations).
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleanroom.errors import QueryFailed

MAGIC = b"mixroom release history 1\n"
SALT_BYTES = 32
BUCKETS = 2048
LARGEST_BUCKETS = 2**16
_WIDTHS = (np.int8, np.int16, np.int32, np.int64)

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class UnitHistory:
    """Independent released numbers of one unit: `released` as they were, `reduced` with less in them. Read-only."""

    released: Rows
    reduced: Rows

    def __post_init__(self) -> None:
        if self.released.ndim != 2 or self.released.shape != self.reduced.shape:
            raise QueryFailed("a release history does not fit together; nothing was released", hint=_HINT)
        for rows in (self.released, self.reduced):
            rows.flags.writeable = False

    @property
    def size(self) -> int:
        """How many independent numbers it holds."""
        return int(self.released.shape[0])


@dataclass(frozen=True)
class History:
    """The sketches of a collaboration's releases, by unit.

    Guarantee: holds no person's identifier and no list of people; without `salt` a bucket names nobody.
    Not covered: whoever holds both the salt and a list of identifiers can see in which bucket each falls, and with few
        people in a sketch, who was in it and what each added. It therefore stays sealed, for workers, under a key that
        the collaboration's owners can derive, and in the database under the service's as well.
    buckets: per half; a power of two. Differences of `buckets` people and more all look alike, so `min_group_size`
        should stay below a quarter of it.
    """

    salt: bytes = field(repr=False)
    buckets: int = BUCKETS
    units: Mapping[str, UnitHistory] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        power_of_two = self.buckets > 0 and self.buckets & (self.buckets - 1) == 0
        if len(self.salt) != SALT_BYTES or not power_of_two or self.buckets > LARGEST_BUCKETS:
            raise QueryFailed(
                "a release history has no usable salt or size; nothing was released", hint=_HINT
            )
        if any(unit.released.shape[1] != self.length for unit in self.units.values()):
            raise QueryFailed("a release history does not fit together; nothing was released", hint=_HINT)
        object.__setattr__(self, "units", MappingProxyType(dict(self.units)))

    @classmethod
    def new(cls, secret: bytes, *, buckets: int = BUCKETS) -> History:
        """Nothing released yet. `secret`: 32 random bytes that are used for this collaboration only."""
        return cls(secret, buckets)

    @property
    def length(self) -> int:
        """Numbers in a sketch: two halves of `buckets`."""
        return 2 * self.buckets

    @property
    def capacity(self) -> int:
        """Most independent numbers per unit; beyond half the length too little of a new sketch is left to judge."""
        return self.length // 2

    def room_left(self) -> dict[str, int]:
        """About how many more different numbers may be released, by unit; a unit not named here has `capacity`."""
        return {name: self.capacity - unit.size for name, unit in sorted(self.units.items())}

    def with_units(self, units: Mapping[str, UnitHistory]) -> History:
        """The same history with these units in place of what it had of them."""
        return replace(self, units={**self.units, **units})

    def to_bytes(self) -> bytes:
        """Compact bytes that `from_bytes` reads; equal histories give equal bytes."""
        header: list[dict[str, Any]] = []
        parts = []
        for name, unit in sorted(self.units.items()):
            packed = [_narrow(rows) for rows in (unit.released, unit.reduced)]
            header.append({"unit": name, "rows": unit.size, "types": [rows.dtype.str for rows in packed]})
            parts += [rows.tobytes() for rows in packed]
        text = json.dumps({"buckets": self.buckets, "units": header}, sort_keys=True).encode()
        body = self.salt + struct.pack("<I", len(text)) + text + b"".join(parts)
        return MAGIC + zlib.compress(body, level=1)

    @classmethod
    def from_bytes(cls, data: bytes) -> History:
        """Raises QueryFailed for anything that `to_bytes` does not write."""
        if not data.startswith(MAGIC):
            raise QueryFailed(
                "a release history is of another kind or version; nothing was released", hint=_HINT
            )
        try:
            return _parse(zlib.decompress(data[len(MAGIC) :]))
        except (zlib.error, struct.error, ValueError, KeyError, TypeError) as error:
            raise QueryFailed("a release history is damaged; nothing was released", hint=_HINT) from error


_HINT = "restore the worker's state; without it earlier releases cannot be taken into account"


def _narrow(rows: Rows) -> NDArray[Any]:
    largest = int(np.abs(rows).max(initial=0))
    width = next(width for width in _WIDTHS if largest <= np.iinfo(width).max)
    return rows.astype(np.dtype(width).newbyteorder("<"))


def _parse(body: bytes) -> History:
    salt, rest = body[:SALT_BYTES], body[SALT_BYTES:]
    (size,) = struct.unpack_from("<I", rest)
    header = json.loads(rest[4 : 4 + size])
    buckets, offset, units = int(header["buckets"]), 4 + size, {}
    for entry in header["units"]:
        arrays = []
        for name in entry["types"]:
            kind = np.dtype(str(name))
            if kind.kind != "i":
                raise ValueError("not whole numbers")
            count = int(entry["rows"]) * 2 * buckets
            flat = np.frombuffer(rest, kind, count, offset)
            arrays.append(flat.reshape(int(entry["rows"]), 2 * buckets).astype(np.int64))
            offset += flat.nbytes
        released, reduced = arrays
        units[str(entry["unit"])] = UnitHistory(released, reduced)
    if offset != len(rest):
        raise ValueError("more or less than announced")
    return History(salt, buckets, units)
