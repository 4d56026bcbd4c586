"""A small run with numbers that can be checked by hand, and everything a report can show about it.

Outcome 1 000 000 EUR; every response is `contribution * m * 1.5 / (m + 0.5)` at `m` times the media, so its
slope at one is a third of the contribution and marginal ROI a third of ROI.
"""

import math
from dataclasses import replace
from typing import Literal

from mmm_models.reporting.report_input import ArmRow, PrivacyBox, ReportInput, RoundPoint, TruthRow
from mmm_models.results import (
    ChannelResult,
    ExperimentCheck,
    Finding,
    HoldoutFit,
    Interval,
    ResponseCurve,
    Results,
    UnitFit,
)

OUTCOME = 1_000_000.0
MULTIPLIERS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
CONTRIBUTIONS = {
    "tv": 80_000.0,
    "search": 50_000.0,
    "social": 40_000.0,
    "display": 30_000.0,
    "outdoor": 20_000.0,
}
TRUE_CONTRIBUTIONS = {
    "tv": 75_000.0,
    "search": 50_000.0,
    "social": 60_000.0,
    "display": 30_000.0,
    "outdoor": 20_000.0,
}
SPEND = 25_000.0


def channel(name: str, contribution: float, spend: float = SPEND) -> ChannelResult:
    """A channel of the sample's world; without spend it has no ROI."""
    roi = contribution / spend if spend else math.nan
    kind = "paid" if spend else "organic"
    return ChannelResult(name, kind, spend, contribution, contribution / OUTCOME, roi, roi / 3)


def curve(name: str, contribution: float, spend: float = SPEND) -> ResponseCurve:
    """The response of `channel`."""
    values = tuple(contribution * times * 1.5 / (times + 0.5) for times in MULTIPLIERS)
    return ResponseCurve(name, MULTIPLIERS, tuple(spend * times for times in MULTIPLIERS), values)


HOLDOUT = HoldoutFit(
    weeks=24,
    units=100.0,
    rmse=120.0,
    nrmse=0.07,
    mape=0.056,
    r2_counts=(5.0, 5.0, 10.0, 40.0, 30.0, 10.0),
    per_unit=(UnitFit("secret-store-7", 100.0, 0.05, 0.5),),
)
RESULTS = Results(
    outcome=OUTCOME,
    outcome_unit="EUR",
    revenue=OUTCOME,
    currency="EUR",
    units=100.0,
    channels=tuple(channel(*item) for item in CONTRIBUTIONS.items()),
    curves=tuple(curve(*item) for item in CONTRIBUTIONS.items()),
    holdout=HOLDOUT,
)
TRUTH = tuple(
    TruthRow(name, value, value / OUTCOME, value / SPEND, value / SPEND / 3)
    for name, value in TRUE_CONTRIBUTIONS.items()
)
ROUNDS = tuple(
    RoundPoint(number, 0.4 + math.exp(-number / 4), 0.07 + 0.05 * math.exp(-number / 4), 5, 0.5, 8.0)
    for number in range(1, 31)
)
PRIVACY = PrivacyBox(
    mode="local",
    silos=5,
    secure_aggregation="masked sums modulo 2^64; at least 4 of 5 silos answer; masks from 256-bit seeds",
    unit="one store's whole series",
    neighbours="one store added or removed",
    epsilon=8.0,
    delta=1e-4,
    epsilon_replace_one=17.25,
    accountant="privacy loss distributions (dp-accounting)",
    noise="Gaussian, added in each silo from a cryptographic generator",
    noise_multiplier=3.41,
    clip_norm=0.0005,
    left_silo=(
        "Every round: one masked update of 47 numbers, of which only the sum over silos is readable.",
        "Once: clipped and noised sums of scales, contributions and hold-out errors.",
    ),
    not_covered=(
        "A store that appears in two silos: its cost adds up.",
        "The number of silos, their calendars and the names of channels, which are public.",
        "Anyone who reads the data inside a silo.",
    ),
)


def arm(name: str, share_error: float, nrmse: float, epsilon: float | None = None) -> ArmRow:
    """A way of training whose channel errors alternate in sign."""
    errors = {name: 0.1 * share_error * (-1) ** index for index, name in enumerate(CONTRIBUTIONS)}
    return ArmRow(
        name=name,
        nrmse=nrmse,
        mape=nrmse * 0.8,
        share_error_points=share_error,
        channel_errors=errors,
        mean_relative_error=0.1 * share_error,
        total_media_error=-0.03,
        epsilon=epsilon,
        seconds=17.2,
        bytes_per_silo=1_430_000.0,
    )


ARMS = (
    arm("Centralised", 0.63, 0.0700),
    arm("Each silo alone (mean of 5)", 1.34, 0.0731),
    arm("Federated", 0.66, 0.0700),
    arm("Federated + secure aggregation", 0.66, 0.0700),
    replace(arm("Federated + secure aggregation + differential privacy", 0.92, 0.0706, 8.0), privacy="local"),
)


def noised(
    privacy: Literal["central", "local", "distributed"], epsilon: float, *errors: float
) -> list[ArmRow]:
    """Runs with the same noise and these share errors; NaN: that run left no model."""
    name, lost = f"+ {privacy} noise, ε {epsilon:g}", "the noise hides every count below about 600 units"
    rows = [arm(name, error, 0.07 + error / 1000, epsilon) for error in errors]
    return [
        replace(row, privacy=privacy, run=run, failure="" if error == error else lost)
        for run, (row, error) in enumerate(zip(rows, errors, strict=True), start=1)
    ]


# Without noise 0.66 points.
NOISE_ARMS = (
    *ARMS[:4],
    *noised("local", 8.0, 0.90, 1.10), *noised("distributed", 8.0, 0.66, 0.70),
    *noised("local", 1.0, math.nan, math.nan), *noised("distributed", 1.0, 0.86, 0.96),
)  # fmt: skip
SETTINGS = (
    ("Model", "neural MMM, 13 weeks of carry-over, Hill saturation"),
    ("Strategy", "FedAdam, 30 rounds, 10 local steps"),
    ("Seed", "1"),
    ("World", "demo: 5 silos × 60 stores × 104 weeks"),
    ("Versions", "mixroom 0.1.0, torch 2.13.0, flwr 1.41.0"),
)
FULL = ReportInput(
    title="Demo",
    subtitle="5 silos, 100 stores, 104 weeks to 25 December 2023",
    results=RESULTS,
    privacy=PRIVACY,
    rounds=ROUNDS,
    truth=TRUTH,
    arms=ARMS,
    settings=SETTINGS,
    notes=("The world is simulated; spend in search follows demand, social and display move together.",),
)
NOISE = replace(FULL, arms=NOISE_ARMS)


def within(value: float, factor: float) -> Interval:
    """From `value` over to `value` times `factor`."""
    return Interval(value / factor, value * factor)


def with_intervals(results: Results, factor: float = 1.25) -> Results:
    """Every number between itself over and times `factor`, at 90 %."""
    channels = tuple(
        replace(
            row,
            contribution_interval=within(row.contribution, factor),
            share_interval=within(row.share, factor),
            roi_interval=within(row.roi, factor),
            marginal_roi_interval=within(row.marginal_roi, factor),
        )
        for row in results.channels
    )
    curves = tuple(
        replace(
            row,
            low=tuple(value / factor for value in row.contribution),
            high=tuple(value * factor for value in row.contribution),
        )
        for row in results.curves
    )
    return replace(results, channels=channels, curves=curves, interval_level=0.9)


FINDINGS = (
    Finding(
        "collinear",
        "review",
        ("display", "social"),
        "display and social cannot be told apart: they run together in most weeks.",
        "Read their sum, or switch one of them off somewhere for some weeks.",
    ),
    Finding(
        "little-history",
        "note",
        (),
        "A typical unit has 80 training weeks: most seasons are seen once.",
        "Give 104 weeks.",
    ),
)
EXPERIMENTS = (
    ExperimentCheck(
        "search", "geo test, spring (search)", 12_000.0, 1_500.0, 11_000.0, 3_000.0, 11_800.0, True, True
    ),
    ExperimentCheck(
        "display", "switched off in April (display)", 2_000.0, 900.0, 9_000.0, 1_500.0, 3_000.0, True, False
    ),
)
# Shares 8.0, 5.0, 4.0, 3.0, 2.0 %; true 7.5, 5.0, 6.0, 3.0, 2.0 %: only social's interval (3.2 to 5.0) misses.
SURE = replace(FULL, results=replace(with_intervals(RESULTS), findings=FINDINGS, experiments=EXPERIMENTS))
FAMILIES = replace(
    FULL,
    arms=(
        replace(ARMS[0], interval_coverage=0.8),
        ARMS[2],
        replace(arm("ridge", 1.50, 0.0680), model="ridge"),
        replace(arm("boosting", 2.70, 0.0720), model="boosting"),
    ),
)
PLAIN = ReportInput(title="Stores", subtitle="", results=RESULTS)
NOTHING = ReportInput(
    title="Nothing",
    subtitle="",
    results=Results(
        outcome=0.0,
        outcome_unit="",
        revenue=0.0,
        currency="",
        units=math.nan,
        channels=(ChannelResult("tv", "paid", 0.0, math.nan, math.nan, math.nan, math.nan),),
        curves=(),
        holdout=HoldoutFit(weeks=0, units=0.0, rmse=math.nan, nrmse=math.nan, mape=math.nan),
    ),
)


def with_channels(report: ReportInput, contributions: dict[str, float], spend: float = SPEND) -> ReportInput:
    """`report` with other channels."""
    results = replace(
        report.results,
        channels=tuple(channel(name, value, spend) for name, value in contributions.items()),
        curves=tuple(curve(name, value, spend) for name, value in contributions.items()),
    )
    return replace(report, results=results)


def with_many_channels(count: int) -> ReportInput:
    """The full report with `count` channels, awkward names among them, so uncertain that intervals cross."""
    names = [
        "Käse & Milch",
        "organic_email",
        "a channel name that nobody should use",
        *map("channel {}".format, range(count)),
    ]
    report = with_channels(FULL, {name: 80_000.0 / (index + 1) for index, name in enumerate(names[:count])})
    errors = dict.fromkeys(names[:count], 0.1)
    results = replace(with_intervals(report.results, 1.8), findings=FINDINGS, experiments=EXPERIMENTS)
    return replace(
        report,
        results=results,
        arms=tuple(replace(row, channel_errors=errors) for row in FULL.arms),
    )
