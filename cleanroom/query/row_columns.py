"""What a SELECT of people's rows computes beside the columns it takes over."""

from __future__ import annotations

from cleanroom.query.expressions import Call, Column, Expression, Window, call
from cleanroom.query.people_joins import Fresh
from cleanroom.query.plan import Compute, Named, PersonStep
from cleanroom.query.relation_schema import computed, stepped
from cleanroom.query.sources import PersonSource


def with_columns(source: PersonSource, bound: list[tuple[str, Expression]], fresh: Fresh) -> PersonSource:
    """Output columns: plain ones keep their internal name, windows are computed first, then the rest."""
    windows: dict[Window, str] = {}
    apart = [(name, _without_windows(expression, windows, fresh)) for name, expression in bound]
    if windows:
        named = tuple(Named(name=name, expression=window) for window, name in windows.items())
        node = Compute(source=source.relation, columns=named)
        source = PersonSource(node, computed(node, source.schema), source.columns)
    columns, new = {}, []
    for name, expression in apart:
        if isinstance(expression, Column):
            columns[name] = expression.name
        else:
            columns[name] = fresh()
            new.append(Named(name=columns[name], expression=expression))
    if not new:
        return PersonSource(source.relation, source.schema, columns)
    node = Compute(source=source.relation, columns=tuple(new))
    return PersonSource(node, computed(node, source.schema), columns)


def distinct_rows(rows: PersonSource, fresh: Fresh) -> PersonSource:
    """Each row of a person once."""
    keys = tuple(Named(name=fresh(), expression=Column(name=internal)) for internal in rows.columns.values())
    step = PersonStep(source=rows.relation, keys=keys)
    names = dict(zip(rows.columns, (key.name for key in keys), strict=True))
    return PersonSource(step, stepped(step, rows.schema), names)


def _without_windows(expression: Expression, windows: dict[Window, str], fresh: Fresh) -> Expression:
    """The expression with every window function replaced by a column that will hold it."""
    if isinstance(expression, Window):
        return Column(name=windows.setdefault(expression, fresh()))
    if isinstance(expression, Call):
        return call(
            expression.function,
            *(_without_windows(argument, windows, fresh) for argument in expression.arguments),
        )
    return expression
