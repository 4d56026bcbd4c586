"""One spelling for what means the same: the identical question must be recognised, and its answer repeated.

Constant parts of conditions are folded, comparisons get their literal on the right, AND, OR, IN and = are
sorted, and scans keep only the columns that are used. Different plans may still mean the same; then the answer
is charged again, which is safe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cleanroom.query.expressions import (
    FALSE,
    TRUE,
    Aggregate,
    Call,
    Column,
    Constant,
    Expression,
    Function,
    Node,
    Window,
    call,
    parts_of,
)
from cleanroom.query.plan import Filter, Measure, Plan, Scan

N = TypeVar("N", bound=Node)
_MIRRORED = {
    Function.EQUAL: Function.EQUAL,
    Function.NOT_EQUAL: Function.NOT_EQUAL,
    Function.LESS: Function.GREATER,
    Function.GREATER: Function.LESS,
    Function.LESS_EQUAL: Function.GREATER_EQUAL,
    Function.GREATER_EQUAL: Function.LESS_EQUAL,
}


def normal_form(plan: Plan) -> Plan:
    """The plan in one spelling, reading only columns that are used."""
    simplified = _mapped(plan, _simple)
    releases = tuple(_pruned(_mapped(release, _tidy_filters)) for release in simplified.releases)
    return simplified.model_copy(update={"releases": releases})


def simple(expression: Expression) -> Expression:
    """One expression in normal form."""
    found = _mapped(expression, _simple)
    assert isinstance(found, Constant | Column | Call | Aggregate | Window)
    return found


def _mapped(node: N, change: Callable[[Node], Node]) -> N:
    """The tree with `change` applied to every node, from the leaves up."""
    updates = {}
    for name in type(node).model_fields:
        value = getattr(node, name)
        new = _mapped_value(value, change)
        if new is not value:
            updates[name] = new
    changed = change(node.model_copy(update=updates) if updates else node)
    return changed  # type: ignore[return-value]


def _mapped_value(value: object, change: Callable[[Node], Node]) -> object:
    if isinstance(value, Node):
        return _mapped(value, change)
    if isinstance(value, tuple):
        new = tuple(_mapped_value(item, change) for item in value)
        return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
    return value


def _simple(node: Node) -> Node:
    if isinstance(node, Measure) and node.where == TRUE:
        return node.model_copy(update={"where": None})
    if not isinstance(node, Call):
        return node
    match node.function:
        case Function.AND | Function.OR:
            return _logic(node)
        case Function.NOT:
            return _negation(node)
        case Function.IN:
            return _in_list(node)
        case function if function in _MIRRORED:
            return _comparison(node)
    return node


def _logic(node: Call) -> Expression:
    ends, neutral = (FALSE, TRUE) if node.function is Function.AND else (TRUE, FALSE)
    parts = dict.fromkeys(part for part in parts_of(node, node.function) if part != neutral)
    if ends in parts:
        return ends
    ordered = sorted(parts, key=lambda part: part.model_dump_json())
    if not ordered:
        return neutral
    return ordered[0] if len(ordered) == 1 else call(node.function, *ordered)


def _negation(node: Call) -> Expression:
    (inner,) = node.arguments
    if isinstance(inner, Constant) and isinstance(inner.value, bool):
        return FALSE if inner.value else TRUE
    if isinstance(inner, Call) and inner.function is Function.NOT:
        return inner.arguments[0]
    turned = {Function.EQUAL: Function.NOT_EQUAL, Function.NOT_EQUAL: Function.EQUAL}
    if isinstance(inner, Call) and inner.function in turned:
        return call(turned[inner.function], *inner.arguments)
    return node


def _in_list(node: Call) -> Expression:
    value, *options = node.arguments
    distinct = sorted(set(options), key=lambda option: option.model_dump_json())
    if len(distinct) == 1:
        return _comparison(call(Function.EQUAL, value, distinct[0]))
    return call(Function.IN, value, *distinct)


def _comparison(node: Call) -> Expression:
    left, right = node.arguments
    if isinstance(left, Constant) and isinstance(right, Constant):
        return _folded(node.function, left, right) or node
    swap = isinstance(left, Constant) or (
        not isinstance(right, Constant) and left.model_dump_json() > right.model_dump_json()
    )
    return call(_MIRRORED[node.function], right, left) if swap else node


def _folded(function: Function, left: Constant, right: Constant) -> Expression | None:
    """1 = 1 is true. Only equality of constants of one type is decided here."""
    if left.type is not right.type or None in (left.value, right.value):
        return None
    equal = left.value == right.value
    if function in {Function.EQUAL, Function.LESS_EQUAL, Function.GREATER_EQUAL} and equal:
        return TRUE
    if function is Function.EQUAL or (function is Function.NOT_EQUAL and equal):
        return FALSE
    return TRUE if function is Function.NOT_EQUAL else None


def _tidy_filters(node: Node) -> Node:
    """No filter that keeps all; neighbours that keep nobody for being absent are one, whatever their order was."""
    if not isinstance(node, Filter):
        return node
    if node.condition == TRUE:
        return node.source
    inner = node.source
    if isinstance(inner, Filter) and not inner.keeps_absent and not node.keeps_absent:
        both = _logic(call(Function.AND, inner.condition, node.condition))
        return node.model_copy(update={"source": inner.source, "condition": both})
    return node


def _pruned(release: N) -> N:
    used = _names_used(release)
    return _mapped(release, lambda node: _narrow(node, used))


def _narrow(node: Node, used: frozenset[str]) -> Node:
    if not isinstance(node, Scan):
        return node
    columns = tuple(sorted((pair for pair in node.columns if pair[0] in used), key=lambda pair: pair[1]))
    return node.model_copy(update={"columns": columns})


def _names_used(node: object) -> frozenset[str]:
    """Names that expressions, unions or join keys read, anywhere below."""
    if isinstance(node, Column):
        return frozenset({node.name})
    if isinstance(node, Scan):
        return frozenset()
    if isinstance(node, str):
        return frozenset({node})  # join keys and the columns of a UNION are plain names
    if isinstance(node, Node):
        return frozenset().union(*(_names_used(getattr(node, name)) for name in type(node).model_fields))
    if isinstance(node, tuple):
        return frozenset().union(*(_names_used(item) for item in node))
    return frozenset()
