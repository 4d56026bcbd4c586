"""`mixroom uplift` and `mixroom fit --lift` as people use them."""

import json

import numpy as np
import pandas as pd
import pytest

TRIAL = ("uplift", "trial.csv", "--treatment", "treated", "--outcome", "spend", "--covariate", "visits")
SCOPE = ("--channel", "social", "--start", "2024-03-04", "--end", "2024-03-31", "--people", "10000")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A trial whose treatment adds 2 to what everybody spends."""
    rng = np.random.default_rng(0)
    treated, visits = rng.integers(0, 2, 1000), rng.standard_normal(1000)
    spend = 5 * visits + 2 * treated + rng.standard_normal(1000)
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"treated": treated, "spend": spend, "visits": visits}).to_csv("trial.csv", index=False)
    return tmp_path


def test_a_trial_is_told_as_a_table_and_as_json(terminal, here):
    told = terminal(*TRIAL)
    data = json.loads(terminal(*TRIAL, "--json").out)

    assert [line.split("  ")[0] for line in told.out.splitlines()] == [
        "",
        "average",
        "without covariates",
        "gain of ranking (Qini)",
    ]
    assert "balance of covariates: p = " in told.err
    assert abs(data["average"]["effect"] - 2) < 4 * data["average"]["standard_error"]
    assert data["treated"] + data["control"] == 1000


def test_its_lift_is_added_to_a_lift_file(terminal, here):
    seen = terminal(*TRIAL, "--lift-file", "lifts.toml", *SCOPE, "--json")

    import tomllib

    (entry,) = tomllib.loads((here / "lifts.toml").read_text(encoding="utf-8"))["lift"]
    assert (entry["channel"], str(entry["end"]), entry["source"]) == (
        "social",
        "2024-03-31",
        "trial trial.csv",
    )
    assert entry["lift"] == pytest.approx(10_000 * json.loads(seen.out)["average"]["effect"])


def test_a_lift_file_needs_its_scope_before_anything_is_read(terminal, here):
    error, hint = terminal.refused(*TRIAL, "--lift-file", "lifts.toml", *SCOPE[:4], code=2)

    assert error == "--lift-file needs --channel, --start, --end and --people"
    assert "per person" in hint


def test_an_unknown_column_is_refused(terminal, here):
    error, hint = terminal.refused(*TRIAL[:3], "treatd", *TRIAL[4:], code=1)

    assert error == "there is no column 'treatd'; did you mean 'treated'?"
    assert hint == "columns are treated, spend, visits"


def test_a_fit_names_every_mistake_of_its_lift_file(terminal, silos, tmp_path):
    (tmp_path / "lifts.toml").write_text('[[lift]]\nchannel = "tv"\nlift = 1.0\n', encoding="utf-8")

    error, hint = terminal.refused(
        "fit", *silos, "--out", tmp_path / "run", "--lift", tmp_path / "lifts.toml", code=1
    )

    assert error.endswith(
        "3 problems: lift 1 (tv): start is missing; lift 1 (tv): end is missing; "
        "lift 1 (tv): standard_error is missing"
    )
    assert "docs/experiments.md" in hint
