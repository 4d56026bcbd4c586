"""`mixroom explain` as people use it, and the same from Python."""

import csv
import json
import shutil

import pytest

import mixroom


@pytest.fixture(scope="module")
def fitted(_tiny_world, tmp_path_factory):
    """Fitted once; tests explain copies."""
    out = tmp_path_factory.mktemp("fitted") / "run"
    mixroom.fit(sorted(_tiny_world.glob("silo-*.toml")), out, holdout_weeks=12, steps=5)
    return out


@pytest.fixture
def run(fitted, tmp_path):
    return shutil.copytree(fitted, tmp_path / "run")


def test_a_run_is_explained_in_sentences_tables_and_checks(terminal, run):
    seen = terminal("explain", run, "--weeks", "26")

    lines = seen.out.splitlines()
    assert (seen.code, lines[0]) == (0, "tv")
    assert lines[1].startswith("  Half of what a week of tv does comes within ")
    for title in (
        "what made the last period",
        "what changed since the period before",
        "silos beside each other",
    ):
        assert title in lines
    assert [line.split()[0] for line in lines[lines.index("health") + 1 :]][:2] == ["pass", "pass"]
    assert seen.out.isascii()
    assert "mixroom: today is the last 26 weeks, from " in seen.err


def test_json_and_python_say_the_same(terminal, run):
    told = json.loads(terminal("explain", run, "--json").out)
    found = mixroom.explain(run)

    assert told["format"] == "mixroom-explanation/1"
    assert [row["roi"]["value"] for row in told["channels"]] == [
        fact.roi.value for fact in found.told.channels
    ]
    assert told["sentences"]["tv"] == list(found.sentences("tv"))
    assert len(told["weeks"]) == 60
    for week in told["weeks"]:
        assert week["baseline"] + sum(week["contributions"]) == pytest.approx(week["outcome"])
    assert [check["name"] for check in told["checks"]] == [check.name for check in found.checks]


def test_one_channel_is_told_with_its_curve(terminal, run):
    seen = terminal("explain", run, "--channel", "search")

    assert seen.out.splitlines()[0] == "search"
    assert "at other spends" in seen.out
    assert "\ntv" not in seen.out


def test_an_unknown_channel_is_refused_before_anything_is_written(terminal, run, tmp_path):
    error, hint = terminal.refused("explain", run, "--channel", "serch", "--out", tmp_path / "told", code=1)

    assert error == "the run knows no channel 'serch'"
    assert hint.startswith("did you mean 'search'?")
    assert not (tmp_path / "told").exists()


def test_figures_and_tables_are_written(terminal, run, tmp_path):
    out = tmp_path / "told"
    terminal("plan", run, "--weeks", "26", "--out", run)

    terminal("explain", run, "--weeks", "26", "--out", out)

    names = {"curves", "weeks", "silos", "outcome", "last-period", "next-period"}
    assert {path.stem for path in out.glob("*.svg")} == names
    assert {path.stem for path in out.glob("*.csv")} == {*names, "channels"}
    with (out / "weeks.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            parts = float(row["Baseline"]) + float(row["tv"]) + float(row["search"])
            assert parts == pytest.approx(float(row["Outcome (EUR)"]))
    assert json.loads((out / "explanation.json").read_text(encoding="utf-8"))["plan"]["weeks"] == 26


def test_a_plan_kept_elsewhere_is_named(terminal, run, tmp_path):
    terminal("plan", run, "--by", "silo", "--total", "+10%", "--out", tmp_path / "plan")

    seen = terminal("explain", run, "--plan", tmp_path / "plan")
    error, hint = terminal.refused("explain", run, "--plan", tmp_path, code=1)

    assert "what the plan changes" in seen.out
    assert error == f"{tmp_path}/plan.json does not exist"
    assert hint == "make it again: mixroom plan RUN --out DIRECTORY"


def test_a_silo_explains_its_own_rows_by_the_runs_response(terminal, run, silos):
    own = json.loads(terminal("explain", run, "--silo", silos[0], "--json").out)
    (spend,) = {fact["spend"] for fact in own["channels"] if fact["channel"] == "tv"}

    parts = {(fact.part, fact.channel): fact for fact in mixroom.explain(run).told.parts}
    assert spend == pytest.approx(parts["silo-1", "tv"].spend)
    assert own["parts"] == []
    assert [item["what"] for item in own["absences"]] == ["what changed since the period before"]
    assert {check["name"] for check in own["checks"]} >= {"Saturation", "Carry-over"}


def test_bad_rows_are_listed(terminal, run, silos):
    silos[0].with_suffix(".csv").write_text("week,store\n", encoding="utf-8")

    seen = terminal("explain", run, "--silo", silos[0])

    assert (seen.out, seen.code) == ("", 1)
    assert "empty_file: the file has a header and no rows" in seen.err
    assert "error: 1 of 1 silo files have problems, listed above" in seen.err
    assert seen.err.endswith("then run the same command again\n")


def test_another_family_has_its_report_and_a_plain_refusal(terminal, silos, tmp_path):
    mixroom.fit(silos, tmp_path / "ridge", model="ridge", holdout_weeks=12)

    error, hint = terminal.refused("explain", tmp_path / "ridge", code=1)

    assert error == f"{tmp_path}/ridge/planning.json does not exist; there is nothing to plan from"
    assert hint == "fit or train again: every run of the neural family writes it"
    assert "What each channel does" not in (tmp_path / "ridge" / "report.html").read_text(encoding="utf-8")


def test_the_report_grows_with_the_run_and_its_plan(terminal, run):
    before = (run / "report.html").read_text(encoding="utf-8")
    terminal("plan", run, "--out", run)
    terminal("report", run)
    after = (run / "report.html").read_text(encoding="utf-8")

    assert "<h2>Week by week</h2>" in before
    assert "<h2>The plan</h2>" not in before
    assert "<h2>The plan</h2>" in after
