"""What federation, masks and unknown response curves cost in accuracy, on the default world, three seeds.

Centralised training (one model on all data in one place) is compared with federated training on the same
files, plain sums with masked ones, and all with the truth and with an oracle that knows every response curve.
"""

import numpy as np

from benchmarks.known_worlds import Arm, TrainedArm, known_world, seeds, train_arm
from benchmarks.line import Bar, Line, Setting
from benchmarks.oracle import oracle_errors
from mmm_models.reporting.report_input import ArmRow
from simulations.arms import arm_row, measure_pooled

FIT, SHARE_POINTS, IDENTITY, CHANNEL_ERROR = Bar(0.01), Bar(0.3), Bar(1e-6), Bar(0.15)


def measure(setting: Setting) -> tuple[Line, ...]:
    """Differences are the worst over seeds, errors against the truth the mean over seeds and channels."""
    chosen = seeds(setting)
    worlds = [known_world(setting, seed) for seed in chosen]
    central = [
        arm_row("centralised", measure_pooled(w.world.panels, w.world.scenario.holdout_weeks), w.truth)
        for w in worlds
    ]
    secure = [train_arm(setting, seed, Arm.SECURE) for seed in chosen]
    plain = [train_arm(setting, seed, Arm.PLAIN) for seed in chosen]
    oracles = [oracle_errors(w.world) for w in worlds]
    fit = [abs(s.row.nrmse / c.nrmse - 1.0) for s, c in zip(secure, central, strict=True)]
    points = [
        abs(s.row.share_error_points - c.share_error_points) for s, c in zip(secure, central, strict=True)
    ]
    apart = [largest_relative_difference(s, p) for s, p in zip(secure, plain, strict=True)]
    return (
        _worst("federated / centralised hold-out nRMSE - 1, worst seed", fit, "", FIT),
        _worst("federated - centralised share error, worst seed", points, "points", SHARE_POINTS),
        _worst("masked and plain sums, largest relative difference", apart, "", IDENTITY),
        _mean(
            "federated, mean relative channel error", _errors([arm.row for arm in secure]), "", CHANNEL_ERROR
        ),
        _mean("centralised, mean relative channel error", _errors(central), "", CHANNEL_ERROR),
        _mean("oracle, mean relative channel error", [oracle.mean_relative for oracle in oracles], ""),
        _mean("federated, share error", [arm.row.share_error_points for arm in secure], "points"),
        _mean("centralised, share error", [row.share_error_points for row in central], "points"),
        _mean("oracle, share error", [oracle.share_points for oracle in oracles], "points"),
        _mean("federated hold-out nRMSE", [arm.row.nrmse for arm in secure], ""),
        _mean("federated training", [arm.row.seconds for arm in secure], "s"),
        _mean("centralised training", [row.seconds for row in central], "s"),
    )


def largest_relative_difference(one: TrainedArm, other: TrainedArm) -> float:
    """Over all parameters of the final model and all contributions, ROI and curves released."""
    pairs = ((one.model.parameters, other.model.parameters), (_released(one), _released(other)))
    return max(
        float((np.abs(a - b) / np.maximum(np.abs(a), np.finfo(np.float64).tiny)).max(initial=0.0))
        for a, b in pairs
    )


def _released(arm: TrainedArm) -> np.ndarray:
    channels, curves = arm.released.channels, arm.released.curves
    numbers = [
        value for row in channels for value in (row.contribution, row.share, row.roi, row.marginal_roi)
    ]
    numbers += [value for curve in curves for value in curve.contribution]
    return np.asarray(np.nan_to_num(np.array(numbers)))


def _errors(rows: list[ArmRow]) -> list[float]:
    return [row.mean_relative_error for row in rows]


def _worst(what: str, values: list[float], unit: str, bar: Bar) -> Line:
    return Line(what, max(values), unit, bar, tuple(values))


def _mean(what: str, values: list[float], unit: str, bar: Bar | None = None) -> Line:
    return Line(what, float(np.mean(values)), unit, bar, tuple(values))
