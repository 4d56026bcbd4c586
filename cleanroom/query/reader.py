"""From an analyst's text to a plan, or to every reason why not. Touches no data and no engine."""

from __future__ import annotations

from collections.abc import Mapping

from cleanroom.errors import QueryRefused
from cleanroom.query.environment import Environment
from cleanroom.query.normal_form import normal_form
from cleanroom.query.parameters import with_parameters
from cleanroom.query.plan import CellSelect, CellStack, Plan
from cleanroom.query.plan_limits import require_bounded
from cleanroom.query.refusal import Reasons, Refused
from cleanroom.query.schema import Catalog
from cleanroom.query.select_binder import SelectBinder
from cleanroom.query.sources import CellSource
from cleanroom.query.sql_text import parse_sql

REFUSED_HINT = "mend what is listed; `mixroom room dry-run` checks a query without asking it"


def read_query(
    text: str, catalog: Catalog, parameters: Mapping[str, str | int | float] | None = None
) -> Plan:
    """The plan of a query over the datasets of `catalog`. Raises QueryRefused with every reason found."""
    reasons = Reasons()
    try:
        plan = _read(text, catalog, parameters or {}, reasons)
        if not reasons.found:
            return plan
    except Refused as error:
        reasons.add(error.reason)
    except RecursionError:
        reasons.add(Refused("too_deep", "the query is nested too deep", "flatten it").reason)
    raise refused(reasons)


def _read(text: str, catalog: Catalog, parameters: Mapping[str, str | int | float], reasons: Reasons) -> Plan:
    binder = SelectBinder(catalog, reasons)
    source = binder.bind(with_parameters(parse_sql(text), parameters), Environment())
    if not isinstance(source, CellSource):
        raise Refused(
            "row_level",
            "the result would be rows of people",
            "release numbers: COUNT(DISTINCT identity), COUNT, SUM or AVG, grouped by dimensions",
        )
    assert isinstance(source.cells, CellSelect | CellStack)
    plan = Plan(releases=tuple(binder.releases), result=source.cells, titles=tuple(source.columns))
    require_bounded(plan)
    return normal_form(plan)


def refused(reasons: Reasons) -> QueryRefused:
    """The refusal with all reasons."""
    count = len(reasons.found)
    return QueryRefused(
        f"the query may not be asked, for {count} reason{'s'[: count != 1]}; no data were touched and nothing "
        "was charged",
        hint=REFUSED_HINT,
        reasons=reasons.found,
    )
