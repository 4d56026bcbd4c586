"""The closed, typed language of what can be asked, in three layers.

Person stage: relations whose every row belongs to one person. Joins are on the person; steps, windows and
filters work within one person; so a person's rows depend on nobody else's and nothing leaves.
Release stage: group by keys, count, sum and average; the only place where numbers leave, through the gate.
Post-processing: anything computed from released cells alone.

Column names are internal and unique in the whole plan. The person column and the presence of each scan are
implicit: no expression names them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from cleanroom.query.expressions import Expression, Node, Order
from cleanroom.release.release_terms import MeasureFunction
from privacy.canonical_json import digest_of

InternalName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,79}$")]
TableName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,39}$")]


class JoinKind(StrEnum):
    """LEFT keeps the left side's people; FULL keeps everybody's."""

    INNER = "inner"
    LEFT = "left"
    FULL = "full"


class Scan(Node):
    """A dataset. `columns`: internal name -> the dataset's own."""

    node: Literal["scan"] = "scan"
    index: Annotated[int, Field(ge=0)]
    dataset: TableName
    columns: tuple[tuple[InternalName, TableName], ...]


class Join(Node):
    """Rows of the same person, of which all conditions hold as well.

    required: identity columns that must not be NULL for rows to meet (the key an outer join left open).
    """

    node: Literal["join"] = "join"
    kind: JoinKind
    left: Relation
    right: Relation
    conditions: tuple[Expression, ...] = ()
    required: tuple[InternalName, ...] = ()


class Filter(Node):
    """Rows for which the condition is true.

    keeps_absent: rows that fail it live on as shadows, since it may keep people for being absent somewhere.
    """

    node: Literal["filter"] = "filter"
    source: Relation
    condition: Expression
    keeps_absent: bool = False


class Named(Node):
    """A computed column."""

    node: Literal["named"] = "named"
    name: InternalName
    expression: Expression


class Compute(Node):
    """The source's columns and computed ones."""

    node: Literal["compute"] = "compute"
    source: Relation
    columns: tuple[Named, ...]


class PersonStep(Node):
    """One row per person and keys."""

    node: Literal["person_step"] = "person_step"
    source: Relation
    keys: tuple[Named, ...]
    aggregates: tuple[Named, ...] = ()


class Stack(Node):
    """UNION ALL: `columns` gives each output column its source columns, one per branch."""

    node: Literal["stack"] = "stack"
    branches: tuple[Relation, ...]
    columns: tuple[tuple[InternalName, tuple[InternalName, ...]], ...]


Relation = Annotated[Scan | Join | Filter | Compute | PersonStep | Stack, Field(discriminator="node")]


class Measure(Node):
    """One released number per cell. COUNT_PEOPLE's argument is an identity column; COUNT_ROWS may have none."""

    node: Literal["measure"] = "measure"
    function: MeasureFunction
    argument: Expression | None = None
    where: Expression | None = None


class Release(Node):
    """Cells. `grouping_sets` index into `keys`; columns of the released table are k0.., then m0.."""

    node: Literal["release"] = "release"
    source: Relation
    keys: tuple[Expression, ...]
    grouping_sets: tuple[tuple[int, ...], ...]
    measures: tuple[Measure, ...]


class Released(Node):
    """A released table; `prefix` keeps the columns of two uses apart: prefix + k0, prefix + m0."""

    node: Literal["released"] = "released"
    release: Annotated[int, Field(ge=0)]
    prefix: InternalName


class CellJoin(Node):
    """A join of released tables."""

    node: Literal["cell_join"] = "cell_join"
    kind: JoinKind
    left: Cells
    right: Cells
    condition: Expression | None = None


class CellSelect(Node):
    """SELECT over released tables; `group` is None without GROUP BY and without aggregates."""

    node: Literal["cell_select"] = "cell_select"
    source: Cells
    columns: tuple[Named, ...]
    where: Expression | None = None
    group: tuple[Expression, ...] | None = None
    having: Expression | None = None
    distinct: bool = False
    order: tuple[Order, ...] = ()
    limit: Annotated[int, Field(ge=0)] | None = None
    offset: Annotated[int, Field(ge=0)] = 0


class SetOperation(StrEnum):
    """How released tables are put on each other."""

    UNION = "union"
    EXCEPT = "except"
    INTERSECT = "intersect"


class CellStack(Node):
    """UNION, EXCEPT or INTERSECT of released tables; ALL unless `distinct`."""

    node: Literal["cell_stack"] = "cell_stack"
    branches: tuple[CellSelect | CellStack, ...]
    columns: tuple[InternalName, ...]
    operation: SetOperation = SetOperation.UNION
    distinct: bool = False
    order: tuple[Order, ...] = ()
    limit: Annotated[int, Field(ge=0)] | None = None
    offset: Annotated[int, Field(ge=0)] = 0


Cells = Annotated[Released | CellJoin | CellSelect | CellStack, Field(discriminator="node")]


class Plan(Node):
    """What a query asks: releases, and what is made of them. `titles` are the result's column names."""

    node: Literal["plan"] = "plan"
    releases: tuple[Release, ...]
    result: CellSelect | CellStack
    titles: tuple[str, ...]

    def digest(self) -> str:
        """Names the plan: SHA-256 of its canonical JSON."""
        return digest_of(self.model_dump(mode="json"))

    def releases_digest(self) -> str:
        """Names what leaves through the gate, whatever is made of it afterwards."""
        return digest_of([release.model_dump(mode="json") for release in self.releases])


for _model in (Join, Filter, Compute, PersonStep, Stack, Release, CellJoin, CellSelect, CellStack, Plan):
    _model.model_rebuild()


def scans_of(relation: Relation) -> tuple[Scan, ...]:
    """All scans below a relation, from left to right."""
    match relation:
        case Scan():
            return (relation,)
        case Join(left=left, right=right):
            return (*scans_of(left), *scans_of(right))
        case Stack(branches=branches):
            return tuple(scan for branch in branches for scan in scans_of(branch))
        case Filter(source=source) | Compute(source=source) | PersonStep(source=source):
            return scans_of(source)


def datasets_of(plan: Plan) -> tuple[str, ...]:
    """Names of all datasets that a plan reads, sorted."""
    return tuple(sorted({scan.dataset for release in plan.releases for scan in scans_of(release.source)}))
