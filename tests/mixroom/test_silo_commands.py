"""`mixroom silo`: transcripts of what a data owner sees."""

import json

import pandas as pd
import pytest

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


def test_a_key_that_is_none_is_not_pinned(terminal, silos):
    error, _ = terminal.refused("silo", "pin", silos[1], "silo-1", "not a key", code=1)

    assert error.endswith("nothing was pinned")


def test_a_fresh_budget_is_whole(terminal, silos):
    text, stored = terminal("silo", "budget", silos[0]), terminal("silo", "budget", silos[0], "--json")

    assert text.out.splitlines()[0] == "silo-1: epsilon 0 of 20 spent in 0 runs"
    found = json.loads(stored.out)
    assert (found["lifetime_epsilon"], found["spent_epsilon"], found["charges"]) == (20.0, 0.0, [])
    assert found["left_epsilon"] == pytest.approx(20.0, rel=1e-6)
