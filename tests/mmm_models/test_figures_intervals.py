"""Intervals in figures: as long as they are, in words that do not claim more than they allow."""

from dataclasses import replace

import pytest

from mmm_models.reporting import figures
from mmm_models.reporting.report_input import ReportInput
from mmm_models.results import NO_INTERVAL, Interval
from tests.mmm_models.report_samples import FULL, PLAIN, RESULTS, SURE, with_intervals
from tests.mmm_models.test_figures import drawn, hinted, number, plain


def with_roi(marginal_roi: Interval = NO_INTERVAL, **roi: Interval) -> ReportInput:
    """The sample's channels (ROI 3.2, 2, 1.6, 1.2, 0.8; marginal a third), these ROI intervals on them."""
    channels = tuple(
        replace(
            row,
            roi_interval=roi.get(row.channel, Interval(row.roi, row.roi)),
            marginal_roi_interval=marginal_roi,
        )
        for row in RESULTS.channels
    )
    return replace(PLAIN, results=replace(RESULTS, channels=channels, interval_level=0.9))


def whiskers(figure: figures.Figure, stroke: str) -> list[tuple[float, float]]:
    """Left and right end of every thin line of that colour, from top to bottom."""
    lines = [line for line in drawn(figure, "line") if line.get("stroke-width") == "1.2"]
    return [(number(line, "x1"), number(line, "x2")) for line in lines if line.get("stroke") == stroke]


def test_whiskers_are_on_the_scale_of_the_bars() -> None:
    figure = figures.contributions_figure(SURE)
    tv = hinted(figure, "rect", "tv:")
    per_euro = number(tv, "width") / 80_000

    low, high = whiskers(figure, "#1d2530")[0]

    assert low - number(tv, "x") == pytest.approx(64_000 * per_euro, abs=0.2)
    assert high - number(tv, "x") == pytest.approx(100_000 * per_euro, abs=0.2)


def test_without_intervals_there_are_no_whiskers_and_the_page_says_so() -> None:
    assert whiskers(figures.contributions_figure(FULL), "#1d2530") == []
    assert figures.contributions_figure(FULL).how_to_read.endswith("Point estimates, without intervals.")
    assert "90\xa0% intervals" in figures.contributions_figure(SURE).how_to_read


def test_a_channel_nobody_knows_does_not_press_the_others_flat() -> None:
    wild = replace(SURE.results.channels[-1], contribution_interval=Interval(1.0, 8e9))
    report = replace(SURE, results=replace(SURE.results, channels=(*SURE.results.channels[:-1], wild)))

    figure = figures.contributions_figure(report)

    largest, plot = number(hinted(figure, "rect", "tv:"), "width"), 192.0
    assert largest == pytest.approx(plot / 2.5, abs=0.2)
    assert max(end for _, end in whiskers(figure, "#1d2530")) == pytest.approx(90.0 + plot, abs=0.2)


def test_contributions_table_has_intervals_as_numbers_and_as_words() -> None:
    table = figures.contributions_table(SURE)
    names = [column.name for column in table.columns]

    assert [names[index - 1].split(" (")[0] for index, name in enumerate(names) if "interval" in name] == [
        "Contribution",
        "Share",
        "ROI",
        "Marginal ROI",
    ]
    assert table.rows[0][3] == Interval(64_000.0, 100_000.0)
    assert list(map(plain, table.text_rows()[0][2:8])) == [
        "80.0 k",
        "64.0–100 k",
        "8.0 %",
        "6.4–10.0 %",
        "3.20",
        "2.56–4.00",
    ]
    assert [row[3] for row in table.text_totals()] == ["", ""]


def test_intervals_stand_under_their_numbers_on_the_page() -> None:
    table = figures.contributions_table(SURE)

    assert [len(row) for row in (table.head(), table.body()[0], table.foot()[0])] == [10, 10, 10]
    assert (plain(table.head()[2].text), plain(table.head()[2].small)) == (
        "Contribution (EUR)",
        "90 % interval",
    )
    assert (plain(table.body()[0][4].text), plain(table.body()[0][4].small)) == ("3.20", "2.56–4.00")


def test_the_largest_contribution_is_told_with_its_interval_and_how_often_the_truth_was_held() -> None:
    # social truly has 60 000, above 40 000 * 1.25; the four others are held
    assert plain(figures.contributions_figure(SURE).insight).startswith(
        "tv contributed most: 80.0 k EUR (64.0–100 k), 8.0 % of sales;"
    )
    assert plain(figures.contributions_figure(SURE).insight).endswith(
        "The 90 % interval holds the truth for 4 of 5 channels."
    )


@pytest.mark.parametrize(
    ("report", "rivals"),
    [
        (with_roi(tv=Interval(2.5, 4.0)), ""),  # search ends at 2.0
        (with_roi(tv=Interval(1.9, 5.0)), ", but search may have returned as much"),
        (with_roi(tv=Interval(1.5, 6.0)), ", but 2 others may have returned as much"),
        (with_roi(tv=Interval(0.7, 9.0)), ", but all 4 others may have returned as much"),
    ],
)
def test_the_best_return_is_not_called_best_without_naming_who_may_be_as_good(
    report: ReportInput, rivals: str
) -> None:
    sentence = plain(figures.roi_figure(report).insight).split(";")[0]

    assert sentence.partition(")")[2] == rivals


@pytest.mark.parametrize(
    ("marginal_roi", "said"),
    [
        (Interval(1.1, 1.9), " Every channel still pays for itself at the margin."),
        (Interval(0.9, 1.9), " Whether 5 channels still paid at the margin is open."),
        (Interval(0.1, 0.9), " At the margin 4 channels no longer returned what was spent."),
    ],
)
def test_break_even_is_called_open_where_the_interval_holds_it(marginal_roi: Interval, said: str) -> None:
    """Marginal ROI of the sample: 1.07, 0.67, 0.53, 0.40, 0.27."""
    report = with_roi(marginal_roi)
    if marginal_roi.low > 1:
        sure = tuple(replace(row, marginal_roi=1.5) for row in report.results.channels)
        report = replace(report, results=replace(report.results, channels=sure))

    assert plain(figures.roi_figure(report).insight).endswith(said)


def test_some_lose_and_for_some_it_is_open() -> None:
    # times 1.25 and over: tv 0.85 to 1.33; the next one ends at 0.83
    assert plain(figures.roi_figure(SURE).insight).endswith(
        "At the margin 4 channels no longer returned what was spent; it is open whether tv did."
    )


def test_returns_are_drawn_with_both_intervals_above_each_other() -> None:
    figure = figures.roi_figure(SURE)
    average, marginal = hinted(figure, "circle", "tv: ROI"), hinted(figure, "circle", "tv: marginal ROI")
    per_one = (number(average, "cx") - number(marginal, "cx")) / (3.2 - 3.2 / 3)

    (marginal_low, marginal_high), (low, high) = whiskers(figure, "#1b5e9b")[:2]

    assert number(average, "cy") < number(marginal, "cy")
    assert (high - low) / per_one == pytest.approx(4.0 - 2.56, abs=0.02)
    assert (marginal_high - marginal_low) / per_one == pytest.approx((4.0 - 2.56) / 3, abs=0.02)
    assert list(map(plain, figure.table.text_rows()[0])) == ["tv", "3.20", "2.56–4.00", "1.07", "0.85–1.33"]


def test_the_band_of_a_curve_is_between_low_and_high() -> None:
    figure = figures.curves_figure(SURE)
    (line, *_) = [path for path in drawn(figure, "path") if path.get("stroke-width") == "2"]
    band = hinted(figure, "path", "tv: interval")

    points = [tuple(map(float, point.split(" "))) for point in band.attrib["d"][1:].split("L")]
    curve = [tuple(map(float, point.split(" "))) for point in line.attrib["d"][1:].split("L")]

    floor, (_, now) = curve[0][1], curve[4]
    upper, lower = points[:9], points[:8:-1]
    assert (floor - upper[4][1]) / (floor - now) == pytest.approx(1.25, abs=0.01)
    assert (floor - lower[4][1]) / (floor - now) == pytest.approx(1 / 1.25, abs=0.01)
    assert plain(figure.table.text_rows()[4][4]) == "64.0–100 k"


def test_a_band_that_leaves_its_panel_is_cut_at_the_top() -> None:
    wide = replace(SURE, results=with_intervals(RESULTS, 50.0))
    figure = figures.curves_figure(wide)

    band = hinted(figure, "path", "tv: interval")
    heights = [float(point.split(" ")[1]) for point in band.attrib["d"][1:].split("L")]

    assert min(heights) >= 30.0  # where the panel begins


def test_a_channel_without_an_interval_among_others_is_drawn_without() -> None:
    first, *rest = SURE.results.channels
    bare = replace(
        first, contribution_interval=NO_INTERVAL, roi_interval=NO_INTERVAL, marginal_roi_interval=NO_INTERVAL
    )
    report = replace(SURE, results=replace(SURE.results, channels=(bare, *rest)))

    assert len(whiskers(figures.contributions_figure(report), "#1d2530")) == 4
    assert len(whiskers(figures.roi_figure(report), "#1b5e9b")) == 2 * 4
    assert figures.contributions_table(report).text_rows()[0][3] == ""
