"""What `fit` and `train` print of a finished run: numbers on stdout, what they cannot tell on stderr."""

from dataclasses import replace

import pytest

from mixroom.run_output import show_results
from mmm_models.reporting.result_files import write_results
from mmm_models.results import NO_INTERVAL, HoldoutFit
from tests.mmm_models.report_samples import RESULTS, SURE, channel, with_intervals

HEADER = ["channel", "contribution", "share", "ROI", "marginal", "ROI"]


@pytest.fixture
def shown(tmp_path, capsys):
    """Lines on stdout and lines on stderr, without their first word."""

    def show(results):
        write_results(results, tmp_path)
        capsys.readouterr()
        show_results(tmp_path, as_json=False)
        printed = capsys.readouterr()
        narration = printed.err.splitlines()
        assert all(line.startswith("mixroom: ") for line in narration)
        return printed.out.splitlines(), [line.removeprefix("mixroom: ") for line in narration]

    return show


def test_every_number_is_followed_by_its_interval(shown):
    (header, tv, *_), narration = shown(with_intervals(RESULTS, 1.25))

    assert header.split() == [
        "channel",
        "contribution",
        "interval",
        "share",
        "ROI",
        "interval",
        "marginal",
        "ROI",
        "interval",
    ]
    # 80 000, ROI 3.2 and a third of it, each over and times 1.25
    assert tv.split("  ")[0] == "tv"
    assert tv.split()[1:] == ["80,000", "64.0-100", "k", "8.00%", "3.20", "2.56-4.00", "1.07", "0.85-1.33"]
    assert narration[0] == "intervals are 90% intervals, if the model's form is right"


def test_rows_fit_a_hundred_columns_and_are_plain_letters(shown):
    rich = replace(RESULTS, channels=(channel("a-name-of-eighteen", 929_563_218.0, 4.1e8), *RESULTS.channels))

    rows, _ = shown(with_intervals(rich, 3.0))

    assert max(map(len, rows)) <= 100
    assert all(row.isascii() for row in rows)
    assert len({len(row) for row in rows}) == 1  # every column ends where it ends in all rows


def test_without_intervals_the_table_is_as_narrow_as_it_was(shown):
    (header, *_), narration = shown(RESULTS)

    assert header.split() == HEADER
    assert not any(line.startswith("intervals") for line in narration)


def test_a_number_without_an_interval_among_others_has_a_dash(shown):
    sure = with_intervals(RESULTS)
    email = replace(channel("email", 9_000.0, 0.0), contribution_interval=NO_INTERVAL)

    rows, _ = shown(replace(sure, channels=(email, *sure.channels)))

    assert rows[1].split() == ["email", "9,000", "-", "0.90%", "-", "-", "-", "-"]


def test_findings_are_said_a_line_each_before_the_report(shown):
    _, narration = shown(replace(SURE.results, experiments=()))

    assert narration[1:4] == [
        "review: display and social cannot be told apart: they run together in most weeks.",
        "note: A typical unit has 80 training weeks: most seasons are seen once.",
        "what to do about it: the report, or --json",
    ]
    assert narration[-1].startswith("the report: ")


def test_experiments_are_said_with_what_the_model_says(shown):
    agreeing, contradicting = SURE.results.experiments
    unused = replace(contradicting, used=False)

    _, narration = shown(replace(RESULTS, experiments=(agreeing, contradicting, unused)))

    assert narration[:3] == [
        "experiment geo test, spring (search): measured 12,000, standard error 1,500; "
        "the model says 11,000 without it and 11,800 with it; they agree",
        "experiment switched off in April (display): measured 2,000, standard error 900; "
        "the model says 9,000 without it and 3,000 with it; they contradict each other",
        "experiment switched off in April (display): measured 2,000, standard error 900; "
        "the model says 9,000 without it, and was not calibrated with it; they contradict each other",
    ]


def test_a_contradiction_is_not_said_twice(shown):
    contradiction = replace(SURE.results.findings[0], code="contradiction")

    _, narration = shown(replace(SURE.results, findings=(contradiction,)))

    assert not any(line.startswith("review: ") for line in narration)
    assert sum("they contradict each other" in line for line in narration) == 1


def test_a_run_without_held_out_weeks_says_nothing_of_its_fit(shown):
    none = HoldoutFit(weeks=0, units=0.0, rmse=float("nan"), nrmse=float("nan"), mape=float("nan"))

    _, narration = shown(replace(RESULTS, holdout=none))

    assert [line.split(":")[0] for line in narration] == ["the report"]


def test_a_fit_prints_the_intervals_it_stores(terminal, silos, tmp_path):
    from mixroom.library import load_results

    seen = terminal("fit", *silos, "--out", tmp_path / "run", "--holdout-weeks", "12", "--steps", "20")

    assert seen.code == 0, seen.err
    results = load_results(tmp_path / "run")
    assert results.interval_level == 0.9
    tv = results.channels[0]
    assert tv.roi_interval.low < tv.roi < tv.roi_interval.high
    row = seen.out.splitlines()[1].split()
    assert f"{tv.roi_interval.low:.2f}-{tv.roi_interval.high:.2f}" in row
    assert f"{tv.marginal_roi_interval.low:.2f}-{tv.marginal_roi_interval.high:.2f}" in row
