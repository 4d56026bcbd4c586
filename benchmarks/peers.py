"""Every registered family of models on the same confounded market of 20 geos: one seed, so no bar."""

from benchmarks.known_worlds import known_world, seeds
from benchmarks.line import Line, Setting
from benchmarks.oracle import oracle_errors
from benchmarks.stopwatch import seconds_of
from benchmarks.truth_errors import TruthErrors, result_errors
from mmm_models.panel import pool
from mmm_models.peers.registry import FAMILIES, family
from mmm_models.results import Results
from simulations.world import World


def measure(setting: Setting) -> tuple[Line, ...]:
    """Five lines for each family, three for the oracle."""
    world = known_world(setting, seeds(setting, "geo")[0], "geo").world
    lines = [line for name in FAMILIES for line in _family_lines(name, world)]
    return (*lines, *_error_lines("oracle", oracle_errors(world)))


def _family_lines(name: str, world: World) -> list[Line]:
    panel, weeks = pool(world.panels), world.scenario.holdout_weeks
    found: list[Results] = []
    seconds = seconds_of(lambda: found.append(family(name).fit(panel, holdout_weeks=weeks).results))
    results = found[0]
    return [
        *_error_lines(name, result_errors(results, world)),
        Line(f"{name}: hold-out MAPE", 100.0 * results.holdout.mape, "%"),
        Line(f"{name}: fit", seconds, "s"),
    ]


def _error_lines(what: str, errors: TruthErrors) -> list[Line]:
    return [
        Line(f"{what}: mean relative channel error", errors.mean_relative, ""),
        Line(f"{what}: share error", errors.share_points, "points"),
        Line(f"{what}: total media above the truth", 100.0 * errors.total_media, "%"),
    ]
