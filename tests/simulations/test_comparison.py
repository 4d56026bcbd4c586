"""The comparison: every arm once, and one set of numbers in table, JSON and report."""

import csv
import html
import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clients.silo_home import SiloHome
from mmm_models.intake.silo_file import read_silo_spec
from mmm_models.panel import pool
from mmm_models.panel_io import load_panel
from mmm_models.reporting.noise_costs import ways_of_training
from mmm_models.reporting.report_files import write_report
from mmm_models.reporting.report_input import ArmRow
from mmm_models.reporting.result_files import read_results
from simulations.arms import Measured, arm_row
from simulations.comparison import Comparison, compare
from simulations.comparison_settings import ComparisonSettings, noise_kinds
from simulations.errors import ComparisonInvalid, OutputNotEmpty
from simulations.federated_arms import WITHOUT_NOISE as WITHOUT_NOISE_ARMS
from simulations.federated_arms import Noise, NoiseKind, noised_arm
from simulations.scenario import Scenario
from simulations.world import ChannelTruth, make_world
from tests.small_federation import SCENARIO

EPSILON, TOO_SMALL = 19.0, 0.05  # local noise at the second leaves nothing of 180 stores
KINDS, RUNS = tuple(NoiseKind), 2
WITHOUT_NOISE = ["centralised", "each silo alone", "federated", "+ secure aggregation", "+ Newton's method"]
ARMS = WITHOUT_NOISE + [
    f"+ {kind} noise, ε {epsilon}"
    for epsilon in ("19", "0.05")
    for kind in ("central", "local", "distributed")
    for _ in range(RUNS)
]
ARMS.append("ridge")
SMALL = Scenario.model_validate({**SCENARIO.model_dump(), "silos": 3, "units_per_silo": 60})
SAID: list[str] = []


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    settings = ComparisonSettings(
        (EPSILON, TOO_SMALL), rounds=3, kinds=KINDS, repeats=RUNS, models=("ridge",)
    )
    return compare(SMALL, tmp_path_factory.mktemp("comparison") / "out", settings, say=SAID.append)


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
        for name in ("nrmse", "share_error_points", "privacy", "epsilon", "run", "failure", "bytes_per_silo"):
            assert row[name] == ("" if entry[name] is None else str(entry[name]))
        for channel in ("tv", "radio"):
            assert row[f"error_{channel}"] == str(entry["channel_errors"].get(channel, ""))


def test_the_report_shows_every_way_of_training_with_its_numbers(comparison: Comparison) -> None:
    page = comparison.report.read_text(encoding="utf-8")

    for row in ways_of_training(comparison.arms):
        assert html.escape(row.name) in page
        assert f"{row.share_error_points:.2f}" in page


def test_masks_change_no_number(comparison: Comparison) -> None:
    plain, secure = arm(comparison, "federated"), arm(comparison, "+ secure aggregation")

    assert secure.nrmse == pytest.approx(plain.nrmse, rel=1e-6)
    assert secure.channel_errors == pytest.approx(plain.channel_errors, rel=1e-6)


def test_every_arm_says_who_adds_noise_how_much_and_which_run_it_is(comparison: Comparison) -> None:
    assert [(row.privacy, row.epsilon, row.run) for row in comparison.arms] == [
        *[("none", None, 1)] * len(WITHOUT_NOISE),
        *[(kind.value, epsilon, run) for epsilon in (EPSILON, TOO_SMALL) for kind in KINDS for run in (1, 2)],
        ("none", None, 1),
    ]


def test_only_federated_arms_send_bytes_and_masks_cost_some(comparison: Comparison) -> None:
    sent = {row.name: row.bytes_per_silo for row in comparison.arms if not math.isnan(row.bytes_per_silo)}

    assert not sent.keys() & {"centralised", "each silo alone"}
    assert sent["+ secure aggregation"] > sent["federated"]


def test_noise_that_leaves_no_model_is_an_arm_that_says_so(comparison: Comparison) -> None:
    lost = arm(comparison, "+ local noise, ε 0.05")

    assert "the noise hides every count below" in lost.failure
    assert math.isnan(lost.share_error_points)
    assert f"local-epsilon-0.05-run-1 ended without a model: {lost.failure}" in SAID
    assert all(row.failure == "" for row in comparison.arms if row.epsilon != TOO_SMALL)


def test_every_noised_run_charges_silos_of_its_own(comparison: Comparison) -> None:
    """Together they would break the lifetime limit of 20."""
    for kind in KINDS:
        silos = sorted((comparison.directory / "silos" / f"{kind}-epsilon-19-run-2").glob("*.toml"))
        assert len(silos) == (1 if kind is NoiseKind.CENTRAL else SMALL.silos)
        for path in silos:
            charged = SiloHome.of(read_silo_spec(path)).ledger.charged_runs()
            assert len(charged) == 1
    assert not list((comparison.directory / "world").rglob("ledger.jsonl"))


def test_a_curators_silo_holds_what_the_silos_hold_together(comparison: Comparison) -> None:
    """Also where a channel is missing in the first silo."""
    curator = comparison.directory / "silos" / "central-epsilon-19-run-1" / "all-silos.toml"
    together = pool(make_world(SMALL).panels)

    panel = load_panel(curator).panel

    assert panel.n_units == 180
    np.testing.assert_array_equal(panel.outcome, together.outcome)
    np.testing.assert_array_equal(panel.media, together.with_channels(panel.channel_names).media)


def test_repeated_runs_differ(comparison: Comparison) -> None:
    """Each silo has a noise key of its own in each run."""
    for kind in KINDS:
        first, second = (row for row in comparison.arms if (row.privacy, row.epsilon) == (kind, EPSILON))
        assert first.share_error_points != second.share_error_points


def test_what_noise_costs_is_a_table_and_a_picture(comparison: Comparison) -> None:
    with (comparison.directory / "noise_costs.csv").open(newline="", encoding="utf-8") as file:
        row = next(row for row in csv.DictReader(file) if row["privacy"] == "distributed")
    runs = [arm for arm in comparison.arms if (arm.privacy, arm.epsilon) == ("distributed", EPSILON)]
    errors, plain = [run.share_error_points for run in runs], arm(comparison, "+ Newton's method")

    assert (row["epsilon"], row["runs"], row["finished"]) == ("19.0", "2", "2")
    assert float(row["share_error_points"]) == pytest.approx(sum(errors) / 2)
    assert float(row["share_error_points_highest"]) == max(errors)
    assert float(row["extra_share_error_points"]) == pytest.approx(sum(errors) / 2 - plain.share_error_points)
    assert (comparison.directory / "noise_costs.svg").read_text(encoding="utf-8").startswith("<svg")
    assert "What noise costs" in comparison.report.read_text(encoding="utf-8")


def test_a_report_written_again_is_the_same(comparison: Comparison) -> None:
    before = comparison.report.read_bytes()

    assert write_report(comparison.directory).read_bytes() == before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epsilons": (0.0,)}, "epsilon 0 with delta 0.0001 cannot be met"),
        ({"epsilons": (math.inf,)}, "epsilon inf with delta 0.0001 cannot be met"),
        ({"delta": 1.0}, "epsilon 8 with delta 1 cannot be met"),
        ({"epsilons": (8.0, 1.0, 8.0)}, "epsilon 8 is named twice"),
        ({"epsilons": ()}, "noise needs an epsilon"),
        ({"repeats": 0}, "0 runs of each noise"),
        ({"models": ("ridge", "ridge")}, "model ridge is named twice"),
        ({"models": ("rigde",)}, "there is no model 'rigde'"),
    ],
)
def test_what_cannot_be_compared_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ComparisonInvalid, match=message):
        ComparisonSettings(**wrong)


def test_the_neural_model_is_there_whether_named_or_not() -> None:
    assert ComparisonSettings(models=("neural", "boosting")).peers == ("boosting",)


def test_another_family_is_measured_like_the_others(comparison: Comparison) -> None:
    ridge, neural = arm(comparison, "ridge"), arm(comparison, "centralised")

    assert (ridge.model, neural.model, ridge.privacy, ridge.epsilon) == ("ridge", "neural", "none", None)
    assert ridge.channel_errors.keys() == neural.channel_errors.keys()
    assert ridge.share_error_points != neural.share_error_points


def test_kinds_of_noise_are_known_by_name_and_none_adds_nothing() -> None:
    assert noise_kinds(["distributed", "none", "central"]) == (NoiseKind.CENTRAL, NoiseKind.DISTRIBUTED)
    with pytest.raises(ComparisonInvalid, match="there is no noise named secret"):
        noise_kinds(["secret"])
    with pytest.raises(ComparisonInvalid, match="local is named twice"):
        noise_kinds(["local", "local"])


def test_arms_with_noise_differ_from_the_last_without_in_noise_alone() -> None:
    """Same method, same masks: a difference in accuracy is the noise's."""
    plain = WITHOUT_NOISE_ARMS[-1].settings(Path("x"), SMALL).model_dump()
    noised = noised_arm(Noise(NoiseKind.DISTRIBUTED, 8.0, 1e-4)).settings(Path("x"), SMALL).model_dump()

    assert {name for name in plain if plain[name] != noised[name]} == {"privacy", "epsilon", "delta"}


def test_the_truth_is_the_worlds(comparison: Comparison) -> None:
    world = make_world(SMALL)

    assert [(row["channel"], row["contribution"]) for row in stored(comparison)["truth"]] == [
        (row.name, pytest.approx(row.contribution)) for row in world.channel_truths()
    ]


def test_the_results_beside_the_comparison_are_those_of_the_distributed_run(comparison: Comparison) -> None:
    shown = comparison.directory / "runs" / "distributed-epsilon-19-run-1"

    assert read_results(comparison.directory) == read_results(shown)
    assert json.loads((comparison.directory / "privacy.json").read_text("utf-8"))["mode"] == "distributed"


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
