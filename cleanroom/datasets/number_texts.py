"""Numbers written as text: plain decimal notation with a point, nothing else."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")


def read_numbers(texts: pa.StringArray) -> pa.DoubleArray:
    """As float64; missing where the text is no number. Infinities are left for the caller to refuse.

    Spaces around a number are ignored. A batch with anything unusual in it is read text by text.
    """
    try:
        return pc.cast(texts, pa.float64())
    except pa.ArrowInvalid:
        encoded = pc.dictionary_encode(texts)
        numbers = [_number(text) for text in encoded.dictionary.to_pylist()]
        return pc.take(pa.array(numbers, pa.float64()), encoded.indices)


def _number(text: str) -> float | None:
    trimmed = text.strip(" ")
    return float(trimmed) if _NUMBER.fullmatch(trimmed) else None
