"""Parameters of a template: `:name` in the text, replaced in the tree by a literal, never in the text."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlglot import exp

from cleanroom.query.constant_rules import LARGEST_NUMBER, LONGEST_TEXT
from cleanroom.query.refusal import Refused

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def parameter_names(statement: exp.Expr) -> tuple[str, ...]:
    """Names of all parameters, in order of appearance."""
    found = [str(node.this or "") for node in statement.find_all(exp.Placeholder, exp.Parameter)]
    return tuple(dict.fromkeys(found))


def with_parameters(statement: exp.Query, parameters: Mapping[str, str | int | float]) -> exp.Query:
    """The tree with every parameter's value. Raises Refused when names do not match or a value is unfit."""
    names = parameter_names(statement)
    unknown = sorted(set(parameters) - set(names))
    missing = [name for name in names if name not in parameters]
    if unknown or missing:
        told = [name for name in [*missing, *unknown] if NAME.fullmatch(name)]
        raise Refused(
            "parameters",
            "the parameters given are not those of the query: " + (", ".join(told) or "unnamed ones"),
            "give each :name of the text one value",
        )
    replaced = statement.transform(lambda node: _replaced(node, parameters))
    assert isinstance(replaced, exp.Query)
    return replaced


def _replaced(node: exp.Expr, parameters: Mapping[str, str | int | float]) -> exp.Expr:
    if not isinstance(node, exp.Placeholder | exp.Parameter):
        return node
    value = parameters[str(node.this or "")]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Refused("parameters", "a parameter is neither text nor number", "give text or a number")
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT or not value.isprintable():
            raise Refused("parameters", "a parameter's text is too long or unprintable", "shorten it")
        return exp.Literal.string(value)
    if value != value or abs(value) > LARGEST_NUMBER:
        raise Refused("parameters", "a parameter's number is not finite or too large", "give another")
    number = exp.Literal.number(abs(value))
    return exp.Neg(this=number) if value < 0 else number
