"""A plan run on empty tables: what the engine would refuse is refused before anything is charged or opened."""

from __future__ import annotations

import duckdb

from cleanroom.engine.cell_sql import result_sql
from cleanroom.engine.locked_engine import locked_engine
from cleanroom.engine.person_sql import contributions_sql, key_types
from cleanroom.query.plan import Plan, Release
from cleanroom.query.refusal import Refused
from cleanroom.query.relation_schema import schema_of
from cleanroom.query.schema import Catalog
from cleanroom.release.release_terms import MeasureFunction
from cleanroom.rules.analysis_rule import Role

COLUMN_TYPES = {
    Role.IDENTITY: "UUID",
    Role.DIMENSION: "VARCHAR",
    Role.REFERENCE: "VARCHAR",
    Role.MEASURE: "DOUBLE",
    Role.TIME: "TIMESTAMP",
}


def rehearse(plan: Plan, catalog: Catalog) -> tuple[str, ...]:
    """Runs the whole plan on tables without rows; the engine's types of the result. Raises Refused."""
    with locked_engine(memory="256MB", threads=1) as engine:
        try:
            for dataset in sorted({*catalog}):
                columns = ", ".join(
                    f'"{column}" {COLUMN_TYPES[spec.role]}'
                    for column, spec in catalog[dataset].columns.items()
                )
                engine.execute(f'CREATE TABLE "{dataset}" ({columns})')
            for index, release in enumerate(plan.releases):
                engine.execute(contributions_sql(release, catalog)).fetchall()
                engine.execute(released_table_sql(index, release, catalog))
            shape = engine.execute(result_sql(plan)).description or []
        except duckdb.Error as error:
            raise Refused(
                "not_computable",
                "the engine cannot compute what is asked: types or GROUP BY do not fit together",
                "check that outer SELECTs group by every column that they do not aggregate, and types",
            ) from error
    return tuple(str(column[1]) for column in shape)


def released_table_sql(index: int, release: Release, catalog: Catalog) -> str:
    """The empty table that holds a release's cells for post-processing."""
    kinds = key_types(release, schema_of(release.source, catalog))
    columns = [f"k{number} {kind}" for number, kind in enumerate(kinds)]
    whole = {MeasureFunction.SUM, MeasureFunction.AVG}
    columns += [
        f"m{number} {'DOUBLE' if measure.function in whole else 'BIGINT'}"
        for number, measure in enumerate(release.measures)
    ]
    return f"CREATE TABLE r{index} ({', '.join(columns)})"
