"""Dates and times, written as ISO 8601 text or stored as such: UTC, microseconds, without a zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from cleanroom.datasets.table_problems import FIRST_YEAR, LAST_YEAR

STORED_TIME = pa.timestamp("us")
# fromisoformat also reads week dates and dates without dashes, which are as easily something else.
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ].*)?")
_FIRST, _AFTER_LAST = datetime(FIRST_YEAR, 1, 1), datetime(LAST_YEAR + 1, 1, 1)


def read_times(texts: pa.StringArray) -> pa.Array:
    """Times of day without a zone are taken as UTC already; missing where the text is no ISO date or time."""
    for kind in (STORED_TIME, pa.timestamp("us", "UTC")):
        try:
            return pc.cast(texts, kind)
        except pa.ArrowInvalid:
            continue
    encoded = pc.dictionary_encode(texts)
    times = [_time(text) for text in encoded.dictionary.to_pylist()]
    return pc.take(pa.array(times, STORED_TIME), encoded.indices)


def keep_usual_years(times: pa.Array) -> pa.TimestampArray:
    """As stored; missing where the year is so far off that the unit must have been mistaken."""
    # A cast from a zone to none keeps UTC's clock. Unsafe: nanoseconds are cut off, and what overflows is far off.
    stored = pc.cast(_in_range_of_microseconds(times), STORED_TIME, safe=False)
    # Made here and not above: pyarrow loads pandas with the first scalar that it makes.
    first, after_last = (pa.scalar(moment, STORED_TIME) for moment in (_FIRST, _AFTER_LAST))
    is_usual = pc.and_(pc.greater_equal(stored, first), pc.less(stored, after_last))
    return stored if pc.all(is_usual).as_py() else pc.if_else(is_usual, stored, None)


def _in_range_of_microseconds(times: pa.Array) -> pa.TimestampArray:
    """Missing where a count of seconds or milliseconds would wrap around into a usual year."""
    if pa.types.is_date(times.type):
        times = pc.cast(times, pa.timestamp("s" if pa.types.is_date32(times.type) else "ms"))
    per_second = {"s": 1, "ms": 1000}.get(times.type.unit)
    if per_second is None:
        return times
    furthest = 2**62 // 10**6 * per_second
    counts = pc.cast(times, pa.int64())
    return pc.if_else(pc.and_(pc.less(counts, furthest), pc.greater(counts, -furthest)), times, None)


def _time(text: str) -> datetime | None:
    trimmed = text.strip(" ")
    if not _ISO.fullmatch(trimmed):
        return None
    try:
        time = datetime.fromisoformat(trimmed)
        return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    except (ValueError, OverflowError):
        return None
