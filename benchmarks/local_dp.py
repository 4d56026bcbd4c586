"""What local differential privacy costs: epsilon 8, delta 1e-4 for a whole store's series, default world.

Private runs (new noise each repetition) are compared with the same federation without noise, seed by seed:
once by the results the run releases, whose totals carry noise of their own, and once by the model behind
them, evaluated exactly, which nobody but a simulator can do.
"""

import numpy as np

from benchmarks.known_worlds import Arm, KnownWorld, TrainedArm, known_world, seeds, train_arm
from benchmarks.line import Bar, Line, Setting
from simulations.exact_shares import exact_shares

FIT, SHARE_POINTS = Bar(0.02), Bar(0.4)
REPETITIONS, TOY_REPETITIONS = 3, 1


def measure(setting: Setting) -> tuple[Line, ...]:
    """Means over seeds and repetitions, and the worst single run beside them."""
    repetitions = TOY_REPETITIONS if setting.quick else REPETITIONS
    fit, released, exact, channel, seconds = [], [], [], [], []
    for seed in seeds(setting):
        known, plain = known_world(setting, seed), train_arm(setting, seed, Arm.SECURE)
        for repetition in range(repetitions):
            private = train_arm(setting, seed, Arm.PRIVATE, repetition=repetition)
            fit.append(private.row.nrmse / plain.row.nrmse - 1.0)
            released.append(private.row.share_error_points - plain.row.share_error_points)
            exact.append(exact_share_error(private, known) - exact_share_error(plain, known))
            channel.append(private.row.mean_relative_error)
            seconds.append(private.row.seconds)
    return (
        _line("hold-out nRMSE / without noise - 1", fit, "", FIT),
        _line("share error above no noise, as released", released, "points", SHARE_POINTS),
        _line("share error above no noise, of the model", exact, "points", SHARE_POINTS),
        Line("share error above no noise, as released, worst run", max(released), "points"),
        Line("share error above no noise, of the model, worst run", max(exact), "points"),
        _line("mean relative channel error, as released", channel, ""),
        _line("private training", seconds, "s"),
    )


def exact_share_error(arm: TrainedArm, known: KnownWorld) -> float:
    """Mean absolute error of the model's own shares, in percentage points."""
    truth = np.array([row.share for row in known.truth])
    return 100.0 * float(np.abs(exact_shares(arm.model, known.world) - truth).mean())


def _line(what: str, values: list[float], unit: str, bar: Bar | None = None) -> Line:
    return Line(what, float(np.mean(values)), unit, bar, tuple(values))
