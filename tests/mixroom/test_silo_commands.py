"""`mixroom silo`: transcripts of what a data owner sees."""

import base64
import json
import math
import re
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from clients.silo_home import SiloHome
from mmm_models.intake.silo_file import read_silo_spec
from privacy.accountant import GaussianEvent
from privacy.ledger.budget_ledger import Ledger

SUMMARY = "silo silo-1: 60 units x 60 weeks (2024-01-01 to 2025-02-17), 100.0% observed"


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_good_silo_is_summed_up_on_stdout(terminal, silos):
    seen = terminal("silo", "check", silos[0])

    assert (seen.err, seen.code) == ("", 0)
    lines = seen.out.splitlines()
    assert lines[0].startswith(f"{silos[0]}: 0 problems, ")
    assert lines[1].strip() == SUMMARY
    assert lines[2].strip() == "channels: tv, search"


def test_all_problems_come_in_one_pass_with_column_rows_and_examples(terminal, silos):
    frame = pd.read_csv(silos[0].with_suffix(".csv"))
    frame["tv_spend"] = frame["tv_spend"].astype(object)
    frame.loc[3, "tv_spend"] = -5.0
    frame.loc[4, "tv_spend"] = "n.a. soon"
    frame["week"] = frame["week"].astype(str)
    frame.loc[7, "week"] = "someday"
    frame.to_csv(silos[0].with_suffix(".csv"), index=False)
    edit(silos[0], 'spend = "search_spend"', 'spend = "serach_spend"')

    seen = terminal("silo", "check", silos[0])

    assert seen.code == 1
    assert "missing_column [serach_spend]: " in seen.out
    assert "unparsable_date [week] (1 row): " in seen.out
    assert "row 9: someday" in seen.out
    assert "text_value [tv_spend] (1 row): " in seen.out
    assert seen.refusal[0].startswith(f"{silos[0]} has ")
    assert len(seen.err.splitlines()) == 2


def test_json_holds_the_same_findings_as_the_text(terminal, silos):
    edit(silos[0], 'outcome = "sales"', 'outcome = "turnover"')

    seen = terminal("silo", "check", silos[0], "--json")

    report = json.loads(seen.out)
    assert (report["ok"], report["silo"], seen.code) == (False, "silo-1", 1)
    assert [(item["code"], item["column"]) for item in report["problems"]] == [("missing_column", "turnover")]


def test_a_file_that_is_no_toml_is_a_finding(terminal, silos):
    silos[0].write_text("silo = north\n", encoding="utf-8")

    seen = terminal("silo", "check", silos[0])

    assert seen.code == 1
    assert "silo_file: " in seen.out
    assert "is not valid TOML" in seen.out


def test_data_that_are_missing_are_a_finding(terminal, silos):
    silos[0].with_suffix(".csv").unlink()

    seen = terminal("silo", "check", silos[0])

    assert seen.code == 1
    assert "file_not_found" in seen.out


@pytest.mark.parametrize("command", ["check", "key", "budget"])
def test_a_missing_silo_file_names_the_nearest(terminal, world, command):
    error, hint = terminal.refused("silo", command, world / "silo1.toml", code=2)

    assert error == f"silo file {world / 'silo1.toml'} does not exist"
    assert hint == f"did you mean {world / 'silo-1.toml'}?"


def test_a_directory_is_answered_with_its_files(terminal, world):
    assert terminal.refused("silo", "check", world, code=2) == (
        f"{world} is a directory",
        f"name its silo files: {world}/*.toml",
    )


def test_a_table_is_answered_with_the_silo_file(terminal, world):
    error, hint = terminal.refused("silo", "check", world / "silo-1.csv", code=2)

    assert error == f"{world / 'silo-1.csv'} is data, not a silo file"
    assert "TOML" in hint


def test_a_key_is_shown_and_can_be_pinned_by_another_silo(terminal, silos):
    shown = terminal("silo", "key", silos[0])
    name, public_key = shown.out.strip().split(" = ")

    pinned = terminal("silo", "pin", silos[1], "silo-1", json.loads(public_key))

    assert (json.loads(name), shown.code) == ("silo-1", 0)
    assert shown.err.startswith("mixroom: fingerprint SHA256:")
    assert (pinned.out, pinned.err, pinned.code) == ("", "mixroom: silo-2 now trusts the key of silo-1\n", 0)
    assert json.loads(terminal("silo", "key", silos[0], "--json").out)["public_key"] == json.loads(public_key)


def test_a_coordinators_root_is_shown_and_can_be_pinned_by_a_silo(terminal, silos, tmp_path):
    shown = terminal("enclave", "root", "--home", tmp_path / "enclave")
    as_json = json.loads(terminal("enclave", "root", "--home", tmp_path / "enclave", "--json").out)

    pinned = terminal("silo", "pin-enclave", silos[1], shown.out.strip())

    assert (shown.code, shown.out.strip()) == (0, as_json["root"])
    assert as_json["fingerprint"] in shown.err
    assert as_json["measurement"] in shown.err
    assert pinned.err.startswith("mixroom: silo-2 now trusts enclaves under an emulated root")
    assert pinned.err.endswith(f": {as_json['fingerprint']}\n")
    assert SiloHome.of(read_silo_spec(silos[1])).enclave_roots == (base64.b64decode(as_json["root"]),)


@pytest.mark.parametrize("root, code", [("no base64?", 2), ("AAAA", 1)])
def test_a_root_that_is_none_is_not_pinned(terminal, silos, root, code):
    error, _ = terminal.refused("silo", "pin-enclave", silos[1], root, code=code)

    assert error.endswith("nothing was pinned")
    assert SiloHome.of(read_silo_spec(silos[1])).enclave_roots == ()


def test_a_key_that_is_none_is_not_pinned(terminal, silos):
    error, _ = terminal.refused("silo", "pin", silos[1], "silo-1", "not a key", code=1)

    assert error.endswith("nothing was pinned")


def test_a_fresh_budget_is_whole(terminal, silos):
    text, stored = terminal("silo", "budget", silos[0]), terminal("silo", "budget", silos[0], "--json")

    assert (text.err, text.code) == ("", 0)
    assert text.out.splitlines() == [
        "silo-1: epsilon 0 of 20 spent in 0 runs",
        "left: nothing is spent; one run of epsilon 20 would use it up",
        "at delta 0.0001, for one unit's whole series added or removed; for one replaced, epsilon 0 is spent",
    ]
    found = json.loads(stored.out)
    assert (found["lifetime_epsilon"], found["spent_epsilon"], found["charges"]) == (20.0, 0.0, [])
    assert (found["left_epsilon"], found["runs_like_last"]) == (pytest.approx(20.0, rel=1e-6), None)


STARTED = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
HALF = (GaussianEvent(20.0, 100),)  # mu: sqrt(100) / 20 = 1/2


def charge(silo_file, *runs, **what):
    """Charge runs as a client does, all at the same moment."""
    home = SiloHome.of(read_silo_spec(silo_file))
    _ = home.ledger  # with its marker
    place = home.directory / "ledger.jsonl"
    ledger = Ledger.open(place, limit=home.limit, witness=home.ledger_witness, clock=lambda: STARTED)
    for run in runs:
        ledger.charge(run, "federated training", HALF, **what)


def test_the_budget_says_what_was_spent_on_what_and_what_is_left_in_plain_words(terminal, silos):
    """Epsilons by Balle and Wang's formula at delta 1e-4: mu 1/2, sqrt(1/2) and, replacing one, twice that.

    A limit of epsilon 20 is one of mu^2; what two runs of 1/4 leave of it holds so many more.
    """
    charge(silos[0], "run-a", mode="local", model="marketing mix model")
    charge(silos[0], "run-b", mode="distributed", model="marketing mix model")

    seen = terminal("silo", "budget", silos[0])

    one, two = (f"{epsilon(mu):.3g}" for mu in (0.5, math.sqrt(0.5)))
    one_replaced, two_replaced = (f"{epsilon(2 * mu):.3g}" for mu in (0.5, math.sqrt(0.5)))
    runs = int((mu_of(20.0) ** 2 - 0.5) / 0.25)
    lines = seen.out.splitlines()
    assert lines[:4] == [
        f"silo-1: epsilon {two} of 20 spent in 2 runs",
        f"left: about {runs} more runs like the last",
        "at delta 0.0001, for one unit's whole series added or removed; "
        f"for one replaced, epsilon {two_replaced} is spent",
        "",
    ]
    cells = [re.split(r"  +", line.strip()) for line in lines[4:]]
    what = "federated training: marketing mix model"
    assert cells == [
        ["started (UTC)", "run", "mode", "for", "epsilon", "replace one", "spent after"],
        ["2026-01-05 09:30", "run-a", "local", what, one, one_replaced, one],
        ["2026-01-05 09:30", "run-b", "distributed", what, one, one_replaced, two],
    ]
    assert (seen.err, seen.code) == ("", 0)


def test_the_budget_as_json_holds_the_same(terminal, silos):
    charge(silos[0], "run-a", "run-b", mode="distributed", model="marketing mix model")

    found = json.loads(terminal("silo", "budget", silos[0], "--json").out)

    assert found["left_in_words"] == f"about {found['runs_like_last']} more runs like the last"
    assert found["spent_epsilon"] == pytest.approx(epsilon(math.sqrt(0.5)), rel=1e-6)
    assert found["spent_epsilon_replace_one"] == pytest.approx(epsilon(math.sqrt(2.0)), rel=1e-6)
    assert found["charges"][1] == {
        "charged_at": "2026-01-05T09:30:00+00:00",
        "run_id": "run-b",
        "mode": "distributed",
        "purpose": "federated training",
        "model": "marketing mix model",
        "epsilon": pytest.approx(epsilon(0.5), rel=1e-6),
        "epsilon_replace_one": pytest.approx(epsilon(1.0), rel=1e-6),
        "spent_epsilon_after": pytest.approx(epsilon(math.sqrt(0.5)), rel=1e-6),
    }


def test_a_budget_restored_from_an_old_backup_is_refused_and_the_evidence_named(terminal, silos):
    charge(silos[0], "run-a")
    ledger = SiloHome.of(read_silo_spec(silos[0])).directory / "ledger.jsonl"
    older = ledger.read_bytes()
    charge(silos[0], "run-b")
    ledger.write_bytes(older)

    error, hint = terminal.refused("silo", "budget", silos[0], code=1)

    note, words = error.split(": ", 1)
    assert json.loads(Path(note).read_text(encoding="utf-8"))["charges"] == 2
    assert words.startswith("the privacy ledger was rolled back or replaced: it lacks at least 1 charge ")
    assert hint.startswith("restore the newest copy")


def test_a_ledger_that_is_new_to_this_machine_is_said_to_be(terminal, silos):
    charge(silos[0], "run-a")
    for note in SiloHome.of(read_silo_spec(silos[0])).ledger_witness.files:
        note.unlink()

    first, second = terminal("silo", "budget", silos[0]), terminal("silo", "budget", silos[0])

    assert first.err.startswith("mixroom: silo-1's ledger was not known here before; ")
    assert (second.err, second.out) == ("", first.out)


def epsilon(mu, delta=1e-4):
    """Balle and Wang 2018, Theorem 8, by scipy alone."""
    return brentq(
        lambda e: norm.cdf(mu / 2 - e / mu) - math.exp(e) * norm.cdf(-mu / 2 - e / mu) - delta, 0.0, 100.0
    )


def mu_of(target):
    return brentq(lambda mu: epsilon(mu) - target, 0.1, 8.0)
