"""A public series whose true effects are in the file: what is recovered with its confounder, and without.

`z` drives both x1 and the outcome. Without it no model of this series can tell how much of y is x1's; what can be
asked is that x2, which has nothing to do with z, stays where it was, that x1 is said to be hard to know, and that one
experiment on x1, such as the file's authors set their priors by, tells.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from mmm_models.diagnostics.diagnose import diagnose
from mmm_models.experiments.lift import LiftTest
from mmm_models.neural_mmm import NeuralMmm
from mmm_models.panel_io import load_panel
from mmm_models.results import Finding
from tests.mmm_models.panel_files import write_spec

HOLDOUT_WEEKS = 24
POINT_TOLERANCE = 0.4  # relative, of one channel's total; noise alone leaves about 0.2
TEST_WEEKS, TEST_ERROR = 12, 0.1  # of a lift test: its standard error / its true lift


@dataclass(frozen=True)
class Recovery:
    """Relative error of each channel's total contribution against the file's counterfactuals, and which
    channels' truth lies within the model's interval."""

    x1: float
    x2: float
    covered: tuple[bool, bool]
    findings: tuple[Finding, ...]

    def codes_of(self, channel: str) -> set[str]:
        return {finding.code for finding in self.findings if channel in finding.channels}


@pytest.fixture(scope="module")
def path(shared_data):
    return shared_data / "pymc" / "mmm_roas_data.csv"


@pytest.fixture(scope="module")
def recover(path, tmp_path_factory):
    """Fits the file with these control columns and lift tests."""
    table = pd.read_csv(path)
    truth = np.array([(table["y"] - table[f"y0{i}"]).sum() for i in (1, 2)])

    def fit(controls=(), lifts=()):
        spec = {
            "silo": "national",
            "data": {"path": str(path)},
            "columns": {"week": "date", "outcome": "y", "currency": "EUR"},
            "channels": {name: {"spend": name} for name in ("x1", "x2")},
            "controls": {"columns": list(controls)},
        }
        panel = load_panel(write_spec(tmp_path_factory.mktemp("roas"), spec)).panel
        results = NeuralMmm(lifts=tuple(lifts)).fit(panel, holdout_weeks=HOLDOUT_WEEKS).results
        error = np.array([channel.contribution for channel in results.channels]) / truth - 1.0
        intervals = [channel.contribution_interval for channel in results.channels]
        covered = [
            interval.low <= true <= interval.high for interval, true in zip(intervals, truth, strict=True)
        ]
        findings = diagnose(panel, holdout_weeks=HOLDOUT_WEEKS)
        return Recovery(float(error[0]), float(error[1]), (covered[0], covered[1]), findings)

    return fit


@pytest.fixture(scope="module")
def recovered(recover):
    """The recovery for a tuple of control columns."""
    return {controls: recover(controls) for controls in ((), ("z",))}


def sales_of_x1(media):
    """What x1 sells by the file's own response: four weeks of carry-over at 0.3, then logistic saturation."""
    weights = 0.3 ** np.arange(4)
    carried = np.convolve(media, weights / weights.sum())[: len(media)]
    return 200.0 * np.tanh(carried / 2.0)


def lift_test_of_x1(table, start, draw):
    """x1 off for `TEST_WEEKS`: its true lift, and `draw` standard errors more."""
    weeks, media = slice(start, start + TEST_WEEKS), table["x1"].to_numpy()
    without = media.copy()
    without[weeks] = 0.0
    lift = float((sales_of_x1(media) - sales_of_x1(without))[weeks].sum())
    first, error = pd.Timestamp(table["date"][start]).date(), TEST_ERROR * lift
    last = first + timedelta(weeks=TEST_WEEKS - 1)
    return LiftTest("x1", first, last, None, lift + error * draw, error)


def test_the_file_says_what_it_promises(path):
    """Counterfactuals and effect columns are one truth: y is a hundred times their scale."""
    table = pd.read_csv(path)

    for number in (1, 2):
        difference = table["y"] - table[f"y0{number}"]
        assert difference.to_numpy() == pytest.approx(100 * table[f"x{number}_effect"].to_numpy())
    assert sales_of_x1(table["x1"].to_numpy()) == pytest.approx(100 * table["x1_effect"].to_numpy())


def test_with_the_confounder_both_effects_are_recovered(recovered):
    seen = recovered[("z",)]

    assert abs(seen.x1) < POINT_TOLERANCE
    assert abs(seen.x2) < POINT_TOLERANCE
    assert seen.covered == (True, True)


def test_without_the_confounder_the_innocent_channel_is_recovered(recovered):
    assert abs(recovered[()].x2) < POINT_TOLERANCE
    assert recovered[()].covered[1]


def test_the_confounder_is_what_makes_x1_too_high(recovered):
    """The bias has the sign theory gives it: z moves x1 and y the same way."""
    assert recovered[()].x1 > abs(recovered[("z",)].x1)


@pytest.mark.parametrize("controls", [(), ("z",)], ids=["without the confounder", "with it"])
@pytest.mark.parametrize(("start", "draw"), [(10, 0.0), (70, 1.0), (92, -1.0)])
def test_an_experiment_recovers_x1_within_its_own_error(recover, path, controls, start, draw):
    seen = recover(controls, [lift_test_of_x1(pd.read_csv(path), start, draw)])

    assert abs(seen.x1) < 2 * TEST_ERROR
    assert abs(seen.x2) < POINT_TOLERANCE
    assert seen.covered == (True, True)


def test_x1_is_said_to_be_hard_to_know_either_way(recovered):
    """Without z, what x1 does is mostly season; with it, x1 is seen to follow what sells anyway. x2 is neither."""
    assert "moves-like-baseline" in recovered[()].codes_of("x1")
    assert {"moves-like-baseline", "follows-demand"} <= recovered[("z",)].codes_of("x1")
    for seen in recovered.values():
        assert not {"moves-like-baseline", "follows-demand"} & seen.codes_of("x2")
