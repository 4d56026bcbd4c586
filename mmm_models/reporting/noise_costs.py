"""What noise costs in accuracy: runs grouped by who adds the noise and by epsilon, beside no noise."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmm_models.reporting.report_input import ArmRow

NOISE_NAMES = {"distributed": "distributed noise", "local": "local noise", "central": "central noise"}
AVERAGED = ("nrmse", "mape", "share_error_points", "mean_relative_error", "total_media_error",
            "interval_coverage", "seconds", "bytes_per_silo")  # fmt: skip


@dataclass(frozen=True)
class Spread:
    """One measure over all runs that ended with a model; NaN when none did."""

    mean: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        if not values:
            return cls(math.nan, math.nan, math.nan)
        return cls(_mean(values), min(values), max(values))


@dataclass(frozen=True)
class NoiseCost:
    """Runs with the same noise: `runs` were started, `finished` ended with a model."""

    privacy: str
    epsilon: float
    runs: int
    finished: int
    share_errors: tuple[float, ...]
    share_error_points: Spread
    nrmse: Spread
    mean_relative_error: Spread
    failure: str


@dataclass(frozen=True)
class NoiseCosts:
    """Every kind of noise by epsilon, `rows`, and the same training without noise; NaN where there is none."""

    share_error_points: float
    nrmse: float
    rows: tuple[NoiseCost, ...]

    @property
    def epsilons(self) -> tuple[float, ...]:
        """From the least to the most that may be learnt about a unit."""
        return tuple(sorted({row.epsilon for row in self.rows}))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Who adds noise, in order of appearance."""
        return tuple(dict.fromkeys(row.privacy for row in self.rows))

    @property
    def any_lost(self) -> bool:
        """Whether some noise left no model at all."""
        return any(not row.finished for row in self.rows)

    def at(self, epsilon: float) -> dict[str, NoiseCost]:
        """Rows of that epsilon by who adds noise."""
        return {row.privacy: row for row in self.rows if row.epsilon == epsilon}

    def extra_points(self, row: NoiseCost) -> float:
        """Share error above that without noise, in percentage points."""
        return row.share_error_points.mean - self.share_error_points

    def extra_nrmse(self, nrmse: float) -> float:
        """Hold-out error relative to that without noise: 0.01 is one per cent more."""
        return nrmse / self.nrmse - 1.0 if self.nrmse > 0 else math.nan


def noise_costs(arms: Sequence[ArmRow]) -> NoiseCosts:
    """The costs of every noise among `arms`, against the last of the same family without."""
    plain = [arm for arm in own_family(arms) if arm.privacy == "none" and arm.epsilon is None]
    keys = dict.fromkeys((arm.privacy, arm.epsilon) for arm in arms if arm.privacy != "none")
    rows = tuple(_cost([arm for arm in arms if (arm.privacy, arm.epsilon) == key]) for key in keys)
    if not plain:
        return NoiseCosts(math.nan, math.nan, rows)
    return NoiseCosts(plain[-1].share_error_points, plain[-1].nrmse, rows)


def compares_noise(arms: Sequence[ArmRow]) -> bool:
    """Whether there is more to tell than one run with each noise at one epsilon."""
    return len(noise_costs(arms).epsilons) > 1 or any(arm.run > 1 for arm in arms)


def ways_of_training(arms: Sequence[ArmRow]) -> tuple[ArmRow, ...]:
    """Arms of one family, those without noise and those at the epsilon that was named first.

    Several runs are one row, their mean.
    """
    first = next((arm.epsilon for arm in arms if arm.epsilon is not None), None)
    return mean_of_runs(arm for arm in own_family(arms) if arm.epsilon in (None, first))


def own_family(arms: Sequence[ArmRow]) -> list[ArmRow]:
    """Arms with the same family of models as the first."""
    return [arm for arm in arms if arm.model == arms[0].model]


def families(arms: Sequence[ArmRow]) -> tuple[ArmRow, ...]:
    """The first arm beside those of other families; empty when there are none."""
    others = [arm for arm in arms if arm.model != arms[0].model]
    return mean_of_runs([arms[0], *others]) if others else ()


def mean_of_runs(arms: Iterable[ArmRow]) -> tuple[ArmRow, ...]:
    """One row per name: means over the runs that ended with a model, and how many those were."""
    by_name: dict[str, list[ArmRow]] = {}
    for arm in arms:
        by_name.setdefault(arm.name, []).append(arm)
    return tuple(_mean_row(runs) for runs in by_name.values())


def _cost(runs: list[ArmRow]) -> NoiseCost:
    done = _finished(runs)
    return NoiseCost(
        privacy=runs[0].privacy,
        epsilon=runs[0].epsilon or math.nan,
        runs=len(runs),
        finished=len(done),
        share_errors=tuple(run.share_error_points for run in done),
        share_error_points=Spread.of([run.share_error_points for run in done]),
        nrmse=Spread.of([run.nrmse for run in done]),
        mean_relative_error=Spread.of([run.mean_relative_error for run in done]),
        failure=next((run.failure for run in runs if run.failure), ""),
    )


def _mean_row(runs: list[ArmRow]) -> ArmRow:
    done = _finished(runs)
    if len(runs) == 1 or not done:
        return runs[0]
    means: dict[str, Any] = {name: _mean([getattr(run, name) for run in done]) for name in AVERAGED}
    errors = {name: _mean([run.channel_errors[name] for run in done]) for name in done[0].channel_errors}
    name = f"{runs[0].name} (mean of {len(done)})"
    return replace(runs[0], name=name, channel_errors=errors, failure="", **means)


def _finished(runs: list[ArmRow]) -> list[ArmRow]:
    return [run for run in runs if math.isfinite(run.share_error_points)]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
