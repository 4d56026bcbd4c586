"""Dates as people write them -> days, refusing to guess between day/month and month/day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NO_DAY = np.iinfo(np.int64).min
_ISO = "%Y-%m-%d"
_FORMATS = (
    *(_ISO, "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%d.%m.%y"),
    *("%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%B %d, %Y"),
    *("%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y"),
)
_TIME = re.compile(r"[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?$")
_ISO_WEEK = re.compile(r"^(\d{4})-?W(\d{2})(?:-?([1-7]))?$")
_YEARS = (1900, 2100)


@dataclass(frozen=True, eq=False)
class ParsedDays:
    """Days since 1970-01-01 per row, `NO_DAY` where there is no readable date.

    `missing` marks empty cells; `formats` is what was read, more than one when that is a guess.
    """

    days: NDArray[np.int64]
    missing: NDArray[np.bool_]
    formats: tuple[str, ...]

    @property
    def ambiguous(self) -> bool:
        return len(self.formats) > 1


def parse_days(column: pd.Series, date_format: str = "") -> ParsedDays:
    """One format for the whole column: the stated one, or the one that reads most rows."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return _from_timestamps(column)
    codes, uniques = pd.factorize(column)
    missing = codes < 0
    texts = [_TIME.sub("", str(value).strip()) for value in uniques]
    missing |= np.isin(codes, [index for index, text in enumerate(texts) if not text])
    weights = np.bincount(codes[~missing], minlength=len(texts))
    if date_format:
        days = _parse(texts, date_format)
        formats: tuple[str, ...] = (date_format,)
    else:
        formats, days = _best(texts, weights)
    per_row = np.full(len(codes), NO_DAY)
    per_row[~missing] = days[codes[~missing]]
    return ParsedDays(per_row, missing, formats)


def _from_timestamps(column: pd.Series) -> ParsedDays:
    stamps = column.dt.tz_localize(None) if column.dt.tz is not None else column
    missing = stamps.isna().to_numpy()
    days = stamps.to_numpy().astype("datetime64[D]").astype(np.int64)
    return ParsedDays(np.where(missing, NO_DAY, days), missing, (_ISO,))


def _best(texts: list[str], weights: NDArray[np.int64]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The format reading most rows. Two that read equally many, differently, are both returned."""
    weeks = np.array([_iso_week(text) for text in texts], dtype=np.int64)
    best_formats: tuple[str, ...] = ("%G-W%V",)
    best_days, best_score = weeks, int(weights[weeks != NO_DAY].sum())
    for date_format in _FORMATS:
        if best_score == weights.sum() and best_formats[0] in ("%G-W%V", *_FORMATS[:6]):
            break
        days = _parse(texts, date_format)
        score = int(weights[days != NO_DAY].sum())
        if score > best_score:
            best_formats, best_days, best_score = (date_format,), days, score
        elif score == best_score and score and not np.array_equal(days, best_days):
            best_formats = (*best_formats, date_format)
    return best_formats, best_days


def _parse(texts: list[str], date_format: str) -> NDArray[np.int64]:
    stamps = pd.to_datetime(pd.Series(texts, dtype=object), format=date_format, errors="coerce")
    days = stamps.to_numpy().astype("datetime64[D]").astype(np.int64)
    plausible = stamps.dt.year.between(*_YEARS).to_numpy()
    return np.where(plausible, days, NO_DAY)


def _iso_week(text: str) -> int:
    """The Monday (or named weekday) of "2021-W04"."""
    match = _ISO_WEEK.match(text)
    if not match:
        return int(NO_DAY)
    try:
        day = date.fromisocalendar(int(match[1]), int(match[2]), int(match[3] or 1))
    except ValueError:
        return int(NO_DAY)
    return (day - date(1970, 1, 1)).days
