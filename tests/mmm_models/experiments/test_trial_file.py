"""A trial's table is read, every problem of it named at once."""

import numpy as np
import pandas as pd
import pytest

from mmm_models.experiments.lift_errors import TrialInvalid
from mmm_models.experiments.trial_file import TrialColumns, read_trial

COLUMNS = TrialColumns("treated", "spend", ("visits", "region"), "region")


def frame(people=200):
    number = np.arange(people)
    return pd.DataFrame(
        {
            "treated": number % 2,
            "spend": number * 0.5,
            "visits": number % 7,
            "region": np.where(number % 3, "north", "south"),
        }
    )


@pytest.fixture(params=["csv", "parquet"])
def written(request, tmp_path):
    def write(table):
        path = tmp_path / f"trial.{request.param}"
        table.to_csv(path, index=False) if request.param == "csv" else table.to_parquet(path)
        return path

    return write


def test_numbers_stay_and_texts_become_columns(written):
    trial = read_trial(written(frame()), COLUMNS)

    assert trial.people == (100, 100)
    assert trial.covariate_names == ("visits", "region south")  # "north" is the absence of the others
    assert trial.covariates[:4].tolist() == [[0, 1], [1, 0], [2, 0], [3, 1]]
    assert trial.segments == ("north", "south")


def test_a_missing_covariate_is_the_mean_and_says_so(written):
    table = frame().astype({"visits": float})
    table.loc[3, "visits"] = np.nan

    trial = read_trial(written(table), TrialColumns("treated", "spend", ("visits",)))

    assert trial.covariate_names == ("visits", "visits missing")
    assert trial.covariates[3].tolist() == [pytest.approx(table["visits"].mean()), 1]


@pytest.mark.parametrize(
    "words", [("control", "treated"), (False, True), ("0", "1"), (0.0, 1.0), ("Control", " Test ")]
)
def test_treatment_is_told_in_several_words(written, words):
    table = frame().assign(treated=[words[number % 2] for number in range(200)])

    assert read_trial(written(table), COLUMNS).treated[:3].tolist() == [False, True, False]


def test_every_problem_of_the_columns_is_named(written):
    table = frame().astype({"treated": object, "spend": object, "visits": float})
    table["treated"] = table["treated"].astype(str)
    table["spend"] = table["spend"].astype(str)
    table.loc[:1, "treated"] = "maybe"
    table.loc[4, "spend"] = "much"
    table["visits"] = np.nan
    table["region"] = [f"r{number}" for number in range(200)]

    with pytest.raises(TrialInvalid) as refused:
        read_trial(written(table), COLUMNS)

    assert refused.value.problems == (
        "column 'treated' says in 2 rows neither 1 nor 0 (or treated and control)",
        "column 'spend' has no number in 1 rows",
        "column 'visits' has no number at all",
        "covariate 'region' has 200 different texts; 20 are the most",
        "segment 'region' has 200 different values; 20 are the most",
    )


def test_an_unknown_column_names_the_nearest(written):
    with pytest.raises(TrialInvalid, match="no column 'spendd'; did you mean 'spend'") as refused:
        read_trial(written(frame()), TrialColumns("treated", "spendd"))

    assert refused.value.hint == "columns are treated, spend, visits, region"


def test_an_outcome_that_is_a_covariate_too_is_refused(written):
    with pytest.raises(TrialInvalid, match="column 'spend' is named twice"):
        read_trial(written(frame()), TrialColumns("treated", "spend", ("spend",)))


def test_small_groups_are_counted(written):
    with pytest.raises(TrialInvalid, match="there are 40 treated and 40 control people; each group needs 50"):
        read_trial(written(frame(80)), COLUMNS)


def test_a_file_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "trial.parquet").write_bytes(b"nothing")

    with pytest.raises(TrialInvalid, match="cannot be read as a table"):
        read_trial(tmp_path / "trial.parquet", COLUMNS)
    with pytest.raises(TrialInvalid, match="does not exist"):
        read_trial(tmp_path / "none.csv", COLUMNS)
