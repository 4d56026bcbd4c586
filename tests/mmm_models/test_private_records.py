"""Private records: measured and read back they are what they were, and what is expected takes no room."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mmm_models.network import MediaResponse
from mmm_models.private_records import (
    DRAFT,
    FIRST_SLOPES,
    FOLLOWS_OUTCOME,
    LARGEST_SLOPE,
    LARGEST_UNIT,
    REPORT,
    TYPICAL_ERROR,
    Importance,
    RecordFrame,
    draft_frame,
    report_frame,
    with_counts,
)
from mmm_models.spec import ModelSpec
from mmm_models.unit_records import RecordLayout

Array = NDArray[np.float64]
LAYOUT = RecordLayout(channels=3, private=True)
WEEKS, HOLDOUT_WEEKS = 60, 12
SPEND_SHARE, EFFECT = (0.1, 0.05, 0.0), (0.2, 0.1, 0.05)  # the third channel costs nothing
NEVER_RELEASED = ("units", "test_weeks")


def response() -> MediaResponse:
    made = MediaResponse(ModelSpec(), SPEND_SHARE)
    with torch.no_grad():
        made.parameters_by_name["log_effect"].copy_(torch.tensor(EFFECT).log())
    return made


def slopes(**values: float) -> Array:
    return LAYOUT.row(values)


def draft() -> RecordFrame:
    return draft_frame(LAYOUT, response(), weeks=WEEKS, holdout_weeks=HOLDOUT_WEEKS)


def report(slope: Array | None = None) -> RecordFrame:
    found = slopes(revenue=0.9, spend=0.6, contribution=0.5) if slope is None else slope
    return report_frame(LAYOUT, response(), found, weeks=WEEKS, holdout_weeks=HOLDOUT_WEEKS)


FRAMES = pytest.mark.parametrize("frame", [draft, report], ids=["draft", "report"])
Frame = Callable[[], RecordFrame]


def records(units: int = 5) -> Array:
    return np.random.default_rng(3).lognormal(size=(units, LAYOUT.length))


@FRAMES
def test_the_sum_of_measured_records_reads_back_as_the_sum_of_records(frame: Frame) -> None:
    made, rows = frame(), records()
    read = made.read_back(made.measure(rows).sum(axis=0))
    released = made.weight > 0

    assert read[released] == pytest.approx(rows.sum(axis=0)[released], rel=1e-12)
    assert not read[~released].any()


@FRAMES
def test_noise_on_a_sum_reads_back_as_noise_of_the_same_size_in_typical_units(frame: Frame) -> None:
    """A step of one in a measured column is typical / weight in that column and nothing in the others."""
    made = frame()
    for column in np.flatnonzero(made.weight > 0):
        if column != made.outcome:
            step = made.read_back(np.eye(LAYOUT.length)[column])
            assert step[column] == pytest.approx(made.typical[column] / made.weight[column])
            assert np.count_nonzero(step) == 1


@FRAMES
def test_columns_that_only_the_silo_should_see_or_that_nobody_needs_are_not_released(frame: Frame) -> None:
    groups = LAYOUT.split(frame().measure(records()))

    assert not groups["units"].any()
    assert not groups["test_weeks"].any()
    assert not groups["spend"][:, 2].any()  # a channel without spend
    assert groups["spend"][:, :2].all()


def test_the_draft_tells_no_fit_and_the_report_does() -> None:
    assert not LAYOUT.split(draft().measure(records()))["mape"].any()
    assert LAYOUT.split(report().measure(records()))["mape"].all()


def typical_record(**share: float) -> Array:
    """Of a unit whose columns are so many times typical ones, by hand from weeks, shares and effects."""
    weeks = float(WEEKS)
    values = {
        "outcome": weeks,
        "revenue": weeks,
        "squared_error": HOLDOUT_WEEKS * TYPICAL_ERROR**2,
        "mape": TYPICAL_ERROR,
        "spend": weeks * np.array(SPEND_SHARE),
        "contribution": weeks * np.array(EFFECT),
    }
    return LAYOUT.row({name: np.asarray(value) * share.get(name, 1.0) for name, value in values.items()})


def test_what_goes_with_the_outcome_as_expected_takes_no_room() -> None:
    found = {"revenue": 0.9, "spend": 0.6, "contribution": 0.5}
    groups = LAYOUT.split(report().measure(typical_record(**found)[None]))

    for name in FOLLOWS_OUTCOME:
        assert groups[name] == pytest.approx(np.zeros_like(groups[name]), abs=1e-6)
    assert groups["outcome"][0, 0] == pytest.approx(REPORT.weight["outcome"])


def test_the_draft_finds_what_goes_with_the_outcome() -> None:
    """Ten units of different sizes, in all of which revenue is 0.8 of the outcome, spend 1.2 and effects 0.4."""
    sizes = np.linspace(0.5, 3.0, 10)[:, None]
    rows = sizes * typical_record(revenue=0.8, spend=1.2, contribution=0.4)
    made = draft()

    found = LAYOUT.split(made.slopes_found(made.measure(rows).sum(axis=0)))

    assert found["revenue"] == pytest.approx([0.8], rel=1e-6)
    assert found["spend"] == pytest.approx(
        [1.2, 1.2, FIRST_SLOPES["spend"]], rel=1e-6
    )  # no spend, no finding
    assert found["contribution"] == pytest.approx([0.4] * 3, rel=1e-6)
    assert not np.concatenate([found[name] for name in ("outcome", "mape", *NEVER_RELEASED)]).any()


def test_slopes_that_only_noise_can_make_are_cut_off() -> None:
    made = draft()
    wild = np.where(made.slope > 0, np.tile([1e6, -1e6], LAYOUT.length)[: LAYOUT.length], 0.0)
    found = made.slopes_found(wild)[(made.slope > 0) & (made.weight > 0)]

    assert set(found.tolist()) == {0.0, LARGEST_SLOPE}


@pytest.mark.parametrize("outcome", [0.0, -50.0])
def test_an_outcome_lost_in_noise_gives_finite_slopes(outcome: float) -> None:
    made = draft()
    total = np.ones(LAYOUT.length)
    total[made.outcome] = outcome

    assert np.isfinite(made.slopes_found(total)).all()


def test_the_report_measured_from_what_the_draft_found_is_shorter_than_from_a_guess() -> None:
    rows = np.linspace(0.5, 3.0, 10)[:, None] * typical_record(revenue=0.8, spend=1.2, contribution=0.4)
    first = draft()
    found = first.slopes_found(first.measure(rows).sum(axis=0))

    guessed, measured = (
        np.linalg.norm(report(slope).measure(rows), axis=1) for slope in (first.slope, found)
    )

    assert (measured < guessed).all()


def test_the_bound_is_a_few_typical_weighted_records() -> None:
    """Three columns of spend: sqrt((3 * 1)^2 + 3 * (2 * 2 / sqrt(3))^2) = sqrt(9 + 16) = 5."""
    importance = Importance(
        weight={"outcome": 3.0, "spend": 2.0, "mape": 9.0}, usual={"outcome": 1.0, "spend": 2.0 / 3**0.5}
    )

    assert importance.bound(LAYOUT) == pytest.approx(LARGEST_UNIT * 5.0)


@pytest.mark.parametrize("frame, importance", [(draft, DRAFT), (report, REPORT)], ids=["draft", "report"])
def test_a_typical_unit_is_not_shortened_and_a_giant_one_is(frame: Frame, importance: Importance) -> None:
    made = frame()
    typical = typical_record(**FIRST_SLOPES)
    lengths = np.linalg.norm(made.measure(np.stack([typical, 10.0 * typical])), axis=1)

    assert made.bound == importance.bound(LAYOUT)
    assert lengths[0] < made.bound < lengths[1]


@FRAMES
def test_the_bound_and_the_units_of_measure_depend_on_no_record(frame: Frame) -> None:
    """They are a function of the agreed scales and the model, so clipping by them tells nothing."""
    first, second = frame(), frame()

    assert first.bound == second.bound
    assert first.typical.tobytes() == second.typical.tobytes()


def test_counts_come_from_the_number_of_units() -> None:
    """16.5 noised units with twelve held-out weeks each: 198 unit-weeks."""
    total = with_counts(np.arange(float(LAYOUT.length)), LAYOUT, units=16.5, holdout_weeks=12)
    groups = LAYOUT.split(total)

    assert (groups["units"].item(), groups["test_weeks"].item()) == (16.5, 198.0)
    assert groups["outcome"].item() == 1.0
    assert groups["contribution"].tolist() == [9.0, 10.0, 11.0]


@FRAMES
def test_the_size_of_noise_that_is_read_back_is_known(frame: Frame) -> None:
    made = frame()
    noise = 3.0 * np.random.default_rng(5).standard_normal((20_000, LAYOUT.length))
    read = np.array([made.read_back(row) for row in noise])
    released = made.weight > 0

    assert made.noise_of(3.0)[released] == pytest.approx(read.std(axis=0)[released], rel=0.03)
    assert not made.noise_of(3.0)[~released].any()
