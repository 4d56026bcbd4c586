"""Expressions of the plan: a closed grammar of total functions over columns and literals.

Nothing here can fail because of the data: no casts of text, no division by a column that may be zero in the
person stage, no regular expressions. Post-processing sees released values only and may use more functions.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class ValueType(StrEnum):
    """What a value is, as far as the rules care."""

    IDENTITY = "identity"
    REFERENCE = "reference"
    TEXT = "text"
    TIME = "time"  # full granularity: never leaves
    DAY = "day"  # a date
    INTEGER = "integer"  # counts, days, buckets
    FRACTION = "fraction"  # between -1 and 1
    MEASURE = "measure"  # a measure, or a part of one
    NUMBER = "number"  # any other number: literals with a point, released numbers
    BOOLEAN = "boolean"
    NULL = "null"


class Function(StrEnum):
    """Scalar functions, by the name that a rule's `scalar_functions` lists."""

    AND = "AND"
    OR = "OR"
    NOT = "NOT"
    EQUAL = "EQUAL"
    NOT_EQUAL = "NOT_EQUAL"
    LESS = "LESS"
    LESS_EQUAL = "LESS_EQUAL"
    GREATER = "GREATER"
    GREATER_EQUAL = "GREATER_EQUAL"
    IN = "IN"
    IS_NULL = "IS_NULL"
    LIKE = "LIKE"
    CASE = "CASE"  # condition, value, condition, value, ..., else
    COALESCE = "COALESCE"
    NULLIF = "NULLIF"
    LEAST = "LEAST"
    GREATEST = "GREATEST"
    DATE_TRUNC = "DATE_TRUNC"  # unit, time
    DATE_PART = "DATE_PART"  # unit, time
    DATE_DIFF = "DATE_DIFF"  # unit, from, to
    ADD_DAYS = "ADD_DAYS"  # time, literal number of days
    ADD_MONTHS = "ADD_MONTHS"
    ADD = "ADD"
    SUBTRACT = "SUBTRACT"
    MULTIPLY = "MULTIPLY"
    DIVIDE = "DIVIDE"
    FLOOR_DIVIDE = "FLOOR_DIVIDE"
    MODULO = "MODULO"
    NEGATE = "NEGATE"
    FLOOR = "FLOOR"
    CEIL = "CEIL"
    ROUND = "ROUND"
    ABS = "ABS"
    LOWER = "LOWER"
    UPPER = "UPPER"
    TRIM = "TRIM"
    CONCAT = "CONCAT"
    # Only on released values:
    SQRT = "SQRT"
    LN = "LN"
    LOG10 = "LOG10"
    EXP = "EXP"
    POWER = "POWER"
    SIGN = "SIGN"
    TO_INTEGER = "TO_INTEGER"
    TO_NUMBER = "TO_NUMBER"
    TO_TEXT = "TO_TEXT"


AFTER_RELEASE = frozenset(
    {
        Function.SQRT, Function.LN, Function.LOG10, Function.EXP, Function.POWER, Function.SIGN,
        Function.TO_INTEGER, Function.TO_NUMBER, Function.TO_TEXT,
    }
)  # fmt: skip
COMPARISONS = frozenset(
    {
        Function.EQUAL, Function.NOT_EQUAL, Function.LESS, Function.LESS_EQUAL, Function.GREATER,
        Function.GREATER_EQUAL,
    }
)  # fmt: skip


class AggregateName(StrEnum):
    """Aggregates inside one person's rows, and over released cells."""

    COUNT_ROWS = "COUNT_ROWS"
    COUNT = "COUNT"
    COUNT_DISTINCT = "COUNT_DISTINCT"
    SUM = "SUM"
    AVG = "AVG"
    MIN = "MIN"
    MAX = "MAX"
    MIN_BY = "MIN_BY"  # argument where `by` is smallest
    MAX_BY = "MAX_BY"


class WindowName(StrEnum):
    """Window functions inside one person's rows, and over released cells."""

    ROW_NUMBER = "ROW_NUMBER"
    RANK = "RANK"
    DENSE_RANK = "DENSE_RANK"
    LAG = "LAG"
    LEAD = "LEAD"
    FIRST_VALUE = "FIRST_VALUE"
    LAST_VALUE = "LAST_VALUE"
    COUNT_ROWS = "COUNT_ROWS"
    COUNT = "COUNT"
    SUM = "SUM"
    AVG = "AVG"
    MIN = "MIN"
    MAX = "MAX"


class Node(BaseModel):
    """A part of a plan: immutable, comparable, and nothing but the fields its class names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Constant(Node):
    """A literal. Days are ISO text."""

    node: Literal["constant"] = "constant"
    type: ValueType
    value: bool | int | float | str | None


class Column(Node):
    """A column of the relation that the expression belongs to, by its unique internal name."""

    node: Literal["column"] = "column"
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,79}$")]


class Call(Node):
    """A scalar function."""

    node: Literal["call"] = "call"
    function: Function
    arguments: tuple[Expression, ...]


class Aggregate(Node):
    """An aggregate; `where` keeps rows, `by` orders for MIN_BY and MAX_BY."""

    node: Literal["aggregate"] = "aggregate"
    function: AggregateName
    argument: Expression | None = None
    where: Expression | None = None
    by: Expression | None = None


class Order(Node):
    """One sort key. NULLs come last unless said otherwise, as in the engine."""

    node: Literal["order"] = "order"
    expression: Expression
    descending: bool = False
    nulls_first: bool = False


class Frame(StrEnum):
    """Which rows of its partition a window function sees."""

    WHOLE = "whole"
    RUNNING = "running"  # up to the current row and its peers
    ROWS = "rows"  # up to the current row


class Window(Node):
    """A window function; in the person stage every partition lies within one person."""

    node: Literal["window"] = "window"
    function: WindowName
    argument: Expression | None = None
    offset: Annotated[int, Field(ge=1, le=1000)] = 1
    partition: tuple[Expression, ...] = ()
    order: tuple[Order, ...] = ()
    frame: Frame = Frame.WHOLE
    preceding: Annotated[int, Field(ge=0, le=10_000)] = 0  # rows before the current one; 0: from the start


Expression = Annotated[Constant | Column | Call | Aggregate | Window, Field(discriminator="node")]

for _model in (Call, Aggregate, Order, Window):
    _model.model_rebuild()

_SEVERAL = 100
_ARITIES: dict[Function, tuple[int, int]] = {
    **dict.fromkeys((Function.AND, Function.OR, Function.COALESCE, Function.CONCAT), (1, _SEVERAL)),
    **dict.fromkeys((Function.LEAST, Function.GREATEST), (1, _SEVERAL)),
    Function.IN: (2, 1_000),
    Function.ROUND: (1, 2),
    Function.DATE_DIFF: (3, 3),
    **dict.fromkeys(
        (
            *COMPARISONS, Function.LIKE, Function.NULLIF, Function.DATE_TRUNC, Function.DATE_PART,
            Function.ADD_DAYS, Function.ADD_MONTHS, Function.ADD, Function.SUBTRACT, Function.MULTIPLY,
            Function.DIVIDE, Function.FLOOR_DIVIDE, Function.MODULO, Function.POWER,
        ),
        (2, 2),
    ),
}  # fmt: skip
TRUE = Constant(type=ValueType.BOOLEAN, value=True)
FALSE = Constant(type=ValueType.BOOLEAN, value=False)
NOTHING = Constant(type=ValueType.NULL, value=None)


def call(function: Function, *arguments: Expression) -> Call:
    """The function applied to its arguments."""
    return Call(function=function, arguments=arguments)


def arity_fits(function: Function, count: int) -> bool:
    """Whether a function takes so many arguments."""
    if function is Function.CASE:
        return count >= 3 and count % 2 == 1
    fewest, most = _ARITIES.get(function, (1, 1))
    return fewest <= count <= most


def size_of(expression: Node | None, *, most: int) -> int:
    """How many nodes an expression or plan has, counted up to `most` + 1 only; shared parts count every time."""
    open_nodes: list[object] = [expression]
    count = 0
    while open_nodes and count <= most:
        node = open_nodes.pop()
        if isinstance(node, tuple):
            open_nodes.extend(node)
        elif isinstance(node, Node):
            count += 1
            open_nodes.extend(getattr(node, name) for name in type(node).model_fields)
    return count


def columns_in(expression: Expression | Order | None) -> frozenset[str]:
    """Internal names of all columns that an expression reads."""
    match expression:
        case Column(name=name):
            return frozenset({name})
        case Call(arguments=arguments):
            return frozenset().union(*map(columns_in, arguments))
        case Aggregate(argument=argument, where=where, by=by):
            return columns_in(argument) | columns_in(where) | columns_in(by)
        case Window(argument=argument, partition=partition, order=order):
            return columns_in(argument).union(*map(columns_in, partition), *map(columns_in, order))
        case Order(expression=inner):
            return columns_in(inner)
    return frozenset()


def parts_of(expression: Expression, function: Function) -> tuple[Expression, ...]:
    """The arguments of nested AND (or OR), flattened; the expression itself when it is none."""
    if isinstance(expression, Call) and expression.function is function:
        return tuple(part for argument in expression.arguments for part in parts_of(argument, function))
    return (expression,)


def has_window(expression: Expression | None) -> bool:
    """Whether a window function stands anywhere in an expression."""
    match expression:
        case Window():
            return True
        case Call(arguments=arguments):
            return any(map(has_window, arguments))
        case Aggregate(argument=argument, where=where, by=by):
            return has_window(argument) or has_window(where) or has_window(by)
    return False
