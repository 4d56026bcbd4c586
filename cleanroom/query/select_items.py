"""The list after SELECT: names, stars spelt out, and whether anything in it is an aggregate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from cleanroom.query.expressions import Column, Expression
from cleanroom.query.refusal import Refused
from cleanroom.query.sources import Names

LONGEST_TITLE = 60


@dataclass(frozen=True)
class Item:
    """One output column: its name, and its tree, or what it stands for when a star named it."""

    name: str
    node: exp.Expr
    bound: Expression | None = None


def select_items(select: exp.Select, names: Names) -> list[Item]:
    """Output columns in order, each under its own name. Raises Refused."""
    items: list[Item] = []
    for node in select.expressions:
        star = _star(node)
        if star is None:
            items.append(Item(_title(node), node.unalias()))
            continue
        if any(value for key, value in star.args.items() if key not in {"this", "table"}):
            raise Refused("star", "a star excludes or replaces columns", "list the columns")
        table = node.args["table"].name.lower() if node.args.get("table") else ""
        items += [Item(name, node, Column(name=internal)) for name, internal in names.all(table).items()]
    return _distinct_names(items)


def has_aggregate(select: exp.Select, items: list[Item]) -> bool:
    """Whether a SELECT groups: it says so, or computes an aggregate that is no window function."""
    if select.args.get("group") is not None or select.args.get("having") is not None:
        return True
    return any(item.bound is None and next(aggregates_in(item.node), None) is not None for item in items)


def aggregates_in(node: exp.Expr) -> Iterator[exp.Expr]:
    """Aggregates inside a tree, without those that are window functions and without subqueries."""
    if isinstance(node, exp.Query | exp.Subquery):
        return
    if isinstance(node, exp.Window):
        inside = node.this.args.values() if isinstance(node.this, exp.Expr) else ()
        outside = [value for key, value in node.args.items() if key != "this"]
        for value in [*inside, *outside]:
            yield from _inside(value)
        return
    if isinstance(node, exp.AggFunc):
        yield node
        return
    for value in node.args.values():
        yield from _inside(value)


def _inside(value: object) -> Iterator[exp.Expr]:
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, exp.Expr):
            yield from aggregates_in(part)


def _star(node: exp.Expr) -> exp.Star | None:
    if isinstance(node, exp.Star):
        return node
    if isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
        return node.this
    return None


def _title(node: exp.Expr) -> str:
    if isinstance(node, exp.Alias | exp.Column):
        return node.alias_or_name.lower()[:LONGEST_TITLE]
    return node.sql(dialect="duckdb").lower()[:LONGEST_TITLE]


def _distinct_names(items: list[Item]) -> list[Item]:
    seen: dict[str, int] = {}
    named = []
    for item in items:
        seen[item.name] = seen.get(item.name, 0) + 1
        count = seen[item.name]
        named.append(item if count == 1 else Item(f"{item.name}_{count}", item.node, item.bound))
    return named
