"""Which types of a file's columns a role can have, and plain text or plain values made of them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from cleanroom.rules.analysis_rule import Role

_WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
_TEXT = ("string", "large_string", "string_view", "null")
_DECIMAL = ("uint64", "halffloat", "float", "double", "decimal")

# Dimensions of decimal numbers are refused: 1.0 and 1 would be two groups, or one, by chance.
_FITTING = {
    Role.IDENTITY: _TEXT,
    Role.DIMENSION: (*_TEXT, *_WHOLE, "uint64", "bool", "date32"),
    Role.REFERENCE: (*_TEXT, *_WHOLE, "uint64"),
    Role.MEASURE: (*_TEXT, *_WHOLE, *_DECIMAL),
    Role.TIME: (*_TEXT, "date32", "date64", "timestamp"),
}


def fits_role(kind: pa.DataType, role: Role) -> bool:
    """Whether a column of this Arrow type, or of a dictionary of it, can have the role."""
    return _family(kind) in _FITTING[role]


def is_whole_number(kind: pa.DataType) -> bool:
    """Whether every value of the type, or of a dictionary of it, fits int64."""
    return _family(kind) in _WHOLE


def is_text(kind: pa.DataType) -> bool:
    """Text, or a column without any value."""
    return _family(kind) in _TEXT


def without_dictionary(values: pa.Array) -> pa.Array:
    """The values themselves."""
    return values.dictionary_decode() if types.is_dictionary(values.type) else values


def as_texts(values: pa.Array) -> pa.StringArray:
    """The values as text, whole numbers and dates in their usual notation."""
    return pc.cast(without_dictionary(values), pa.string())


def _family(kind: pa.DataType) -> str:
    """The type's name without parameters: timestamp[us, tz=UTC] is a timestamp, decimal128(9, 2) a decimal."""
    plain = kind.value_type if types.is_dictionary(kind) else kind
    return "decimal" if types.is_decimal(plain) else str(plain).partition("[")[0]
