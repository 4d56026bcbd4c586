"""Models side by side on the command line."""

import json

import pytest

import mixroom
from mmm_models.peers.registry import FAMILIES


def test_another_model_is_fitted_and_shown_like_the_usual_one(terminal, silos, tmp_path):
    out = tmp_path / "run"

    seen = terminal("fit", *silos, "--out", out, "--model", "ridge", "--holdout-weeks", "12")

    assert seen.code == 0
    assert seen.out.splitlines()[0].split() == ["channel", "contribution", "share", "ROI", "marginal", "ROI"]
    assert seen.err.splitlines()[-1] == f"mixroom: the report: {out}/report.html"
    assert json.loads((out / "results.json").read_text(encoding="utf-8"))["model"] == "ridge"


def test_python_fits_another_model_to_the_same_numbers(terminal, silos, tmp_path):
    results = mixroom.fit(silos, tmp_path / "python", model="ridge", holdout_weeks=12)
    seen = terminal(
        "fit", *silos, "--out", tmp_path / "run", "--model", "ridge", "--holdout-weeks", "12", "--json"
    )

    assert [row["contribution"] for row in json.loads(seen.out)["channels"]] == [
        channel.contribution for channel in results.channels
    ]


@pytest.mark.parametrize("command", ["fit", "compare"])
def test_help_lists_every_model(terminal, command):
    text = "".join(terminal(command, "--help").out.split())  # names break at their dashes

    assert ",".join(FAMILIES) in text


def test_an_unknown_model_names_the_nearest_and_all_known(terminal, silos, tmp_path):
    known = ", ".join(FAMILIES)

    for arguments in (("fit", *silos), ("compare", "default")):
        error, hint = terminal.refused(*arguments, "--out", tmp_path / "run", "--model", "bosting", code=2)
        assert error == "there is no model 'bosting'; nothing was fitted"
        assert hint == f"did you mean boosting? known are {known}"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flags", "error", "hint"),
    [
        (["--synergy"], "--synergy needs --model neural", "leave it out, or leave --model out"),
        (
            ["--steps", "5", "--effect-waves", "2"],
            "--steps and --effect-waves need --model neural",
            "leave them out, or leave --model out",
        ),
        (["--lift", "lifts.toml"], "--lift needs --model neural", "leave it out, or leave --model out"),
    ],
)
def test_flags_of_the_neural_model_do_not_go_with_another(terminal, silos, tmp_path, flags, error, hint):
    found = terminal.refused("fit", *silos, "--out", tmp_path / "run", "--model", "ridge", *flags, code=2)

    assert found == (error, hint)


def test_a_country_without_a_calendar_is_refused(terminal, silos, tmp_path):
    seen = terminal("fit", *silos, "--out", tmp_path / "run", "--holidays", "Utopia")
    error, hint = seen.refusal

    assert (seen.code, seen.out) == (1, "")
    assert error == "no public holidays are known for 'Utopia'; nothing was fitted"
    assert hint == "use a two-letter country code (ISO 3166), such as DE or US"
