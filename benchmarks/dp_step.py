"""One silo's work in one round, with differential privacy and without, taken in turns.

The private step clips each unit's own gradient and adds noise: by Opacus with Gaussian noise for local training, or as
integers with a share of discrete Gaussian noise, in double precision. The plain one needs only the gradient of the
sum, in single precision.
"""

import math
from collections.abc import Callable

import numpy as np

from benchmarks.known_worlds import DELTA, EPSILON, known_world
from benchmarks.line import Bar, Line, Setting
from benchmarks.stopwatch import interleaved, median
from clients.gradient_sums import Noising, exact_gradient, noised_gradient
from clients.local_training import LocalRun, train_locally
from clients.update_bound import UpdateBound
from mmm_models.federated_spec import LocalTraining
from mmm_models.network import MediaResponse
from mmm_models.neural_mmm import pooled_scales
from mmm_models.spec import ModelSpec
from mmm_models.unit_data import prepare
from privacy.run_releases import RunReleases
from privacy.run_terms import PrivacyMode, PrivacyTerms
from privacy.secure_noise import SecureNoise

ROUNDS, CLIP_NORM, PARAMETERS = 150, 3.0, 25


def measure(setting: Setting) -> tuple[Line, ...]:
    """Milliseconds of both, and their ratio."""
    world = known_world(setting, 1).world
    panel, spec, weeks = world.panels[0], ModelSpec(), world.scenario.holdout_weeks
    scales = pooled_scales(panel, spec, weeks)
    data = prepare(panel, scales, spec, holdout_weeks=weeks)

    def step(privacy: PrivacyTerms) -> None:
        response = MediaResponse(spec, scales.spend_per_revenue.tolist())
        run = LocalRun(
            LocalTraining(), privacy, SecureNoise(), units=panel.n_units, units_of_all=8.0 * panel.n_units
        )
        train_locally(response, data, run, clip_norm=CLIP_NORM)

    private = PrivacyTerms(PrivacyMode.LOCAL, EPSILON, DELTA, ROUNDS, values=PARAMETERS + 1)
    shared = PrivacyTerms(
        PrivacyMode.DISTRIBUTED, EPSILON, DELTA, ROUNDS, survivors=7, colluding=1, values=PARAMETERS + 1
    )
    noising = Noising(RunReleases(shared).gradient(PARAMETERS, CLIP_NORM), SecureNoise(), sample_rate=1.0)
    response = MediaResponse(spec, scales.spend_per_revenue.tolist())
    plainly, unbounded = np.eye(PARAMETERS), UpdateBound(math.inf, math.inf)
    ways: dict[str, Callable[[], object]] = {
        "plain": lambda: step(PrivacyTerms(PrivacyMode.NONE)),
        "private": lambda: step(private),
        "plain sum": lambda: exact_gradient(response, data, plainly, unbounded),
        "integer sum": lambda: noised_gradient(response, data, plainly, noising),
    }
    interleaved(ways, repetitions=1)  # imports Opacus and works out the noise, both once a run
    seconds = interleaved(ways, repetitions=3 if setting.quick else 31)
    size = f"{panel.n_units} units"
    plain, noised = seconds["plain"], seconds["private"]
    plain_sum, integer_sum = seconds["plain sum"], seconds["integer sum"]
    return (
        Line(f"plain step of one silo, {size}", 1e3 * median(plain), "ms", values=plain),
        Line(f"private step of one silo, {size}", 1e3 * median(noised), "ms", values=noised),
        Line("private step / plain step", median(noised) / median(plain), "x", Bar(1.8)),
        Line("noised integer sum of a silo's gradients", 1e3 * median(integer_sum), "ms", values=integer_sum),
        Line("noised integer sum / plain sum", median(integer_sum) / median(plain_sum), "x", Bar(1.8)),
    )
