"""A public series whose true effects are in the file: what is recovered with its confounder, and without.

`z` drives both x1 and the outcome. Without it no model of this series can tell how much of y is x1's; what can be
asked is that x2, which has nothing to do with z, stays where it was, and that x1 is said to be hard to know.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from mmm_models.diagnostics.diagnose import diagnose
from mmm_models.neural_mmm import NeuralMmm
from mmm_models.panel_io import load_panel
from mmm_models.results import Finding
from tests.mmm_models.panel_files import write_spec

HOLDOUT_WEEKS = 24
POINT_TOLERANCE = 0.4  # relative, of one channel's total; noise alone leaves about 0.2


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
def recovered(shared_data, tmp_path_factory):
    """The recovery for a tuple of control columns."""
    path = shared_data / "pymc" / "mmm_roas_data.csv"
    table = pd.read_csv(path)
    truth = np.array([(table["y"] - table[f"y0{i}"]).sum() for i in (1, 2)])

    def fit(controls):
        spec = {
            "silo": "national",
            "data": {"path": str(path)},
            "columns": {"week": "date", "outcome": "y", "currency": "EUR"},
            "channels": {name: {"spend": name} for name in ("x1", "x2")},
            "controls": {"columns": list(controls)},
        }
        panel = load_panel(write_spec(tmp_path_factory.mktemp("roas"), spec)).panel
        results = NeuralMmm().fit(panel, holdout_weeks=HOLDOUT_WEEKS).results
        error = np.array([channel.contribution for channel in results.channels]) / truth - 1.0
        intervals = [channel.contribution_interval for channel in results.channels]
        covered = [
            interval.low <= true <= interval.high for interval, true in zip(intervals, truth, strict=True)
        ]
        findings = diagnose(panel, holdout_weeks=HOLDOUT_WEEKS)
        return Recovery(float(error[0]), float(error[1]), (covered[0], covered[1]), findings)

    return {controls: fit(controls) for controls in ((), ("z",))}


def test_the_file_says_what_it_promises(shared_data):
    """Counterfactuals and effect columns are one truth: y is a hundred times their scale."""
    table = pd.read_csv(shared_data / "pymc" / "mmm_roas_data.csv")

    for number in (1, 2):
        difference = table["y"] - table[f"y0{number}"]
        assert difference.to_numpy() == pytest.approx(100 * table[f"x{number}_effect"].to_numpy())


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


def test_x1_is_said_to_be_hard_to_know_either_way(recovered):
    """Without z, what x1 does is mostly season; with it, x1 is seen to follow what sells anyway. x2 is neither."""
    assert "moves-like-baseline" in recovered[()].codes_of("x1")
    assert {"moves-like-baseline", "follows-demand"} <= recovered[("z",)].codes_of("x1")
    for seen in recovered.values():
        assert not {"moves-like-baseline", "follows-demand"} & seen.codes_of("x2")
