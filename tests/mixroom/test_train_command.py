"""`mixroom train`: transcripts, from a good run to everything that stops one."""

import csv
import json
import re

import pytest
import typer

from mixroom.cli import app
from mixroom.errors import USAGE
from privacy.run_terms import PrivacyMode, SecureAggregation
from server.settings import OnFailure, Strategy

PRIVATE = ("--privacy", "local", "--epsilon", "8", "--delta", "1e-3")


def short(*more):
    return ("--rounds", "3", "--holdout-weeks", "12", *more)


def poison(silo):
    """Negative sales in one row of a silo's data."""
    path = silo.with_suffix(".csv")
    header, first, *rest = path.read_text(encoding="utf-8").splitlines()
    cells = first.split(",")
    cells[header.split(",").index("sales")] = "-1.0"
    path.write_text("\n".join([header, ",".join(cells), *rest]) + "\n", encoding="utf-8")


def test_results_go_to_stdout_and_rounds_to_stderr(terminal, silos, tmp_path):
    out = tmp_path / "run"

    seen = terminal("train", *silos, "--out", out, *short())

    assert seen.code == 0
    header, *rows = seen.out.splitlines()
    names = ["channel", "contribution", "interval", "share", "ROI", "interval", "marginal ROI", "interval"]
    assert re.split(r"  +", header) == names
    assert [row.split()[0] for row in rows] == ["tv", "search"]
    narration = seen.err.splitlines()
    assert all(line.startswith("mixroom: ") for line in narration)
    assert [line.split(",")[0] for line in narration[:3]] == [f"mixroom: round {n}/3" for n in (1, 2, 3)]
    assert "silos 3/3" in narration[0]
    assert narration[-1] == f"mixroom: the report: {out / 'report.html'}"


def test_json_prints_the_numbers_the_files_hold(terminal, silos, tmp_path):
    out = tmp_path / "run"

    printed = json.loads(terminal("train", *silos, "--out", out, *short("--json")).out)

    assert printed == {"run": str(out), **json.loads((out / "results.json").read_text(encoding="utf-8"))}
    with (out / "contributions.csv").open(newline="", encoding="utf-8") as file:
        stored = {row["channel"]: float(row["contribution"]) for row in csv.DictReader(file)}
    assert {row["channel"]: row["contribution"] for row in printed["channels"]} == stored


def test_a_pattern_the_shell_left_alone_is_followed(terminal, world, tmp_path):
    seen = terminal("train", world / "*.toml", "--out", tmp_path / "run", *short("--json"))

    assert seen.code == 0
    assert json.loads(seen.out)["units"] == 180


@pytest.mark.slow
def test_an_enclave_makes_no_difference_but_to_who_can_read(terminal, silos, tmp_path):
    """Roots are pinned and measurements compared on the way; nobody is asked for anything."""
    found = []
    for name, flags in (("inside", ("--enclave",)), ("outside", ())):
        seen = terminal("train", *silos, "--out", tmp_path / name, *short(*flags))
        found.append((seen.code, seen.out))

    assert found[0] == found[1]
    assert found[0][0] == 0
    box = json.loads((tmp_path / "inside" / "privacy.json").read_text(encoding="utf-8"))
    assert "in an emulated enclave that every silo checked" in box["secure_aggregation"]


def test_an_enclave_for_two_silos_is_wrong_usage(terminal, silos, tmp_path):
    error, hint = terminal.refused(
        "train", *silos[:2], "--out", tmp_path, "--enclave", "--secure-aggregation", "none", code=2
    )

    assert error == "--enclave needs at least 3 silos, 2 were named"
    assert "leave --enclave out" in hint


def test_privacy_is_charged_and_shown(terminal, silos, tmp_path):
    seen = terminal("train", *silos, "--out", tmp_path / "run", *short(*PRIVATE))

    assert seen.code == 0
    assert "epsilon 8 charged" in seen.err
    assert "loss" not in seen.err
    budget = json.loads(terminal("silo", "budget", silos[0], "--json").out)
    assert [charge["purpose"] for charge in budget["charges"]] == ["federated training"]


@pytest.mark.parametrize(
    ("flags", "error", "hint"),
    [
        (("--epsilon", "8"), "--epsilon needs noise", "add --privacy distributed or --privacy local"),
        (
            ("--epsilon", "8", "--delta", "1e-4"),
            "--epsilon and --delta need noise",
            "add --privacy distributed or --privacy local",
        ),
        (("--privacy", "local"), "--privacy local needs --epsilon and --delta", "--epsilon 8 --delta 1e-4"),
        (("--privacy", "local", "--delta", "1e-4"), "--privacy local needs --epsilon", "--epsilon 8"),
        (("--privacy", "local", "--epsilon", "8"), "--privacy local needs --delta", "--delta 1e-4"),
        (("--set", "clip-norm"), "--set clip-norm is not KEY=VALUE", "--set clip-norm=2"),
        (("--set", "epsilon=8"), "--set epsilon has a flag of its own", "use --epsilon"),
        (("--set", "clip-norn=8"), "there is no setting clip-norn", "did you mean clip-norm?"),
        (
            ("--strategy", "adam"),
            "'adam' is not one of 'auto', 'newton', 'fedadam', 'fedavg', 'fedprox'",
            "mixroom train --help",
        ),
        (("--rounds", "-1"), "-1 is not in the range x>=0", "mixroom train --help"),
    ],
)
def test_flags_that_do_not_go_together_name_the_right_one(terminal, silos, tmp_path, flags, error, hint):
    said = terminal.refused("train", *silos, "--out", tmp_path / "run", *flags, code=USAGE)

    assert error in said[0]
    assert hint in said[1]
    assert not (tmp_path / "run").exists()


def test_two_silos_cannot_hide_in_a_sum(terminal, silos, tmp_path):
    error, hint = terminal.refused("train", *silos[:2], "--out", tmp_path / "run", code=USAGE)

    assert error == "--secure-aggregation masks needs at least 3 silos, 2 were named"
    assert "--secure-aggregation none" in hint


def test_two_silos_train_in_clear(terminal, silos, tmp_path):
    for silo in silos:
        text = silo.read_text(encoding="utf-8")
        silo.write_text(text.replace("[privacy]\n", "[privacy]\nmin_silos = 2\n"), encoding="utf-8")

    seen = terminal("train", *silos[:2], "--out", tmp_path / "run", *short("--secure-aggregation", "none"))

    assert seen.code == 0


@pytest.mark.parametrize(
    ("named", "error"),
    [
        ("nowhere/*.toml", "no file matches nowhere/*.toml"),
        ("nowhere.toml", "silo file nowhere.toml does not exist"),
    ],
)
def test_silo_files_that_are_not_there_are_named(terminal, tmp_path, named, error):
    assert terminal.refused("train", named, "--out", tmp_path / "run", code=USAGE)[0] == error


def test_a_silo_file_named_twice_is_refused(terminal, silos, tmp_path):
    error, _ = terminal.refused("train", *silos, silos[0], "--out", tmp_path / "run", code=USAGE)

    assert error == f"{silos[0]} is named twice"


def test_two_silos_of_one_name_are_refused(terminal, silos, tmp_path):
    text = silos[1].read_text(encoding="utf-8")
    silos[1].write_text(text.replace('silo = "silo-2"', 'silo = "silo-1"'), encoding="utf-8")

    error, hint = terminal.refused("train", *silos, "--out", tmp_path / "run", code=1)

    assert "silo-1" in error
    assert "silo = " in hint


def test_an_output_that_is_a_file_is_refused_before_any_work(terminal, silos, tmp_path):
    (tmp_path / "run").write_text("notes", encoding="utf-8")

    error, _ = terminal.refused("train", *silos, "--out", tmp_path / "run", code=USAGE)

    assert error == f"--out {tmp_path / 'run'} is a file"


def test_a_run_is_never_overwritten(terminal, silos, tmp_path):
    terminal("train", *silos, "--out", tmp_path / "run", *short())
    before = (tmp_path / "run" / "results.json").read_bytes()

    error, hint = terminal.refused("train", *silos, "--out", tmp_path / "run", *short(), code=1)

    assert error == f"{tmp_path / 'run'} already holds a run; nothing was changed"
    assert "--resume" in hint
    assert (tmp_path / "run" / "results.json").read_bytes() == before


def test_there_is_nothing_to_resume_in_an_empty_directory(terminal, silos, tmp_path):
    error, hint = terminal.refused("train", *silos, "--out", tmp_path / "run", "--resume", code=1)

    assert error == f"{tmp_path / 'run'} holds no run to resume"
    assert hint == "leave --resume out to start one there"


def test_resuming_with_other_settings_names_them(terminal, silos, tmp_path):
    terminal("train", *silos, "--out", tmp_path / "run", *short())

    error, _ = terminal.refused(
        "train", *silos, "--out", tmp_path / "run", "--rounds", "9", "--resume", code=1
    )

    assert "holdout-weeks, rounds" in error


def test_bad_data_of_every_silo_are_shown_before_the_error(terminal, silos, tmp_path):
    for silo in silos[:2]:
        poison(silo)

    seen = terminal("train", *silos, "--out", tmp_path / "run", *short())

    assert (seen.out, seen.code) == ("", 1)
    assert seen.err.count("negative_outcome [sales] (1 row): ") == 2
    error, hint = seen.refusal
    assert error == f"2 of 3 silo files have problems, listed above: {silos[0]}, {silos[1]}"
    assert hint.endswith("then run the same command with --resume")


def test_repaired_data_continue_the_run(terminal, silos, tmp_path):
    good = silos[0].with_suffix(".csv").read_bytes()
    poison(silos[0])
    failed = terminal("train", *silos, "--out", tmp_path / "run", *short())
    silos[0].with_suffix(".csv").write_bytes(good)

    seen = terminal("train", *silos, "--out", tmp_path / "run", *short("--resume"))

    assert (failed.code, seen.code) == (1, 0)


def test_an_exhausted_ledger_refuses_with_the_missing_amount_and_leaves_no_run(terminal, silos, tmp_path):
    greedy = ("--privacy", "local", "--epsilon", "30", "--delta", "1e-4")

    seen = terminal("train", *silos, "--out", tmp_path / "run", *short(*greedy))
    affordable = terminal("train", *silos, "--out", tmp_path / "run", *short(*PRIVATE))

    assert seen.code == 1
    error, hint = seen.refusal
    assert error.startswith("silo-1 does not take part: BudgetExhausted: ")
    assert "10 above the lifetime limit of 20; nothing was charged and no data were read" in error
    assert hint.startswith("a run of at most epsilon 19.99")
    assert affordable.code == 0
    assert len(json.loads(terminal("silo", "budget", silos[1], "--json").out)["charges"]) == 1


def test_ctrl_c_says_how_to_go_on_and_resuming_finishes(terminal, silos, tmp_path, monkeypatch):
    import server.conduct

    narrator, rounds = server.conduct._Narrator.__call__, []

    def interrupt_after_two(self, metrics):
        narrator(self, metrics)
        rounds.append(metrics.round)
        if rounds == [1, 2]:
            raise KeyboardInterrupt

    monkeypatch.setattr(server.conduct._Narrator, "__call__", interrupt_after_two)
    command = ("train", *silos, "--out", tmp_path / "run", *short())

    seen = terminal(*command)
    hint = seen.refusal[1]
    resumed = terminal(*hint.removeprefix("mixroom ").split())

    assert (seen.out, seen.code) == ("", 130)
    assert seen.refusal[0] == "interrupted; finished rounds are kept"
    assert hint == " ".join(["mixroom", *map(str, command), "--resume"])
    assert (resumed.code, rounds) == (0, [1, 2, 3])


def test_a_silo_left_out_of_rounds_is_named_at_the_end(terminal, world, tmp_path):
    """Four silos, so that the sum goes on without one; its own words reach the operator."""
    fourth = world / "silo-4.toml"
    text = (world / "silo-3.toml").read_text(encoding="utf-8")
    fourth.write_text(text.replace("silo-3", "silo-4"), encoding="utf-8")
    (world / "silo-4.csv").write_bytes((world / "silo-3.csv").read_bytes())
    poison(fourth)

    seen = terminal("train", *sorted(world.glob("*.toml")), "--out", tmp_path / "run", *short())

    assert seen.code == 0
    told = [line for line in seen.err.splitlines() if line.startswith("mixroom: silo-4 was left out of ")]
    assert len(told) == 1
    assert "negative_outcome in sales" in told[0]


def test_one_silo_alone_needs_no_masks(terminal, silos, tmp_path):
    text = silos[0].read_text(encoding="utf-8")
    silos[0].write_text(text.replace("[privacy]\n", "[privacy]\nmin_silos = 2\n"), encoding="utf-8")

    seen = terminal("train", silos[0], "--out", tmp_path / "run", *short())

    assert seen.code == 0
    assert seen.err.splitlines()[0] == "mixroom: one silo: its sums need no masks"


def test_choices_of_the_flags_are_those_of_the_packages():
    parameters = {p.name: p for p in typer.main.get_group(app).commands["train"].params}
    kinds = {
        "privacy": PrivacyMode,
        "secure_aggregation": SecureAggregation,
        "strategy": Strategy,
        "on_failure": OnFailure,
    }

    offered = {name: set(getattr(parameters[name].type, "choices", ())) for name in kinds}
    assert offered == {name: {item.value for item in kind} for name, kind in kinds.items()}
