"""Where names are looked up while one SELECT is bound; and what every binder of expressions needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from sqlglot import exp

from cleanroom.query.expression_traits import traits_of
from cleanroom.query.expressions import Constant, Expression, ValueType, size_of
from cleanroom.query.literals import day
from cleanroom.query.refusal import Refused
from cleanroom.query.traits import TIMES, Traits

MOST_PARTS = 300


class Scope(ABC):
    """Names of one SELECT, in one of the three layers."""

    after_release = False

    @property
    @abstractmethod
    def fields(self) -> Mapping[str, Traits]:
        """Traits by internal name."""

    @abstractmethod
    def bind(self, node: exp.Expr | None) -> Expression:
        """The expression that a tree stands for. Raises Refused."""

    @abstractmethod
    def column(self, name: str, table: str) -> Expression:
        """What a name stands for. Raises Refused."""

    def instead(self, node: exp.Expr) -> Expression | None:
        """What a whole subtree stands for (a group key, an aggregate); None to look inside."""
        return None

    def window(self, name: str) -> exp.Window | None:
        """A window that the SELECT names."""
        return None

    def kind(self, expression: Expression) -> ValueType | None:
        """The type of a bound expression; None when it is not known."""
        try:
            return traits_of(expression, self.fields).type
        except Refused:
            return None


def repeatable(expression: Expression) -> Expression:
    """The same, which is about to stand in several places. Raises Refused when copies would grow out of bounds."""
    if size_of(expression, most=MOST_PARTS) > MOST_PARTS:
        raise Refused("too_large", "an expression is built up from itself", "compute its parts in steps")
    return expression


def as_days(parts: tuple[Expression, ...], scope: Scope) -> tuple[Expression, ...]:
    """Text literals that stand beside a time, read as days."""
    if not any(scope.kind(part) in TIMES for part in parts):
        return parts
    return tuple(
        day(part.value) if isinstance(part, Constant) and part.type is ValueType.TEXT else part
        for part in parts
    )


def unavailable(node: exp.Expr) -> Refused:
    """The refusal of a construct; it never holds more of the analyst's text than a function's name."""
    if isinstance(node, exp.Subquery | exp.Select | exp.Exists):
        return Refused(
            "subquery",
            "a subquery stands inside an expression",
            "join it in FROM, or use identity IN (SELECT identity ...) as a condition of WHERE",
        )
    name = node.this if isinstance(node, exp.Anonymous) and isinstance(node.this, str) else node.key
    shown = str(name)[:40].upper() if str(name).isidentifier() else "a function"
    if isinstance(node, exp.AggFunc):
        return Refused("aggregate_inside", f"{shown} is not available here", "see docs/clean-room.md")
    return Refused("function", f"{shown} is not available", "docs/clean-room.md lists what is")
