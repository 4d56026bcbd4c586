"""Which tables a text names, before it is a plan: a template is agreed on without values for its parameters."""

from __future__ import annotations

from sqlglot import exp

from cleanroom.query.sql_text import parse_sql


def named_tables(sql: str) -> frozenset[str]:
    """Every table's name in lower case, also those that the text gives to subqueries of its own. Raises Refused."""
    return frozenset(table.name.lower() for table in parse_sql(sql).find_all(exp.Table))
