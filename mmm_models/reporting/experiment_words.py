"""What experiments and model say of each other, in words."""

import math

from mmm_models.reporting.number_format import amount
from mmm_models.reporting.report_words import join_some
from mmm_models.results import ExperimentCheck, Results


def experiments_insight(results: Results) -> str:
    """Whether experiments and the model without them agree, and what that did to the model."""
    checks = results.experiments
    if not checks:
        return "No experiment stands beside the model."
    apart = [check for check in checks if not check.agrees]
    if not apart:
        return f"{_counted(len(checks))} with what the model says without {_them(checks)}. {_used(checks)}"
    what = "the experiment" if len(checks) == 1 else f"{len(apart)} of {len(checks)} experiments"
    verb = "contradicts" if len(apart) == 1 else "contradict"
    return (
        f"For {_channels(apart)}, {what} {verb} what the model says without {_them(checks)}. {_used(checks)}"
    )


def verdict(check: ExperimentCheck) -> str:
    """`agree` or `contradict`."""
    return "agree" if check.agrees else "contradict"


def source(check: ExperimentCheck) -> str:
    """Where the lift is from, without the channel, which is said beside it."""
    words = " ".join(check.source.split())
    return words.removesuffix(f" ({check.channel})").removeprefix(f"{check.channel} ")


def plus_minus(value: float, deviation: float, unit: str = "") -> str:
    """`120 k ± 15 k EUR`; without a known deviation the value alone."""
    if not (math.isfinite(deviation) and deviation > 0):
        return amount(value, unit)
    return f"{amount(value)} ± {amount(deviation, unit)}"


def _counted(number: int) -> str:
    if number == 1:
        return "The experiment agrees"
    return "Both experiments agree" if number == 2 else f"All {number} experiments agree"


def _them(checks: tuple[ExperimentCheck, ...]) -> str:
    return "it" if len(checks) == 1 else "them"


def _used(checks: tuple[ExperimentCheck, ...]) -> str:
    used = sum(check.used for check in checks)
    if used == len(checks):
        return f"The numbers on this page are calibrated with {_them(checks)}."
    if not used:
        return f"The numbers on this page are not calibrated with {_them(checks)}."
    return f"The numbers on this page are calibrated with {used} of them."


def _channels(checks: list[ExperimentCheck]) -> str:
    names = list(dict.fromkeys(check.channel for check in checks))
    return join_some(names)
