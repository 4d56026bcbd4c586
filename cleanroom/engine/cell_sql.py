"""Post-processing as SQL over the released tables r0, r1, ..., each with columns k0.., m0.. ."""

from __future__ import annotations

from cleanroom.engine.expression_sql import name, order_sql, sql
from cleanroom.query.expressions import Order
from cleanroom.query.plan import CellJoin, Cells, CellSelect, CellStack, Plan, Released


def result_sql(plan: Plan) -> str:
    """The SELECT that makes the result of a plan."""
    return _cells(plan.result, plan)


def _cells(cells: Cells, plan: Plan) -> str:
    match cells:
        case Released(release=index, prefix=prefix):
            release = plan.releases[index]
            own = [f"k{number}" for number in range(len(release.keys))]
            own += [f"m{number}" for number in range(len(release.measures))]
            columns = ", ".join(f"{column} AS {name(prefix + column)}" for column in own)
            return f"SELECT {columns} FROM r{index}"
        case CellJoin(kind=kind, left=left, right=right, condition=condition):
            on = sql(condition) if condition is not None else "TRUE"
            return f"SELECT * FROM ({_cells(left, plan)}) {kind.value.upper()} JOIN ({_cells(right, plan)}) ON {on}"
        case CellSelect():
            return _select(cells, plan)
        case CellStack():
            return _stack(cells, plan)


def _select(node: CellSelect, plan: Plan) -> str:
    columns = ", ".join(f"{sql(item.expression)} AS {name(item.name)}" for item in node.columns)
    parts = [f"SELECT {'DISTINCT ' if node.distinct else ''}{columns} FROM ({_cells(node.source, plan)})"]
    if node.where is not None:
        parts.append(f"WHERE {sql(node.where)}")
    if node.group:
        parts.append(f"GROUP BY {', '.join(sql(item) for item in node.group)}")
    if node.having is not None:
        parts.append(f"HAVING {sql(node.having)}")
    return " ".join(parts) + _tail(node.order, node.limit, node.offset)


def _stack(node: CellStack, plan: Plan) -> str:
    branches = [f"SELECT * FROM ({_cells(branch, plan)})" for branch in node.branches]
    union = f" {node.operation.value.upper()}{'' if node.distinct else ' ALL'} ".join(branches)
    titles = ", ".join(name(column) for column in node.columns)
    return f"SELECT * FROM ({union}) AS stacked({titles})" + _tail(node.order, node.limit, node.offset)


def _tail(order: tuple[Order, ...], limit: int | None, offset: int) -> str:
    text = f" ORDER BY {', '.join(order_sql(item) for item in order)}" if order else ""
    text += f" LIMIT {limit}" if limit is not None else ""
    return text + (f" OFFSET {offset}" if offset else "")
