"""One silo's work in one round, with differential privacy and without, taken in turns.

The private step clips each unit's own gradient (Opacus) and adds cryptographically secure noise; the plain
one needs only the gradient of the sum.
"""

from benchmarks.known_worlds import DELTA, EPSILON, known_world
from benchmarks.line import Bar, Line, Setting
from benchmarks.stopwatch import interleaved, median
from clients.local_training import LocalRun, train_locally
from mmm_models.federated_spec import LocalTraining
from mmm_models.network import MediaResponse
from mmm_models.neural_mmm import pooled_scales
from mmm_models.spec import ModelSpec
from mmm_models.unit_data import prepare
from privacy.run_terms import PrivacyMode, PrivacyTerms
from privacy.secure_noise import SecureNoise

ROUNDS, CLIP_NORM = 150, 3.0


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

    private = PrivacyTerms(PrivacyMode.LOCAL, EPSILON, DELTA, ROUNDS, values=25)
    ways = {"plain": lambda: step(PrivacyTerms(PrivacyMode.NONE)), "private": lambda: step(private)}
    interleaved(ways, repetitions=1)  # imports Opacus and works out the noise, both once a run
    seconds = interleaved(ways, repetitions=3 if setting.quick else 31)
    size = f"{panel.n_units} units"
    plain, noised = seconds["plain"], seconds["private"]
    return (
        Line(f"plain step of one silo, {size}", 1e3 * median(plain), "ms", values=plain),
        Line(f"private step of one silo, {size}", 1e3 * median(noised), "ms", values=noised),
        Line("private step / plain step", median(noised) / median(plain), "x", Bar(1.8)),
    )
