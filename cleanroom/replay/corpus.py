"""A corpus of queries with what each is expected to come to: a YAML list of id, sql, expected, and more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from cleanroom.errors import CorpusInvalid
from cleanroom.rules.analysis_rule import Mode

LARGEST_CORPUS = 8 * 1024 * 1024
MOST_REPEATS = 100_000


class Outcome(StrEnum):
    """What a query comes to."""

    REFUSED = "refused"  # before any data are touched
    SUPPRESSED = "suppressed"  # it ran, and something was withheld
    NOISED = "noised"  # released only with noise
    ALLOWED = "allowed"  # everything asked for was released


@dataclass(frozen=True)
class CorpusQuery:
    """One query. `after`: the query in whose room it goes on. `mode`: None for the rules' own."""

    id: str
    sql: str
    expected: Outcome
    mode: Mode | None = None
    after: str = ""
    repeat: int = 1
    fixture: str = ""


def read_corpus(path: Path) -> tuple[CorpusQuery, ...]:
    """All queries in order. Raises CorpusInvalid with what is wrong in which."""
    try:
        if path.stat().st_size > LARGEST_CORPUS:
            raise CorpusInvalid(f"{path} is larger than 8 MiB", hint="split the corpus")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise CorpusInvalid(f"{path} is no readable YAML file", hint="check the path and the file") from error
    if not isinstance(content, list) or not content:
        raise CorpusInvalid(
            f"{path} is no list of queries", hint="write `- id: ..`, `sql: ..`, `expected: ..`"
        )
    queries = tuple(_query(item, number) for number, item in enumerate(content, start=1))
    _require_order(queries)
    return queries


def _query(item: object, number: int) -> CorpusQuery:
    if not isinstance(item, Mapping):
        raise _invalid(number, "is no mapping")
    try:
        mode = item.get("mode")
        repeat = item.get("repeat", 1)
        if isinstance(repeat, bool) or not isinstance(repeat, int) or not 1 <= repeat <= MOST_REPEATS:
            raise _invalid(number, f"repeats not between 1 and {MOST_REPEATS:,} times")
        return CorpusQuery(
            id=str(item["id"]),
            sql=_text(item["sql"]),
            expected=Outcome(item["expected"]),
            mode=Mode(mode) if mode is not None else None,
            after=str(item.get("after") or ""),
            repeat=repeat,
            fixture=str(item.get("fixture") or ""),
        )
    except KeyError as error:
        raise _invalid(number, f"lacks {error.args[0]}") from error
    except ValueError as error:
        raise _invalid(number, "has an unknown `expected` or `mode`") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def _require_order(queries: Sequence[CorpusQuery]) -> None:
    seen: set[str] = set()
    for number, query in enumerate(queries, start=1):
        if query.id in seen:
            raise _invalid(number, f"has the id {query.id!r:.40} of an earlier query")
        if query.after and query.after not in seen:
            raise _invalid(number, f"goes on after {query.after!r:.40}, which does not stand before it")
        seen.add(query.id)


def _invalid(number: int, what: str) -> CorpusInvalid:
    return CorpusInvalid(f"query {number} of the corpus {what}", hint="docs/clean-room.md shows a corpus")
