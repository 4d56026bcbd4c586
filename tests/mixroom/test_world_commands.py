"""`mixroom world`, `compare`, `demo`, `fit` and `report`: transcripts."""

import csv
import json
import re
from functools import partial

import pytest

import simulations.room_demo
import simulations.scenario
from mixroom.errors import USAGE
from mmm_models.reporting.result_files import read_results
from simulations import comparison, comparison_settings
from simulations.room_story import RoomStory

WITHOUT_NOISE = ["centralised", "each silo alone", "federated", "+ secure aggregation", "+ Newton's method"]


def test_a_world_prints_its_silo_files_and_names_the_next_command(terminal, tiny_scenario, tmp_path):
    seen = terminal("world", tiny_scenario, "--out", tmp_path / "w")

    assert seen.code == 0
    assert seen.out.splitlines() == [str(tmp_path / "w" / f"silo-{n}.toml") for n in (1, 2, 3)]
    assert seen.err.splitlines() == [
        f"mixroom: the truth is in {tmp_path / 'w' / 'truth' / 'truth.json'}",
        f"mixroom: next: mixroom train {tmp_path / 'w'}/*.toml --out runs/first",
    ]


def test_a_worlds_json_is_its_truth_file(terminal, tiny_scenario, tmp_path):
    printed = json.loads(terminal("world", tiny_scenario, "--out", tmp_path / "w", "--json").out)

    with open(printed["truth"], encoding="utf-8") as file:
        assert printed["channels"] == json.load(file)["channels"]


def test_another_seed_is_another_world(terminal, tiny_scenario, tmp_path):
    for seed in (1, 2):
        terminal("world", tiny_scenario, "--out", tmp_path / str(seed), "--seed", seed)

    assert (tmp_path / "1" / "silo-1.csv").read_bytes() != (tmp_path / "2" / "silo-1.csv").read_bytes()


def test_a_world_does_not_overwrite_other_files(terminal, tiny_scenario, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")

    seen = terminal("world", tiny_scenario, "--out", tmp_path)

    assert seen.code == 1
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "years of work"
    assert not list(tmp_path.glob("*.toml"))


@pytest.mark.parametrize("command", ["world", "compare"])
def test_an_unknown_scenario_names_the_known_ones(terminal, tmp_path, command):
    error, hint = terminal.refused(command, "nowhere", "--out", tmp_path / "w", code=1)

    assert error == "no scenario 'nowhere'"
    assert (
        hint
        == "give a TOML file or one of: default, demo, everything, geo, national, papers-monthly, papers-weekly"
    )


def test_a_broken_scenario_names_every_problem(terminal, tiny_scenario, tmp_path):
    text = tiny_scenario.read_text(encoding="utf-8")
    broken = tmp_path / "broken.toml"
    broken.write_text(text.replace("weeks = 60", "weeks = 6").replace("seed", "sead"), encoding="utf-8")

    error, hint = terminal.refused("world", broken, "--out", tmp_path / "w", code=1)

    assert "weeks" in error
    assert "sead" in error
    assert "docs/worlds.md" in hint


@pytest.mark.slow
def test_a_comparison_prints_every_arm_as_its_file_holds_it(terminal, tiny_scenario, tmp_path):
    out = tmp_path / "c"
    seen = terminal("compare", tiny_scenario, "--out", out, "--rounds", "3", "--json")

    printed = json.loads(seen.out)
    assert seen.code == 0
    noised = ["+ local noise, ε 8", "+ distributed noise, ε 8"]
    assert [arm["name"] for arm in printed["arms"]] == WITHOUT_NOISE + noised
    stored = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert printed["arms"] == stored["arms"]
    with (out / "comparison.csv").open(newline="", encoding="utf-8") as file:
        table = {row["name"]: row["share_error_points"] for row in csv.DictReader(file)}
    assert table == {arm["name"]: text(arm["share_error_points"]) for arm in printed["arms"]}
    assert "mixroom: training: distributed-epsilon-8 (3 rounds)" in seen.err.splitlines()
    assert seen.err.splitlines()[-1] == f"mixroom: the report: {out / 'report.html'}"
    error, _ = terminal.refused("compare", tiny_scenario, "--out", out, code=1)
    assert error == f"{out} already holds a comparison; nothing was changed"


def text(number):
    """A number as CSV has it; what is not one is an empty cell."""
    return "" if number is None else str(number)


@pytest.mark.slow
def test_several_epsilons_are_told_in_a_table_and_a_sentence(terminal, tiny_scenario, tmp_path):
    """Of 180 stores, noise at epsilon 0.3 leaves nothing, whoever adds it."""
    out = tmp_path / "c"
    flags = (
        "--epsilon",
        "19",
        "--epsilon",
        "0.3",
        "--privacy",
        "none",
        "--privacy",
        "distributed",
        "--repeat",
        "2",
    )

    seen = terminal("compare", tiny_scenario, "--out", out, "--rounds", "2", *flags)

    assert seen.code == 0
    *_, at_19, at_03 = seen.out.splitlines()
    assert re.match(r"\+ distributed noise, ε 19 \(mean of 2\) +0\.", at_19)
    assert " ".join(at_03.split()) == "+ distributed noise, ε 0.3 no model - - - - 0.3 - -"
    assert "mixroom: At ε 0.3 distributed noise leaves no model; at ε 19 distributed noise costs" in seen.err
    assert sorted(path.name for path in (out / "runs").iterdir()) == [
        *(f"distributed-epsilon-{name}-run-{run}" for name in ("0.3", "19") for run in (1, 2)),
        "federated",
        "federated-secure",
        "federated-secure-newton",
    ]


@pytest.mark.slow
def test_a_comparison_without_noise_shows_the_masked_run(terminal, tiny_scenario, tmp_path):
    out = tmp_path / "c"

    seen = terminal("compare", tiny_scenario, "--out", out, "--rounds", "2", "--privacy", "none")

    assert [line.split("  ")[0] for line in seen.out.splitlines()[1:]] == WITHOUT_NOISE
    assert read_results(out) == read_results(out / "runs" / "federated-secure-newton")
    assert not (out / "silos").exists()


def test_a_comparison_that_was_interrupted_is_not_mixed_with_a_new_one(terminal, tiny_scenario, tmp_path):
    (tmp_path / "c" / "runs").mkdir(parents=True)

    error, hint = terminal.refused("compare", tiny_scenario, "--out", tmp_path / "c", code=USAGE)

    assert "not finished" in error
    assert hint == "choose another --out, or delete it"


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (("--epsilon", "0"), "epsilon 0 with delta 0.0001 cannot be met"),
        (("--epsilon", "8", "--delta", "1"), "epsilon 8 with delta 1 cannot be met"),
        (("--epsilon", "1", "--epsilon", "1.0"), "epsilon 1 is named twice"),
        (("--privacy", "local", "--privacy", "local"), "privacy local is named twice"),
        (("--privacy", "none", "--epsilon", "1"), "--epsilon and --repeat need noise"),
        (("--repeat", "0"), "0 runs of each noise"),
        (
            ("--privacy", "secret"),
            "Invalid value for '--privacy': 'secret' is not one of 'none', 'central', 'local', 'distributed'.",
        ),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused_before_any_work(
    terminal, tiny_scenario, tmp_path, flags, error
):
    refused, hint = terminal.refused("compare", tiny_scenario, "--out", tmp_path / "c", *flags, code=USAGE)

    assert refused == error
    assert hint
    assert not (tmp_path / "c").exists()


def _short_room_story(directory, spec, *, say, show):
    """The clean room's chapter without a room; the real one has tests of its own."""
    say(f"a room in {directory}, seed {spec.seed}")
    return RoomStory(directory, spec.seed, "told", ())


@pytest.mark.slow
def test_the_demo_ends_with_the_report_and_the_next_command(terminal, tiny_scenario, tmp_path, monkeypatch):
    """The demo's own code on a tiny world; the real one takes a minute."""
    load = simulations.scenario.load_scenario
    monkeypatch.setattr(
        simulations.scenario, "load_scenario", lambda name, seed: load(str(tiny_scenario), seed=seed)
    )
    usual = comparison_settings.ComparisonSettings
    monkeypatch.setattr(comparison_settings, "ComparisonSettings", partial(usual, rounds=3))
    monkeypatch.setattr(simulations.room_demo, "run_room_demo", _short_room_story)
    out = tmp_path / "demo"

    seen = terminal("demo", "--out", out)

    assert seen.code == 0
    assert seen.out.splitlines()[1].startswith("centralised  ")
    names = [line.split("  ")[0] for line in seen.out.splitlines()[1:]]
    assert names == [*WITHOUT_NOISE, "+ distributed noise, ε 2"]
    assert seen.err.splitlines()[-5:] == [
        f"mixroom: the report: {out / 'report.html'}",
        "mixroom: next chapter, the clean room: three partners measure one campaign",
        f"mixroom: a room in {out / 'room'}, seed 1",
        f"mixroom: the clean room's report: {out / 'room' / 'room.html'}",
        f"mixroom: next, your own data: mixroom silo check FILE (examples in {out}/world, docs/data-format.md)",
    ]
    assert (out / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_demo_leaves_other_peoples_files_alone(terminal, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")

    error, hint = terminal.refused("demo", "--out", tmp_path, code=1)

    assert error == f"{tmp_path} holds files that no demo wrote; nothing was changed"
    assert hint == "choose another --out"


def test_a_fit_prints_the_numbers_its_files_hold(terminal, silos, tmp_path):
    out = tmp_path / "fit"
    seen = terminal("fit", *silos, "--out", out, "--steps", "3", "--holdout-weeks", "12", "--json")

    printed, stored = json.loads(seen.out), read_results(out)
    assert (seen.code, seen.err) == (0, "mixroom: fitting 180 units, 60 weeks, 2 channels\n")
    assert printed["run"] == str(out)
    assert [row["contribution"] for row in printed["channels"]] == [c.contribution for c in stored.channels]
    assert printed["holdout"]["nrmse"] == stored.holdout.nrmse
    error, hint = terminal.refused("fit", *silos, "--out", out, code=1)
    assert error.startswith(f"{out} already holds")
    assert hint.startswith("choose another --out")


def test_a_fit_without_held_out_weeks_claims_no_fit(terminal, silos, tmp_path):
    seen = terminal("fit", silos[0], "--out", tmp_path / "fit", "--steps", "3", "--holdout-weeks", "0")

    assert seen.code == 0
    assert "hold-out" not in seen.err


def test_a_fit_on_bad_data_prints_the_report_of_every_bad_file(terminal, silos, tmp_path):
    for silo in silos[:2]:
        text = silo.read_text(encoding="utf-8")
        silo.write_text(text.replace('outcome = "sales"', 'outcome = "turnover"'), encoding="utf-8")

    seen = terminal("fit", *silos, "--out", tmp_path / "fit")

    assert (seen.out, seen.code) == ("", 1)
    assert seen.err.count("missing_column [turnover]") == 2
    assert seen.refusal[0] == f"2 of 3 silo files have problems, listed above: {silos[0]}, {silos[1]}"
    assert not (tmp_path / "fit").exists()


def test_a_report_is_written_again_from_the_files(terminal, silos, tmp_path):
    out = tmp_path / "fit"
    terminal("fit", *silos, "--out", out, "--steps", "3")
    before = (out / "report.html").read_bytes()
    (out / "report.html").unlink()

    seen = terminal("report", out)

    assert (seen.out, seen.err, seen.code) == (f"{out / 'report.html'}\n", "", 0)
    assert (out / "report.html").read_bytes() == before
    printed = json.loads(terminal("report", out, "--json").out)
    assert printed["report"] == str(out / "report.html")
    assert printed["outcome"] == read_results(out).outcome


def test_a_report_needs_results(terminal, tmp_path):
    error, _ = terminal.refused("report", tmp_path, code=1)

    assert error == f"{tmp_path} holds no results.json"


def test_damaged_results_are_not_reported(terminal, silos, tmp_path):
    terminal("fit", silos[0], "--out", tmp_path / "fit", "--steps", "3")
    (tmp_path / "fit" / "results.json").write_text('{"format": "mixroom-re', encoding="utf-8")

    error, _ = terminal.refused("report", tmp_path / "fit", code=1)

    assert "results.json" in error


@pytest.mark.parametrize(("command", "first"), [("compare", "delete {out}, then "), ("demo", "")])
def test_ctrl_c_in_a_comparison_says_how_to_go_on(
    terminal, tiny_scenario, tmp_path, monkeypatch, command, first
):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(comparison, "make_world", interrupted)
    out = tmp_path / "c"
    arguments = (command, tiny_scenario) if command == "compare" else (command,)

    said = terminal(*arguments, "--out", out)

    assert said.code == 130
    assert said.refusal == (
        "interrupted; there is no comparison yet",
        first.format(out=out) + "run the same command again",
    )
