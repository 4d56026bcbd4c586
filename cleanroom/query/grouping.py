"""GROUP BY, with positions, aliases, ALL, ROLLUP, CUBE and GROUPING SETS spelt out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, product
from math import prod

from sqlglot import exp

from cleanroom.query.expressions import Constant, Expression
from cleanroom.query.refusal import Refused
from cleanroom.query.scope import Scope
from cleanroom.query.select_items import Item, aggregates_in

MOST_SETS = 32


@dataclass(frozen=True)
class Grouping:
    """Distinct keys, and the sets of them by which rows are grouped, each as indices."""

    keys: tuple[Expression, ...]
    sets: tuple[tuple[int, ...], ...]


def read_grouping(select: exp.Select, scope: Scope, items: list[Item]) -> Grouping:
    """The grouping of a SELECT; one set of no keys when there is no GROUP BY. Raises Refused."""
    group = select.args.get("group")
    if group is None:
        return Grouping((), ((),))
    if any(value for key, value in group.args.items() if key not in {"expressions", "all"}):
        raise Refused(
            "construct", "this GROUP BY is not available", "list keys, ROLLUP, CUBE or GROUPING SETS"
        )
    keys: dict[Expression, int] = {}
    if group.args.get("all"):
        plain = [item for item in items if item.bound is None and not any(aggregates_in(item.node))]
        parts: list[list[list[exp.Expr]]] = [[[item.node]] for item in plain]
    else:
        parts = [_sets(node) for node in group.expressions]
    if prod(map(len, parts)) > MOST_SETS:
        raise Refused("grouping", f"the query groups by more than {MOST_SETS} sets of keys", "group by fewer")
    sets = []
    for chosen in product(*parts):
        nodes = [node for some in chosen for node in some]
        indices = [keys.setdefault(key, len(keys)) for key in (_key(n, scope, items) for n in nodes) if key]
        sets.append(tuple(sorted(set(indices))))
    unique = tuple(dict.fromkeys(sets))
    if len(unique) > MOST_SETS or len(keys) > MOST_SETS:
        raise Refused("grouping", f"the query groups by more than {MOST_SETS} sets of keys", "group by fewer")
    return Grouping(tuple(keys), unique)


def _sets(node: exp.Expr) -> list[list[exp.Expr]]:
    """The grouping sets that one item of GROUP BY stands for."""
    if isinstance(node, exp.Rollup):
        columns = [_flat(part) for part in node.expressions]
        return [_joined(columns[:count]) for count in range(len(columns), -1, -1)]
    if isinstance(node, exp.Cube):
        columns = [_flat(part) for part in node.expressions]
        if len(columns) > 5:
            raise Refused("grouping", "a CUBE has more than five columns", "group by fewer")
        sizes = range(len(columns), -1, -1)
        return [_joined(some) for size in sizes for some in combinations(columns, size)]
    if isinstance(node, exp.GroupingSets):
        return [some for part in node.expressions for some in _sets_of_part(part)]
    return [_flat(node)]


def _joined(parts: Iterable[list[exp.Expr]]) -> list[exp.Expr]:
    return [node for part in parts for node in part]


def _sets_of_part(node: exp.Expr) -> list[list[exp.Expr]]:
    return _sets(node) if isinstance(node, exp.Rollup | exp.Cube) else [_flat(node)]


def _flat(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.Tuple):
        return [part for item in node.expressions for part in _flat(item)]
    return [node]


def _key(node: exp.Expr, scope: Scope, items: list[Item]) -> Expression | None:
    """One key; None for a constant, which groups nothing."""
    target = node.this if isinstance(node, exp.Paren) else node
    if isinstance(target, exp.Literal) and not target.is_string:
        digits = str(target.this)
        position = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 6 else 0
        if not 1 <= position <= len(items):
            raise Refused("grouping", "GROUP BY names a position that is not there", "name the column")
        item = items[position - 1]
        bound = item.bound if item.bound is not None else scope.bind(item.node)
        return None if isinstance(bound, Constant) else bound
    try:
        bound = scope.bind(target)
    except Refused:
        named = [
            item for item in items if isinstance(target, exp.Column) and item.name == target.name.lower()
        ]
        if not named or target.args.get("table") or named[0].bound is not None:
            raise
        bound = scope.bind(named[0].node)
    return None if isinstance(bound, Constant) else bound
