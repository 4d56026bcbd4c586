"""Figures of an explanation show its numbers, and hold them as a table."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from mmm_models.explaining.explanation import Explanation
from mmm_models.explaining.waterfall import Step, Waterfall
from mmm_models.reporting.curve_panel import split_at
from mmm_models.reporting.figure import Column, Figure, Table
from mmm_models.reporting.figure_waterfall import waterfall_figure
from mmm_models.reporting.figure_weeks import spread
from mmm_models.reporting.number_format import amount
from mmm_models.reporting.report import render
from mmm_models.reporting.table_file import table_csv
from mmm_models.reporting.told_figures import told_figures
from mmm_models.reporting.told_sections import told_sections
from mmm_models.reporting.week_axis import week_marks
from mmm_models.results import Interval
from tests.mmm_models.told_samples import planned, told_reports

SVG = "{http://www.w3.org/2000/svg}"
REPORTS = told_reports()


def plain(text: str) -> str:
    return text.replace("\xa0", " ").replace("\N{MINUS SIGN}", "-")


def told(name: str) -> Explanation:
    found = REPORTS[name].explained
    assert found is not None
    return found


WHOLE = told("planned")


def drawn(figure: Figure, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(figure.svg).iter(SVG + tag))


def hinted(figure: Figure, tag: str, hint: str) -> ElementTree.Element:
    (found,) = [item for item in drawn(figure, tag) if (item.findtext(f"{SVG}title") or "").startswith(hint)]
    return found


def points(path: ElementTree.Element) -> list[tuple[float, float]]:
    pairs = [point.split(" ") for point in path.attrib["d"][1:].split("L")]
    return [(float(x), float(y)) for x, y in pairs]


@pytest.mark.parametrize("name", REPORTS)
def test_every_figure_is_a_picture_with_words_and_a_table(name: str) -> None:
    for figure in told_figures(told(name)).values():
        shown = figure.svg + figure.insight + figure.how_to_read
        assert ElementTree.fromstring(figure.svg).attrib["aria-label"].endswith(figure.insight)
        assert figure.insight.endswith(".")
        assert figure.how_to_read.endswith(".")
        assert figure.table.rows
        assert all(len(row) == len(figure.table.columns) for row in figure.table.rows)
        assert not re.search(r'="(nan|inf|-inf)"|[ML](nan|inf)', figure.svg)
        assert "nan" not in re.sub("<[^>]*>", "", shown)


def test_a_run_shows_only_what_it_knows() -> None:
    assert list(told_figures(told("planned"))) == [
        "curves", "weeks", "silos", "outcome", "last-period", "next-period",
    ]  # fmt: skip
    assert list(told_figures(told("totals"))) == ["curves", "outcome"]


def test_a_curve_is_dashed_where_nothing_was_ever_observed() -> None:
    figure = told_figures(WHOLE)["curves"]
    fact = WHOLE.channels[0]
    dashed = points(hinted(figure, "path", f"{fact.channel}: extrapolated"))
    dot = hinted(figure, "circle", f"{fact.channel} as it was")
    left = [number for number in (0.0, 143.0, 286.0) if number <= dashed[0][0]][-1]

    assert dashed[0][0] == pytest.approx(left + 128 * fact.seen / 2, abs=0.2)  # the panel shows twice today's
    assert float(dot.attrib["cx"]) == pytest.approx(left + 64, abs=0.1)


def test_a_line_is_split_where_it_crosses_the_edge() -> None:
    line = [(0.0, 0.0), (10.0, 5.0), (20.0, 10.0)]

    assert split_at(line, 14.0) == ([(0.0, 0.0), (10.0, 5.0), (14.0, 7.0)], [(14.0, 7.0), (20.0, 10.0)])
    assert split_at(line, 10.0) == (line[:2], [(10.0, 5.0), (20.0, 10.0)])
    assert split_at(line, 20.0) == (line, [])


def test_areas_of_weeks_stand_on_each_other() -> None:
    figure = told_figures(WHOLE)["weeks"]
    count = len(WHOLE.weeks)
    baseline, media = points(hinted(figure, "path", "baseline")), points(hinted(figure, "path", "all media"))
    outcome = points(hinted(figure, "path", "outcome"))

    assert media[:count] == outcome
    assert media[: count - 1 : -1] == baseline[:count]
    floor = baseline[-1][1]
    week = WHOLE.weeks[7]
    share = (floor - baseline[7][1]) / (floor - outcome[7][1])
    assert share == pytest.approx(week.baseline / week.outcome, abs=0.01)


def test_channels_beyond_the_colours_are_one_area() -> None:
    figure = told_figures(told("crowded"))["weeks"]

    hints = [path.findtext(f"{SVG}title") for path in drawn(figure, "path")]
    assert hints[-1] == "4 others"  # of ten channels six have a colour of their own
    assert len(figure.table.columns) == 3 + 10


def test_labels_are_spread_inside_their_room() -> None:
    assert spread([50.0, 51.0, 90.0], 10.0, 100.0) == [50.0, 62.5, 90.0]
    assert spread([95.0, 99.0], 10.0, 100.0) == [87.5, 100.0]
    assert spread([0.0], 10.0, 100.0) == [10.0]


def test_an_axis_of_weeks_is_marked_at_beginnings_of_months() -> None:
    short = [f"2024-01-{day:02}" for day in (1, 8, 15, 22, 29)] + ["2024-02-05"]
    years = [f"{year}-{month:02}-01" for year in range(2015, 2025) for month in range(1, 13)]

    assert week_marks(short) == ((0, "Jan 2024"), (5, "Feb 2024"))
    assert [name for _, name in week_marks(years)][:2] == ["Jan 2015", "Jan 2016"]
    assert week_marks(["2024-01-15"]) == ((0, "Jan 2024"),)


STEPS = Waterfall(
    "past",
    (
        Step("period before", 1000.0, is_total=True),
        Step("baseline", -30.0),
        Step("tv", 50.0, Interval(30.0, 80.0)),
        Step("last period", 1020.0, is_total=True),
    ),
)


def test_a_waterfalls_bars_begin_where_the_one_above_ends() -> None:
    figure = waterfall_figure(WHOLE, STEPS)
    before, baseline, tv, last = (
        hinted(figure, "rect", name) for name in ("period before", "baseline", "tv", "last period")
    )

    def ends(bar: ElementTree.Element) -> tuple[float, float]:
        return float(bar.attrib["x"]), float(bar.attrib["x"]) + float(bar.attrib["width"])

    per_unit = (ends(tv)[1] - ends(tv)[0]) / 50
    assert ends(baseline)[1] == pytest.approx(ends(before)[1], abs=0.2)
    assert ends(baseline)[0] == pytest.approx(ends(before)[1] - 30 * per_unit, abs=0.2)
    assert ends(tv)[0] == pytest.approx(ends(baseline)[0], abs=0.2)
    assert ends(last)[1] == pytest.approx(ends(tv)[1], abs=0.2)
    assert ends(last)[0] == ends(before)[0]  # both begin at the broken axis
    assert "#d55e00" not in (tv.attrib["fill"], baseline.attrib["fill"])


def test_a_waterfall_is_told_in_one_sentence() -> None:
    figure = waterfall_figure(WHOLE, STEPS)

    assert plain(figure.insight) == (
        "The outcome changed by +20.0 EUR (+2.0 %); most of all tv: +50.0 (30.0–80.0)."
    )
    assert [list(map(plain, row)) for row in figure.table.text_rows()] == [
        ["period before", "", "", "1.00 k", ""],
        ["baseline", "-30.0", "", "", ""],
        ["tv", "+50.0", "30.0–80.0", "", ""],
        ["last period", "", "", "1.02 k", ""],
    ]


def test_every_silo_has_a_dot_a_channel_and_a_measure() -> None:
    figure = told_figures(told("five"))["silos"]
    named = [circle for circle in drawn(figure, "circle") if circle.find(f"{SVG}title") is not None]

    assert len(named) == 5 * 3 * 4  # silos, channels, measures
    assert len(figure.table.rows) == 5 * 3
    assert len({circle.attrib["fill"] for circle in named}) == 5


def test_a_table_keeps_its_numbers_as_csv() -> None:
    table = Table(
        (Column("Step"), Column("Adds", amount), Column("90 %", amount, below=True)),
        (("tv", 1 / 3, Interval(0.25, 0.5)), ("radio", None, "")),
    )

    assert table_csv(table).splitlines() == [
        "Step,Adds,Adds low,Adds high",
        f"tv,{1 / 3!r},0.25,0.5",
        "radio,,,",
    ]


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_grows_by_what_the_run_knows(name: str) -> None:
    html, sections = render(REPORTS[name]), told_sections(told(name))
    shown = {
        "What each channel does": True,
        "Differences between silos": name != "totals",
        "Week by week": name != "totals",
        "What changed since the period before": name != "totals",
        "The plan": name not in {"totals", "crowded", "five"} or told(name).plan is not None,
    }

    assert {title: f"<h2>{title}</h2>" in html for title in shown} == shown
    for _, sentences in sections.channels:
        assert all(sentence.replace("'", "&#39;") in html for sentence in sentences)
    assert len(sections.absent) == len(told(name).absences)


def test_names_are_escaped_wherever_they_are_shown() -> None:
    hostile = "<script>alert(1)</script>"
    base = planned(2)
    channels = tuple(replace(fact, channel=hostile) for fact in base.channels[:1])
    nasty = replace(
        base,
        channels=channels,
        curves=tuple(replace(curve, channel=hostile) for curve in base.curves[:1]),
        parts=tuple(replace(fact, channel=hostile, part="a&b") for fact in base.parts[:1]),
        weeks=tuple(replace(week, contributions=week.contributions[:1]) for week in base.weeks),
    )

    html = render(replace(REPORTS["planned"], explained=nasty))

    assert "<script" not in html
    assert "a&b" not in html
