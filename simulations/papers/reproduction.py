"""Every claim tried: worlds for several seeds, all models on each, and the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from simulations.papers.claims import CLAIMS, Reading
from simulations.papers.feature_timing import time_features
from simulations.papers.federation_gap import FederationGap, federation_gap, gap_reading
from simulations.papers.model_comparison import FamilyFit, compare_families, comparison_readings
from simulations.papers.random_holdout import boosting_below_linear
from simulations.papers.reallocation import Uplift, measure_uplifts, planned_money, uplift_readings
from simulations.papers.study_panel import StudyPanel, study_panels
from simulations.papers.timings import features_reading, planning_readings, training_reading
from simulations.scenario import load_scenario
from simulations.world import make_world

MONTHLY, WEEKLY = "papers-monthly", "papers-weekly"
TRAINING_RECORDS = 400_000


@dataclass(frozen=True)
class PapersSettings:
    """How much to run: worlds of seeds 1 to `seeds`, and the records of the timed training.

    Raises ValueError for less than one of either.
    """

    seeds: int = 3
    training_records: int = TRAINING_RECORDS

    def __post_init__(self) -> None:
        if self.seeds < 1 or self.training_records < 1:
            raise ValueError(f"nothing can be reproduced with {self}")


@dataclass(frozen=True)
class Reproduction:
    """What was measured, claim by claim, and every fit behind it."""

    readings: tuple[Reading, ...]
    fits: tuple[FamilyFit, ...]

    def of(self, claim: str) -> tuple[Reading, ...]:
        """The readings of one claim, in the order they were taken."""
        return tuple(reading for reading in self.readings if reading.claim == claim)

    @property
    def ordered(self) -> tuple[Reading, ...]:
        """All readings, claim by claim as `CLAIMS` lists them."""
        return tuple(reading for claim in CLAIMS for reading in self.of(claim))


def reproduce(settings: PapersSettings, scratch: Path, *, say: Callable[[str], None]) -> Reproduction:
    """Measure everything; silo files and runs are written into `scratch`, which must be empty or missing."""
    fits: list[FamilyFit] = []
    gaps: list[FederationGap] = []
    uplifts: list[Uplift] = []
    shuffled: dict[str, list[float]] = {}
    for seed in range(1, settings.seeds + 1):
        say(f"seed {seed} of {settings.seeds}: all models on 24 months and 104 weeks")
        for study in _seed_studies(seed):
            fits += compare_families(study, seed=seed)
            shuffled.setdefault(study.name, []).append(boosting_below_linear(study, seed=seed))
        say(f"seed {seed} of {settings.seeds}: centralised, federated, money moved")
        world = make_world(load_scenario(WEEKLY, seed=seed))
        gaps.append(federation_gap(world, scratch / f"seed-{seed}"))
        uplifts += measure_uplifts(world, gaps[-1].run, planned_money)
    say("features over 4 million records")
    features = features_reading(time_features())
    say(f"training on {settings.training_records:,} records")
    training = training_reading(load_scenario(WEEKLY), settings.training_records)
    readings = (
        *comparison_readings(tuple(fits)),
        *_shuffled_readings(shuffled),
        gap_reading(gaps, WEEKLY),
        *uplift_readings(uplifts, WEEKLY),
        features,
        training,
        *planning_readings([gap.run for gap in gaps], WEEKLY),
    )
    return Reproduction(readings, tuple(fits))


def _seed_studies(seed: int) -> tuple[StudyPanel, ...]:
    """Both studies' worlds, each by region and as one series."""
    monthly, weekly = (make_world(load_scenario(name, seed=seed)) for name in (MONTHLY, WEEKLY))
    return (*study_panels(monthly, monthly=True), *study_panels(weekly, monthly=False))


def _shuffled_readings(shuffled: Mapping[str, list[float]]) -> Iterator[Reading]:
    for study, values in shuffled.items():
        setting = f"{study}; a random quarter of rows held out"
        yield Reading("boosting-rmse", setting, tuple(values), judged=False)
