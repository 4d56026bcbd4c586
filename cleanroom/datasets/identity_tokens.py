"""Columns of identity tokens: their 128 bits a row, or what stands there instead of a token.

A token is the tag of the collaboration's identity key (8 hexadecimal digits), a dot, and 32 hexadecimal digits
in lower case, as `privacy.identifiers` writes it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cleanroom.datasets.table_problems import Problem, ProblemTally

TOKEN_LENGTH = 8 + 1 + 32
TOKEN_BYTES = 16
_NO_DIGIT = 0xFF

# The first that fits names the problem. What fits none of them is "no token".
_LOOKS_LIKE = (
    (Problem.IDENTITY_OTHER_KEY, r"^[0-9a-f]{8}\.[0-9a-f]{32}$"),
    (Problem.IDENTITY_EMAIL, r"@"),
    (
        Problem.IDENTITY_PLAIN_HASH,
        r"^\s*(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}|[0-9A-Za-z+/_-]{43}=?)\s*$",
    ),
    (Problem.IDENTITY_PHONE, r"^\s*\+?[0-9][0-9 ()./-]{5,20}\s*$"),
)


def _digit_values() -> NDArray[np.uint8]:
    values = np.full(256, _NO_DIGIT, np.uint8)
    for value, digit in enumerate(b"0123456789abcdef"):
        values[digit] = value
    return values


_DIGIT_VALUES = _digit_values()


def read_tokens(texts: pa.StringArray, tag: str, column: str, tally: ProblemTally) -> pa.Array:
    """The tokens' bits as Arrow UUIDs, none missing; or all missing, when the tally says what else stood there."""
    if not len(texts):
        return pa.nulls(0, pa.uuid())
    bits = _bits(texts, tag)
    if bits.size != len(texts) * TOKEN_BYTES:
        _tally_non_tokens(texts, tag, column, tally)
        return pa.nulls(len(texts), pa.uuid())
    stored = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(TOKEN_BYTES), len(texts), [None, pa.py_buffer(np.ascontiguousarray(bits))]
    )
    return pa.ExtensionArray.from_storage(pa.uuid(), stored)


def _bits(texts: pa.StringArray, tag: str) -> NDArray[np.uint8]:
    """16 bytes a row, or no bytes at all unless every row holds a token with this tag."""
    none = np.empty(0, np.uint8)
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    if texts.null_count or np.any(np.diff(offsets) != TOKEN_LENGTH):
        return none
    letters = np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].reshape(-1, TOKEN_LENGTH)
    prefix = np.frombuffer(f"{tag}.".encode(), np.uint8)
    if np.any(letters[:, : prefix.size] != prefix):
        return none
    digits = _DIGIT_VALUES[letters[:, prefix.size :]]
    if digits.max() == _NO_DIGIT:
        return none
    return np.bitwise_or(np.left_shift(digits[:, 0::2], 4), digits[:, 1::2], dtype=np.uint8)


def _tally_non_tokens(texts: pa.StringArray, tag: str, column: str, tally: ProblemTally) -> None:
    present = texts.filter(pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(texts), ""), False))
    tally.add_rows(column, Problem.IDENTITY_MISSING, len(texts) - len(present))
    rest = present.filter(pc.invert(pc.match_substring_regex(present, rf"^{tag}\.[0-9a-f]{{32}}$")))
    for problem, pattern in _LOOKS_LIKE:
        fits = pc.match_substring_regex(rest, pattern)
        tally.add_rows(column, problem, pc.sum(fits).as_py() or 0)
        rest = rest.filter(pc.invert(fits))
    tally.add_rows(column, Problem.IDENTITY_NO_TOKEN, len(rest))
