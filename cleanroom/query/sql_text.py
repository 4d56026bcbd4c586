"""Analysts' text to one syntax tree: size, depth and statement checked before anything else looks at it."""

from __future__ import annotations

import logging

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from cleanroom.query.refusal import Refused

LARGEST_TEXT = 20_000
DEEPEST_NESTING = 60
MOST_NODES = 4_000
_UNREADABLE = Refused(
    "not_sql", "the text is not one SELECT statement that can be read", "docs/clean-room.md shows queries"
)
logging.getLogger("sqlglot").setLevel(
    logging.CRITICAL
)  # it prints what it does not understand, literals included


def parse_sql(text: str) -> exp.Query:
    """The tree of one SELECT (or UNION of SELECTs). Raises Refused; the text is never echoed."""
    _require_bounded(text)
    try:
        statements = [statement for statement in sqlglot.parse(text, read="duckdb") if statement is not None]
    except (
        SqlglotError,
        RecursionError,
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
        IndexError,
    ) as error:
        raise _UNREADABLE from error
    if len(statements) != 1:
        raise Refused("statements", "the text holds more or less than one statement", "send one SELECT")
    (statement,) = statements
    while isinstance(statement, exp.Subquery) and not statement.args.get("alias"):
        statement = statement.this
    if not isinstance(statement, exp.Select | exp.SetOperation):
        raise Refused("not_a_select", "only SELECT may be asked", "write the question as one SELECT")
    if sum(1 for _ in statement.walk()) > MOST_NODES:
        raise Refused("too_large", "the query has too many parts", "split it")
    return statement


def _require_bounded(text: str) -> None:
    if len(text) > LARGEST_TEXT:
        raise Refused("too_long", f"the query is longer than {LARGEST_TEXT:,} characters", "shorten it")
    if any(not (character.isprintable() or character in "\n\r\t") for character in text):
        raise Refused("characters", "the query holds unprintable characters", "remove them")
    depth = deepest = 0
    for character in text:  # parentheses inside literals count too: this only bounds the parser's recursion
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    words = text.upper().split()
    if deepest > DEEPEST_NESTING or words.count("CASE") + words.count("NOT") > 200:
        raise Refused("too_deep", f"the query is nested deeper than {DEEPEST_NESTING} levels", "flatten it")
