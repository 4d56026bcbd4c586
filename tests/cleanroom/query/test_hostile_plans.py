"""Plans that no binder would write, as a web process that was taken over might send them: refused by the check."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cleanroom.query.expressions import (
    Aggregate,
    AggregateName,
    Call,
    Column,
    Constant,
    Expression,
    Function,
    ValueType,
    Window,
    WindowName,
    call,
)
from cleanroom.query.plan import (
    CellSelect,
    Compute,
    Filter,
    Join,
    JoinKind,
    Measure,
    Named,
    PersonStep,
    Plan,
    Relation,
    Release,
    Released,
    Scan,
    Stack,
)
from cleanroom.release.release_terms import MeasureFunction
from cleanroom.rules.rule_check import Question, Verdict, check
from tests.cleanroom.query.small_room import RULES

CRM = Scan(
    index=0,
    dataset="crm",
    columns=(("c_id", "user_hash"), ("c_segment", "segment"), ("c_region", "region")),
)
EXPOSURES = Scan(
    index=1,
    dataset="exposures",
    columns=(("e_id", "user_hash"), ("e_channel", "channel"), ("e_ts", "ts"), ("e_cost", "cost")),
)
CONVERSIONS = Scan(
    index=2,
    dataset="conversions",
    columns=(("v_id", "user_hash"), ("v_order", "order_id"), ("v_ts", "ts"), ("v_value", "value")),
)
LEFT = Join(kind=JoinKind.LEFT, left=CRM, right=EXPOSURES)
PEOPLE = Measure(function=MeasureFunction.COUNT_PEOPLE, argument=Column(name="c_id"))
ROWS = Measure(function=MeasureFunction.COUNT_ROWS)


def column(name: str) -> Column:
    return Column(name=name)


def number(value: int) -> Constant:
    return Constant(type=ValueType.INTEGER, value=value)


def word(value: str) -> Constant:
    return Constant(type=ValueType.TEXT, value=value)


def summed(argument: Expression) -> Measure:
    return Measure(function=MeasureFunction.SUM, argument=argument)


def plan_of(source: Relation, *measures: Measure, keys: tuple[Expression, ...] = ()) -> Plan:
    release = Release(
        source=source,
        keys=keys,
        grouping_sets=(tuple(range(len(keys))),),
        measures=measures or (PEOPLE,),
    )
    result = CellSelect(
        source=Released(release=0, prefix="r_"), columns=(Named(name="n", expression=column("r_m0")),)
    )
    return Plan(releases=(release,), result=result, titles=("n",))


def verdict_on(source: Relation, *measures: Measure, keys: tuple[Expression, ...] = ()) -> Verdict:
    return check(Question(plan_of(source, *measures, keys=keys), "analyst"), RULES)


def is_solo() -> Call:
    return call(Function.EQUAL, column("c_segment"), word("solo"))


def test_the_honest_plan_of_these_tests_is_allowed() -> None:
    assert verdict_on(CRM).allowed
    assert verdict_on(LEFT, keys=(column("c_region"),)).allowed


@pytest.mark.parametrize(
    ("title", "verdict"),
    [
        (
            "a constant as identity",
            lambda: verdict_on(
                CRM, PEOPLE.model_copy(update={"argument": Constant(type=ValueType.IDENTITY, value="x")})
            ),
        ),
        (
            "a constant as measure",
            lambda: verdict_on(CRM, summed(Constant(type=ValueType.MEASURE, value=1.0))),
        ),
        ("a constant as share", lambda: verdict_on(CRM, summed(Constant(type=ValueType.FRACTION, value=1)))),
        ("a true number", lambda: verdict_on(CRM, summed(Constant(type=ValueType.INTEGER, value=True)))),
        (
            "a day that is none",
            lambda: verdict_on(
                EXPOSURES,
                ROWS.model_copy(
                    update={
                        "where": call(
                            Function.LESS, column("e_ts"), Constant(type=ValueType.DAY, value="2026-13-01")
                        )
                    }
                ),
            ),
        ),
        (
            "a day with a time",
            lambda: verdict_on(
                EXPOSURES,
                ROWS.model_copy(
                    update={
                        "where": call(
                            Function.LESS,
                            column("e_ts"),
                            Constant(type=ValueType.DAY, value="2026-03-01 10:00:00"),
                        )
                    }
                ),
            ),
        ),
        (
            "a text of megabytes",
            lambda: verdict_on(
                CRM,
                ROWS.model_copy(
                    update={"where": call(Function.EQUAL, column("c_region"), word("x" * 1_000))}
                ),
            ),
        ),
        ("weights", lambda: verdict_on(CRM, summed(call(Function.CASE, is_solo(), number(1), number(1000))))),
        ("the identity as key", lambda: verdict_on(CRM, keys=(column("c_id"),))),
        ("the time as key", lambda: verdict_on(EXPOSURES, ROWS, keys=(column("e_ts"),))),
        ("a reference as key", lambda: verdict_on(CONVERSIONS, ROWS, keys=(column("v_order"),))),
        ("a measure as key", lambda: verdict_on(CONVERSIONS, ROWS, keys=(column("v_value"),))),
        ("a literal as key", lambda: verdict_on(CRM, keys=(word("x"),))),
        ("an unknown column as key", lambda: verdict_on(CRM, keys=(column("person"),))),
        (
            "a window as key",
            lambda: verdict_on(
                CRM, keys=(Window(function=WindowName.ROW_NUMBER, partition=(column("c_id"),)),)
            ),
        ),
        (
            "an aggregate as key",
            lambda: verdict_on(CRM, keys=(Aggregate(function=AggregateName.COUNT_ROWS),)),
        ),
        (
            "a sum of windows",
            lambda: verdict_on(
                CRM, summed(Window(function=WindowName.COUNT_ROWS, partition=(column("c_id"),)))
            ),
        ),
        (
            "people counted by a dimension",
            lambda: verdict_on(CRM, PEOPLE.model_copy(update={"argument": column("c_segment")})),
        ),
        (
            "people counted by nothing",
            lambda: verdict_on(CRM, Measure(function=MeasureFunction.COUNT_PEOPLE)),
        ),
        (
            "references counted by people",
            lambda: verdict_on(
                CRM, Measure(function=MeasureFunction.COUNT_REFERENCES, argument=column("c_id"))
            ),
        ),
        ("a sum of nothing", lambda: verdict_on(CRM, Measure(function=MeasureFunction.SUM))),
        (
            "an average with zeros",
            lambda: verdict_on(
                CONVERSIONS,
                Measure(
                    function=MeasureFunction.AVG,
                    argument=call(
                        Function.CASE,
                        call(Function.LESS, column("v_ts"), Constant(type=ValueType.DAY, value="2026-03-09")),
                        column("v_value"),
                        number(0),
                    ),
                ),
            ),
        ),
        (
            "an identity compared",
            lambda: verdict_on(Filter(source=CRM, condition=call(Function.EQUAL, column("c_id"), word("x")))),
        ),
        ("a condition that is none", lambda: verdict_on(Filter(source=CRM, condition=column("c_region")))),
        (
            "a window as filter",
            lambda: verdict_on(
                Filter(
                    source=CRM,
                    condition=call(
                        Function.EQUAL,
                        Window(function=WindowName.ROW_NUMBER, partition=(column("c_id"),)),
                        number(1),
                    ),
                )
            ),
        ),
        (
            "a window across people",
            lambda: verdict_on(
                Compute(
                    source=CRM, columns=(Named(name="w", expression=Window(function=WindowName.ROW_NUMBER)),)
                )
            ),
        ),
        (
            "absence that is not said",
            lambda: verdict_on(Filter(source=LEFT, condition=call(Function.IS_NULL, column("e_id")))),
        ),
        (
            "absence by a count",
            lambda: verdict_on(
                Filter(
                    source=PersonStep(
                        source=LEFT,
                        keys=(Named(name="x1", expression=column("c_id")),),
                        aggregates=(
                            Named(
                                name="x2",
                                expression=Aggregate(function=AggregateName.COUNT, argument=column("e_id")),
                            ),
                        ),
                    ),
                    condition=call(Function.EQUAL, column("x2"), number(0)),
                ),
                PEOPLE.model_copy(update={"argument": column("x1")}),
            ),
        ),
        (
            "absence in an outer join",
            lambda: verdict_on(
                Join(
                    kind=JoinKind.LEFT,
                    left=LEFT,
                    right=CONVERSIONS,
                    conditions=(call(Function.IS_NULL, column("e_id")),),
                ),
                PEOPLE.model_copy(update={"argument": column("v_id")}),
            ),
        ),
        (
            "a key that is no identity",
            lambda: verdict_on(Join(kind=JoinKind.INNER, left=CRM, right=EXPOSURES, required=("c_region",))),
        ),
        ("one scan twice", lambda: verdict_on(Join(kind=JoinKind.INNER, left=CRM, right=CRM))),
        (
            "one name twice",
            lambda: verdict_on(
                Compute(source=CRM, columns=(Named(name="c_id", expression=column("c_region")),))
            ),
        ),
        (
            "one name twice in a scan",
            lambda: verdict_on(
                CRM.model_copy(update={"columns": (("c_id", "user_hash"), ("c_id", "segment"))})
            ),
        ),
        (
            "the person overwritten",
            lambda: verdict_on(
                Compute(source=CRM, columns=(Named(name="person", expression=column("c_region")),))
            ),
        ),
        (
            "the shadow overwritten",
            lambda: verdict_on(Compute(source=CRM, columns=(Named(name="shadow", expression=is_solo()),))),
        ),
        (
            "a presence overwritten",
            lambda: verdict_on(Compute(source=LEFT, columns=(Named(name="p1", expression=is_solo()),))),
        ),
        (
            "a cell overwritten",
            lambda: verdict_on(Compute(source=CRM, columns=(Named(name="g", expression=number(1)),))),
        ),
        ("an unknown dataset", lambda: verdict_on(CRM.model_copy(update={"dataset": "sqlite_master"}))),
        ("an unknown column", lambda: verdict_on(CRM.model_copy(update={"columns": (("c_id", "rowid"),)}))),
        (
            "a union of one",
            lambda: verdict_on(
                Stack(branches=(CRM,), columns=(("c1x", ("c_id",)),)),
                PEOPLE.model_copy(update={"argument": column("c1x")}),
            ),
        ),
        (
            "a union of an unknown column",
            lambda: verdict_on(Stack(branches=(CRM, EXPOSURES), columns=(("u", ("c_id", "nothing")),))),
        ),
        (
            "a union of unequal columns",
            lambda: verdict_on(Stack(branches=(CRM, EXPOSURES), columns=(("uu", ("c_id",)),))),
        ),
        (
            "a union of identity and text",
            lambda: verdict_on(
                Stack(branches=(CRM, EXPOSURES), columns=(("uu", ("c_id", "e_channel")),)),
                PEOPLE.model_copy(update={"argument": column("uu")}),
            ),
        ),
        ("too few arguments", lambda: verdict_on(CRM, keys=(Call(function=Function.EQUAL, arguments=()),))),
        ("too many arguments", lambda: verdict_on(CRM, keys=(call(Function.NOT, is_solo(), is_solo()),))),
        ("an even CASE", lambda: verdict_on(CRM, keys=(call(Function.CASE, is_solo(), number(1)),))),
        (
            "an aggregate without argument",
            lambda: verdict_on(
                PersonStep(
                    source=CRM,
                    keys=(Named(name="x1", expression=column("c_id")),),
                    aggregates=(Named(name="x2", expression=Aggregate(function=AggregateName.MAX)),),
                ),
                PEOPLE.model_copy(update={"argument": column("x1")}),
            ),
        ),
        (
            "an aggregate that is none",
            lambda: verdict_on(
                PersonStep(source=CRM, keys=(), aggregates=(Named(name="x2", expression=number(1)),))
            ),
        ),
        (
            "a maximum of identities",
            lambda: verdict_on(
                PersonStep(
                    source=CRM,
                    keys=(),
                    aggregates=(
                        Named(
                            name="x2",
                            expression=Aggregate(function=AggregateName.MAX, argument=column("c_id")),
                        ),
                    ),
                ),
                PEOPLE.model_copy(update={"argument": column("x2")}),
            ),
        ),
        (
            "a time moved out of the calendar",
            lambda: verdict_on(
                EXPOSURES,
                ROWS,
                keys=(
                    call(
                        Function.DATE_TRUNC,
                        word("day"),
                        call(Function.ADD_MONTHS, column("e_ts"), number(1_000_000)),
                    ),
                ),
            ),
        ),
        (
            "a time moved by a column",
            lambda: verdict_on(
                PersonStep(
                    source=EXPOSURES,
                    keys=(Named(name="x1", expression=column("e_ts")),),
                    aggregates=(Named(name="x2", expression=Aggregate(function=AggregateName.COUNT_ROWS)),),
                ),
                ROWS,
                keys=(
                    call(
                        Function.DATE_TRUNC, word("day"), call(Function.ADD_DAYS, column("x1"), column("x2"))
                    ),
                ),
            ),
        ),
        (
            "hours",
            lambda: verdict_on(
                EXPOSURES, ROWS, keys=(call(Function.DATE_TRUNC, word("hour"), column("e_ts")),)
            ),
        ),
        (
            "a rounding of many digits",
            lambda: verdict_on(
                CRM, keys=(call(Function.ROUND, call(Function.MULTIPLY, number(1), number(2)), number(400)),)
            ),
        ),
        ("a released function", lambda: verdict_on(CRM, keys=(call(Function.TO_TEXT, column("c_id")),))),
        (
            "no measure",
            lambda: check(
                Question(
                    Plan(
                        releases=(Release(source=CRM, keys=(), grouping_sets=((),), measures=()),),
                        result=CellSelect(source=Released(release=0, prefix="r_"), columns=()),
                        titles=(),
                    ),
                    "a",
                ),
                RULES,
            ),
        ),
        (
            "no release",
            lambda: check(
                Question(
                    Plan(
                        releases=(),
                        result=CellSelect(source=Released(release=0, prefix="r_"), columns=()),
                        titles=(),
                    ),
                    "a",
                ),
                RULES,
            ),
        ),
        (
            "a release that is not there",
            lambda: check(
                Question(
                    plan_of(CRM).model_copy(
                        update={"result": CellSelect(source=Released(release=3, prefix="r_"), columns=())}
                    ),
                    "a",
                ),
                RULES,
            ),
        ),
        (
            "a grouping set of unknown keys",
            lambda: check(
                Question(
                    plan_of(CRM).model_copy(
                        update={
                            "releases": (
                                Release(source=CRM, keys=(), grouping_sets=((4,),), measures=(PEOPLE,)),
                            )
                        }
                    ),
                    "a",
                ),
                RULES,
            ),
        ),
        (
            "one grouping set twice",
            lambda: check(
                Question(
                    plan_of(CRM).model_copy(
                        update={
                            "releases": (
                                Release(source=CRM, keys=(), grouping_sets=((), ()), measures=(PEOPLE,)),
                            )
                        }
                    ),
                    "a",
                ),
                RULES,
            ),
        ),
    ],
)
def test_a_hostile_plan_is_refused_with_a_reason(title: str, verdict: Any) -> None:
    found: Verdict = verdict()
    assert not found.allowed, title
    assert all(reason.code and reason.message for reason in found.reasons)


def test_a_plan_of_unknown_parts_is_no_plan() -> None:
    honest = plan_of(CRM).model_dump(mode="json")
    for change in ({"sql": "DROP TABLE crm"}, {"node": "program"}, {"titles": 4}):
        with pytest.raises(ValidationError):
            Plan.model_validate({**honest, **change})
    with pytest.raises(ValidationError):
        Column(name='x" FROM crm --')
    with pytest.raises(ValidationError):
        Named(name="X", expression=column("x"))


def test_deep_and_wide_plans_are_refused_before_they_are_walked() -> None:
    condition: Expression = is_solo()
    for _ in range(150):
        condition = call(Function.NOT, condition)
    assert [reason.code for reason in verdict_on(Filter(source=CRM, condition=condition)).reasons] == [
        "too_deep"
    ]
    doubled: Expression = is_solo()
    for _ in range(40):  # 2^40 nodes, of which only 41 are in memory
        doubled = call(Function.AND, doubled, doubled)
    assert [reason.code for reason in verdict_on(Filter(source=CRM, condition=doubled)).reasons] == [
        "too_large"
    ]


def test_constants_of_a_union_tell_of_all_its_tables() -> None:
    """Set difference without an outer join: crm as 1, 0 and exposures as 0, 1, then the largest of each."""
    mine = Compute(
        source=CRM,
        columns=(Named(name="in_crm", expression=number(1)), Named(name="not_e", expression=number(0))),
    )
    theirs = Compute(
        source=EXPOSURES,
        columns=(Named(name="not_c", expression=number(0)), Named(name="in_e", expression=number(1))),
    )
    stack = Stack(
        branches=(mine, theirs),
        columns=(("uid", ("c_id", "e_id")), ("crm_flag", ("in_crm", "not_c")), ("e_flag", ("not_e", "in_e"))),
    )
    step = PersonStep(
        source=stack,
        keys=(Named(name="x1", expression=column("uid")),),
        aggregates=(
            Named(name="x2", expression=Aggregate(function=AggregateName.MAX, argument=column("e_flag"))),
        ),
    )
    never = call(Function.EQUAL, column("x2"), number(0))
    people = PEOPLE.model_copy(update={"argument": column("x1")})
    assert not verdict_on(Filter(source=step, condition=never), people).allowed
    found = verdict_on(Filter(source=step, condition=never, keeps_absent=True), people)
    assert found.allowed
    assert found.releases[0].measures[0].presence == (0, 1)


def test_a_computed_identity_does_not_make_both_tables_present() -> None:
    full = Join(kind=JoinKind.FULL, left=CRM, right=EXPOSURES)
    either = Compute(
        source=full,
        columns=(Named(name="either", expression=call(Function.COALESCE, column("c_id"), column("e_id"))),),
    )
    joined = Join(kind=JoinKind.INNER, left=either, right=CONVERSIONS, required=("either",))
    people = PEOPLE.model_copy(update={"argument": column("either")})
    assert verdict_on(joined, people).releases[0].measures[0].presence == (0, 1)


def test_counts_of_rows_depend_on_tables_of_which_no_column_is_left() -> None:
    bare = EXPOSURES.model_copy(update={"columns": ()})
    step = PersonStep(
        source=Join(kind=JoinKind.LEFT, left=CRM, right=bare),
        keys=(Named(name="x1", expression=column("c_id")),),
        aggregates=(Named(name="x2", expression=Aggregate(function=AggregateName.SUM, argument=number(1))),),
    )
    people = PEOPLE.model_copy(update={"argument": column("x1")})
    (terms,) = verdict_on(step, people, keys=(column("x2"),)).releases
    assert terms.keys[0].presence == (1,)


def test_numbers_of_rows_orders_and_whole_sums_share_one_unit() -> None:
    step = PersonStep(
        source=CONVERSIONS,
        keys=(Named(name="x1", expression=column("v_id")),),
        aggregates=(Named(name="x2", expression=Aggregate(function=AggregateName.COUNT_ROWS)),),
    )
    (rows,) = verdict_on(CONVERSIONS, ROWS).releases[0].measures
    orders = Measure(function=MeasureFunction.COUNT_REFERENCES, argument=column("v_order"))
    (references,) = verdict_on(CONVERSIONS, orders).releases[0].measures
    (sums,) = verdict_on(step, summed(column("x2"))).releases[0].measures
    # the release stage names the step in the unit of a sum: whole numbers are steps of 10^0
    assert rows.unit == references.unit == f"{sums.unit} in 10^{sums.decimals}"
    assert sums.bound is not None
