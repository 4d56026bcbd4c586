"""The comparison: every arm once, and one set of numbers in table, JSON and report."""

import csv
import json
import math
from dataclasses import fields
from typing import Any

import pytest

from mmm_models.reporting.report_input import ArmRow
from mmm_models.reporting.result_files import read_results
from simulations.arms import Measured, arm_row
from simulations.comparison import Comparison, ComparisonSettings, compare
from simulations.errors import OutputNotEmpty
from simulations.scenario import Scenario
from simulations.world import ChannelTruth, make_world
from tests.small_federation import SCENARIO

ARMS = [
    "centralised",
    "each silo alone",
    "federated",
    "+ secure aggregation",
    "+ differential privacy",
]
EPSILON = 19.0  # with less, 180 stores do not stand out of the noise
SMALL = Scenario.model_validate({**SCENARIO.model_dump(), "silos": 3, "units_per_silo": 60})


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    said: list[str] = []
    settings = ComparisonSettings(epsilon=EPSILON, delta=1e-4, rounds=3)
    return compare(SMALL, tmp_path_factory.mktemp("comparison") / "out", settings, say=said.append)


def stored(comparison: Comparison) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (comparison.directory / "comparison.json").read_text(encoding="utf-8")
    )
    return content


def arm(comparison: Comparison, name: str) -> ArmRow:
    return next(arm for arm in comparison.arms if arm.name == name)


def test_every_way_of_training_is_compared(comparison: Comparison) -> None:
    assert [arm.name for arm in comparison.arms] == ARMS


def test_table_and_json_hold_the_same_numbers(comparison: Comparison) -> None:
    with (comparison.directory / "comparison.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    arms = stored(comparison)["arms"]

    assert [row["name"] for row in table] == [row["name"] for row in arms] == ARMS
    for row, entry in zip(table, arms, strict=True):
        for name in ("nrmse", "mape", "share_error_points", "total_media_error", "epsilon", "bytes_per_silo"):
            assert row[name] == ("" if entry[name] is None else str(entry[name]))
        for channel, error in entry["channel_errors"].items():
            assert float(row[f"error_{channel}"]) == error


def test_the_report_shows_every_arm_with_its_numbers(comparison: Comparison) -> None:
    page = comparison.report.read_text(encoding="utf-8")

    for row in comparison.arms:
        assert row.name in page
        assert f"{row.share_error_points:.2f}" in page


def test_masks_change_no_number(comparison: Comparison) -> None:
    plain, secure = arm(comparison, "federated"), arm(comparison, "+ secure aggregation")

    assert secure.nrmse == pytest.approx(plain.nrmse, rel=1e-6)
    assert secure.channel_errors == pytest.approx(plain.channel_errors, rel=1e-6)


def test_only_the_private_arm_has_an_epsilon_and_only_federated_arms_send_bytes(
    comparison: Comparison,
) -> None:
    assert [row.epsilon for row in comparison.arms] == [None, None, None, None, EPSILON]
    assert [math.isnan(row.bytes_per_silo) for row in comparison.arms] == [True, True, False, False, False]
    assert (
        arm(comparison, "+ secure aggregation").bytes_per_silo > arm(comparison, "federated").bytes_per_silo
    )


def test_the_truth_is_the_worlds(comparison: Comparison) -> None:
    world = make_world(SMALL)

    assert [(row["channel"], row["contribution"]) for row in stored(comparison)["truth"]] == [
        (row.name, pytest.approx(row.contribution)) for row in world.channel_truths()
    ]


def test_the_results_beside_the_comparison_are_those_of_the_private_run(comparison: Comparison) -> None:
    assert read_results(comparison.directory).private


def test_a_comparison_is_not_written_over_another(comparison: Comparison) -> None:
    with pytest.raises(OutputNotEmpty):
        compare(SMALL, comparison.directory, ComparisonSettings(), say=lambda _: None)


def test_errors_against_the_truth_by_hand() -> None:
    """tv: 120 of 100, share 0.24 of 0.20; radio: 45 of 50, share 0.09 of 0.10."""
    truth = (
        ChannelTruth("tv", *_rest(ChannelTruth, contribution=100.0, share=0.2)),
        ChannelTruth("radio", *_rest(ChannelTruth, contribution=50.0, share=0.1)),
    )
    measured = Measured({"tv": 120.0, "radio": 45.0}, {"tv": 0.24, "radio": 0.09}, 0.1, 0.08, 3.0)

    row = arm_row("arm", measured, truth)

    assert row.channel_errors == pytest.approx({"tv": 0.2, "radio": -0.1})
    assert row.mean_relative_error == pytest.approx(0.15)
    assert row.share_error_points == pytest.approx(2.5)  # (4 + 1) / 2
    assert row.total_media_error == pytest.approx(0.1)  # 165 / 150 - 1


def _rest(kind: type[Any], **known: float) -> list[Any]:
    """All fields after the name; what the errors do not read is zero."""
    return [known.get(field.name, 0.0) for field in fields(kind)[1:]]
