"""What is written is what was measured."""

import csv
import json

import pytest

from simulations.papers.claims import Reading
from simulations.papers.model_comparison import COMPARED, FamilyFit, comparison_readings
from simulations.papers.papers_figure import papers_figure
from simulations.papers.papers_files import markdown, summary, write_papers
from simulations.papers.reproduction import PapersSettings, Reproduction

RMSE = {
    "linear": 100.0,
    "linear, media only": 200.0,
    "ridge": 90.0,
    "boosting": 80.0,
    "boosting, 200 trees": 90.0,
    "recurrent": 150.0,
    "neural": 70.0,
}


@pytest.fixture
def found():
    fits = tuple(
        FamilyFit("here", name, seed, RMSE[name] + seed * (name == "boosting"), 0.04)
        for seed in (1, 2)
        for name in COMPARED
    )
    return Reproduction((*comparison_readings(fits), Reading("features", "there", (0.5,))), fits)


def test_shares_below_the_linear_model_are_worked_out_seed_by_seed(found):
    below = {
        reading.setting: reading.values for reading in found.readings if reading.claim == "boosting-rmse"
    }

    assert below["here"] == pytest.approx((0.19, 0.18))
    assert below["here; against media only"] == pytest.approx((0.595, 0.59))
    assert below["here; neural instead"] == pytest.approx((0.3, 0.3))


def test_every_file_holds_every_reading(found, tmp_path):
    page = write_papers(found, PapersSettings(seeds=2), tmp_path / "out")

    stored = json.loads((tmp_path / "out" / "papers.json").read_text(encoding="utf-8"))
    with (tmp_path / "out" / "papers.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert stored["settings"] == {"seeds": 2, "training_records": 400_000}
    assert len(stored["fits"]) == 2 * len(COMPARED)
    assert len(stored["readings"]) == len(rows) == len(found.readings)
    assert [row["setting"] for row in rows] == [row["setting"] for row in stored["readings"]]
    assert markdown(found) in page.read_text(encoding="utf-8")
    assert (tmp_path / "out" / "papers.svg").read_text(encoding="utf-8").startswith("<svg")


def test_the_table_has_a_claim_once_and_a_verdict_for_what_is_judged(found):
    lines = markdown(found).splitlines()

    assert lines[2] == (
        "| hold-out RMSE of gradient boosting, below linear MMM's | 18-21 % | here | 18.5 % | 18.0 % to 19.0 % | yes |"
    )
    assert sum("gradient boosting" in line for line in lines) == 1
    assert "| here; neural instead | 30.0 % | 30.0 % to 30.0 % |  |" in "\n".join(lines)


def test_the_summary_says_what_came_out(found):
    assert summary(found) == {
        "hold-out RMSE of gradient boosting, below linear MMM's": "partly",
        "hold-out RMSE of a recurrent model, below linear MMM's": "no",
        "contributions by SHAP, distance from the truth": "yes",
        "contributions by a recurrent model, distance from the truth": "yes",
        "features over 4 million records": "yes",
    }


def test_the_picture_counts_the_fits_that_agree(found):
    figure = papers_figure(found.fits)

    assert figure.insight == (
        "The published advantage over a linear MMM appears in these fits: boosting in 2 of 2; "
        "boosting, 200 trees in 0 of 2; recurrent in 0 of 2."
    )
    assert [row[1] for row in figure.table.rows] == [
        "ridge",
        "boosting",
        "boosting, 200 trees",
        "recurrent",
        "neural",
    ]


def test_nothing_cannot_be_reproduced():
    with pytest.raises(ValueError, match="nothing can be reproduced"):
        PapersSettings(seeds=0)
