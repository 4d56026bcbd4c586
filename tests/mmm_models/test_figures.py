"""Each figure says in words what it shows, and shows what the numbers are."""

import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from mmm_models.reporting import figures
from mmm_models.reporting.figure_fit import median_bucket, r2_counts
from mmm_models.reporting.figure_training import late_change, training_curve
from mmm_models.reporting.report_input import ReportInput
from mmm_models.reporting.svg_canvas import nice_ticks, shortened, text_width
from mmm_models.results import HoldoutFit, UnitFit
from tests.mmm_models.report_samples import (
    ARMS,
    EXPERIMENTS,
    FAMILIES,
    FULL,
    HOLDOUT,
    NOISE,
    NOTHING,
    PLAIN,
    RESULTS,
    ROUNDS,
    SURE,
    channel,
    with_channels,
    with_intervals,
    with_many_channels,
)

ALL_FIGURES = [
    figures.contributions_figure,
    figures.roi_figure,
    figures.curves_figure,
    figures.fit_figure,
    figures.training_figure,
    figures.arms_figure,
    figures.noise_figure,
    figures.experiments_figure,
    figures.families_figure,
]
EVERYTHING = replace(SURE, arms=(*FULL.arms, *FAMILIES.arms[2:]))
SVG = "{http://www.w3.org/2000/svg}"


def plain(text: str) -> str:
    return text.replace("\xa0", " ").replace("\N{MINUS SIGN}", "-")


def drawn(figure: figures.Figure, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(figure.svg).iter(SVG + tag))


def hinted(figure: figures.Figure, tag: str, hint: str) -> ElementTree.Element:
    """The only shape whose hint starts with `hint`."""
    (found,) = [item for item in drawn(figure, tag) if (item.findtext(f"{SVG}title") or "").startswith(hint)]
    return found


def number(element: ElementTree.Element, name: str) -> float:
    return float(element.attrib[name])


@pytest.mark.parametrize("make", ALL_FIGURES)
@pytest.mark.parametrize("report", [FULL, SURE, FAMILIES, NOISE, PLAIN, NOTHING, with_many_channels(13)])
def test_every_figure_is_a_picture_with_words_for_any_run(make, report: ReportInput) -> None:
    figure = make(report)

    assert ElementTree.fromstring(figure.svg).attrib["aria-label"].endswith(figure.insight)
    assert figure.insight.endswith(".")
    assert figure.how_to_read.endswith(".")
    assert "nan" not in re.sub("<[^>]*>", "", figure.svg + figure.insight + figure.how_to_read)
    assert not re.search(r'="(nan|inf|-inf)"|[ML](nan|inf)', figure.svg)


@pytest.mark.parametrize("make", ALL_FIGURES)
def test_what_a_full_run_shows_is_also_a_table(make) -> None:
    table = make(EVERYTHING).table

    assert table.rows
    assert all(len(row) == len(table.columns) for row in (*table.rows, *table.totals))


@pytest.mark.parametrize("make", ALL_FIGURES)
def test_the_same_run_is_drawn_the_same(make) -> None:
    assert make(EVERYTHING).svg == make(EVERYTHING).svg


def test_names_are_escaped_in_pictures() -> None:
    report = with_channels(FULL, {"<script>alert(1)</script>": 80_000.0, "a&b\x00\x1b": 10_000.0})
    check = replace(EXPERIMENTS[0], channel="<script>alert(1)</script>", source="a&b\x00\x1b")
    report = replace(report, results=replace(with_intervals(report.results), experiments=(check,)))

    for make in (*ALL_FIGURES[:3], figures.experiments_figure):
        svg = make(report).svg
        ElementTree.fromstring(svg)
        assert "<script" not in svg
        assert "\x00" not in svg


def test_contributions_are_told_in_one_sentence() -> None:
    # 220 000 of 1 000 000; errors 0.5, 0, -2.0, 0, 0 points
    assert plain(figures.contributions_figure(FULL).insight) == (
        "tv contributed most: 80.0 k EUR, 8.0 % of sales; all 5 channels together 22.0 %. "
        "Against the known truth, shares are off by 0.5 points on average, most for social (-2.0)."
    )


def test_bars_are_as_long_as_contributions_and_truth_is_on_the_same_scale() -> None:
    figure = figures.contributions_figure(FULL)
    tv = hinted(figure, "rect", "tv:")
    per_euro = number(tv, "width") / 80_000

    assert number(hinted(figure, "rect", "social:"), "width") == pytest.approx(40_000 * per_euro, abs=0.1)
    diamond = hinted(figure, "path", "social: truly").attrib["d"]
    top_corner = float(diamond[1:].split(" ")[0])
    assert top_corner == pytest.approx(number(tv, "x") + 60_000 * per_euro, abs=0.1)


def test_contributions_table_adds_up_to_the_outcome() -> None:
    media, baseline = figures.contributions_table(FULL).text_totals()

    assert list(map(plain, media)) == [
        "All media",
        "125 k",
        "220 k",
        "22.0 %",
        "1.76",
        "",
        "23.5 %",
        "",
        "",
        "-6 %",
    ]
    assert plain(baseline[2]) == "780 k"
    assert plain(baseline[3]) == "78.0 %"


def test_channels_without_spend_have_no_return() -> None:
    report = replace(
        PLAIN, results=replace(RESULTS, channels=(channel("email", 9_000.0, 0.0), channel("tv", 5_000.0)))
    )

    assert [row[0] for row in figures.roi_figure(report).table.rows] == ["tv"]
    assert figures.contributions_table(report).text_rows()[0][1:] == [
        "n/a",
        "9.00\xa0k",
        "0.9\xa0%",
        "n/a",
        "n/a",
    ]


def test_returns_name_the_best_and_those_that_no_longer_pay() -> None:
    # ROI 3.2 2.0 1.6 1.2 0.8; marginal a third of it: only tv stays above one
    assert plain(figures.roi_figure(FULL).insight) == (
        "tv returned most per EUR spent (3.20); for the next EUR it also returns most (1.07). "
        "At the margin 4 channels no longer returned what was spent."
    )


def test_break_even_is_drawn_only_where_revenue_is_known() -> None:
    visits = replace(PLAIN, results=replace(RESULTS, outcome_unit="visits"))
    priced = replace(visits, results=replace(visits.results, revenue=3 * RESULTS.revenue))

    assert "break-even" in figures.roi_figure(priced).svg
    assert "break-even" not in figures.roi_figure(visits).svg


def test_curves_tell_who_has_room_and_who_is_saturated() -> None:
    steep = replace(
        RESULTS.curves[0], contribution=tuple(80_000 * times for times in RESULTS.curves[0].multiplier)
    )
    report = replace(PLAIN, results=replace(RESULTS, curves=(steep, RESULTS.curves[1])))

    # twice the media of a Hill curve with half-saturation 0.5: 2 * 1.5 / 2.5 = 1.2
    assert plain(figures.curves_figure(report).insight) == (
        "With twice its media, tv would have contributed 100 % more; "
        "search, the closest to saturation, 20 % more."
    )


@pytest.mark.parametrize("revenue_per_outcome", [1.0, 3.0])
def test_the_dashed_line_has_the_slope_of_marginal_roi(revenue_per_outcome: float) -> None:
    """Marginal ROI times spend is revenue; the panel is drawn in outcome units."""
    times = revenue_per_outcome
    paid = tuple(
        replace(row, roi=row.roi * times, marginal_roi=row.marginal_roi * times) for row in RESULTS.channels
    )
    results = replace(RESULTS, channels=paid[:1], curves=RESULTS.curves[:1], revenue=OUTCOME_EUR * times)
    figure = figures.curves_figure(replace(PLAIN, results=results))

    (line,) = [item for item in drawn(figure, "line") if item.get("stroke-dasharray") == "4 2.5"]
    (curve,) = [item for item in drawn(figure, "path") if item.get("stroke-width") == "2"]
    points = [tuple(map(float, point.split(" "))) for point in curve.attrib["d"][1:].split("L")]
    run, rise = number(line, "x2") - number(line, "x1"), number(line, "y1") - number(line, "y2")
    (start_x, start_y), (now_x, now_y) = points[0], points[4]
    # contribution / 3 per one times the media, in units of the drawn contribution and spend at one
    assert rise / run == pytest.approx((start_y - now_y) / 3 / (now_x - start_x), rel=0.02)


OUTCOME_EUR = RESULTS.outcome


def test_median_bucket_is_where_half_of_the_units_are_reached() -> None:
    assert median_bucket((5.0, 5.0, 10.0, 40.0, 30.0, 10.0)) == 3
    assert median_bucket((51.0, 0.0, 0.0, 0.0, 0.0, 49.0)) == 0
    assert median_bucket(()) is None


def test_buckets_are_counted_from_units_where_only_those_are_known() -> None:
    fits = tuple(UnitFit(str(value), 1.0, 1.0, value) for value in (-0.5, 0.0, 0.19, 0.2, 0.85, math.nan))

    assert r2_counts(replace(HOLDOUT, r2_counts=(), per_unit=fits)) == (1.0, 2.0, 1.0, 0.0, 0.0, 1.0)


def test_noised_counts_below_zero_are_shown_as_none() -> None:
    assert r2_counts(replace(HOLDOUT, r2_counts=(-3.0, 1.0, 0.0, 0.0, 0.0, 2.0)))[0] == 0.0


def test_a_good_and_a_bad_fit_are_told_apart() -> None:
    assert plain(figures.fit_figure(FULL).insight) == (
        "Held-out weeks are missed by 7.0 % of a unit's mean sales; the median unit has R² between "
        "0.4 and 0.6, and 5 % of units do worse than their own average."
    )
    bad = replace(HOLDOUT, r2_counts=(60.0, 0.0, 0.0, 0.0, 0.0, 40.0))
    assert "for most units worse than their own average" in figures.fit_figure(_with_holdout(bad)).insight


def test_a_fit_that_was_not_released_is_said_so() -> None:
    silent = HoldoutFit(weeks=24, units=100.0, rmse=math.nan, nrmse=math.nan, mape=math.nan)

    figure = figures.fit_figure(_with_holdout(silent))

    assert "not released" in figure.insight
    assert figure.table.rows == ()


def test_training_tells_the_fall_the_time_and_missing_silos() -> None:
    rounds = (*ROUNDS[:4], replace(ROUNDS[4], silos=4), *ROUNDS[5:])
    first, last = 100 * (0.07 + 0.05 * math.exp(-1 / 4)), 100 * (0.07 + 0.05 * math.exp(-30 / 4))

    figure = figures.training_figure(replace(FULL, rounds=rounds))

    assert plain(figure.insight) == (
        f"The hold-out nRMSE fell from {first:.1f} % to {last:.1f} % in 30 rounds (15 s); "
        "in 1 of them at least one silo was missing."
    )
    assert hinted(figure, "rect", "round 5: 4 silos") is not None


def test_training_without_hold_out_errors_shows_the_loss() -> None:
    rounds = tuple(replace(row, nrmse=None) for row in ROUNDS)

    assert training_curve(rounds).name == "training loss"
    assert "training loss fell from" in figures.training_figure(replace(FULL, rounds=rounds)).insight


def test_late_change_is_the_part_of_the_movement_in_the_last_quarter() -> None:
    falls = tuple(
        replace(ROUNDS[0], round=index, nrmse=value) for index, value in enumerate((0.5, 0.3, 0.2, 0.1))
    )

    assert late_change(training_curve(falls)) == pytest.approx((0.2 - 0.1) / (0.5 - 0.1))
    assert math.isnan(late_change(training_curve(falls[:3])))


def test_one_round_is_drawn() -> None:
    assert (
        "in 1 round (0.5\xa0s); every silo"
        in figures.training_figure(replace(FULL, rounds=ROUNDS[:1])).insight
    )


def test_comparison_names_reference_worst_and_last() -> None:
    assert plain(figures.arms_figure(FULL).insight) == (
        "Channel shares are 0.63 points off for “Centralised”, "
        "1.34 points off for “Each silo alone (mean of 5)”, "
        "0.92 points off for “Federated + secure aggregation + differential privacy”; "
        "hold-out nRMSE lies between 7.0 % and 7.3 %."
    )


def test_channel_errors_have_one_column_per_arm() -> None:
    table = figures.channel_errors_table(FULL)

    assert [column.name for column in table.columns[1:]] == [arm.name for arm in ARMS]
    assert list(map(plain, table.text_rows()[1])) == ["search", "-6 %", "-13 %", "-7 %", "-7 %", "-9 %"]


def test_arms_table_says_none_where_there_is_no_epsilon() -> None:
    rows = figures.arms_table(FULL).text_rows()

    assert [row[6] for row in rows] == ["none", "none", "none", "none", "8.00"]


@pytest.mark.parametrize(
    "name", ["tv", "a channel name that nobody should use", "電視廣告電視廣告電視廣告", "W" * 50]
)
def test_a_shortened_label_fits(name: str) -> None:
    short = shortened(name, 80.0)

    assert text_width(short) <= 80.0
    assert short == name or (short.endswith("…") and name.startswith(short[:-1].rstrip()))


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 5.4, (0, 1, 2, 3, 4, 5)),
        (0.066, 0.118, (0.07, 0.08, 0.09, 0.10, 0.11)),
        (-1.0, 1.0, (-1, -0.5, 0, 0.5, 1)),
        (3.0, 3.0, (3,)),
    ],
)
def test_ticks_are_round_numbers_inside(low: float, high: float, ticks: tuple[float, ...]) -> None:
    assert nice_ticks(low, high) == pytest.approx(ticks)


def _with_holdout(holdout: HoldoutFit) -> ReportInput:
    return replace(PLAIN, results=replace(RESULTS, holdout=holdout))
