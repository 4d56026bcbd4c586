"""How much history a panel has for what is asked of it."""

import numpy as np

from mmm_models.diagnostics.finding_words import counted
from mmm_models.diagnostics.panel_evidence import PanelEvidence
from mmm_models.results import Finding

WEEKS_PER_YEAR = 52
PARAMETERS_PER_CHANNEL = 5
FEW_WEEKS_PER_PARAMETER = 3.0


def history_length(evidence: PanelEvidence) -> tuple[Finding, ...]:
    """Less than a year or two of training weeks, and few weeks beside the numbers they must determine."""
    return (*_years(evidence), *_weeks_per_parameter(evidence))


def _years(evidence: PanelEvidence) -> tuple[Finding, ...]:
    per_unit = evidence.train.sum(axis=1)
    weeks = int(np.median(per_unit[per_unit > 0]))
    if weeks >= 2 * WEEKS_PER_YEAR:
        return ()
    under_a_year = weeks < WEEKS_PER_YEAR
    what = (
        "no season is seen whole, so it cannot be told from media that ran in part of the year"
        if under_a_year
        else "most seasons are seen once, so a campaign and its time of year are hard to tell apart"
    )
    return (
        Finding(
            "little-history",
            "review" if under_a_year else "note",
            (),
            f"A typical unit has {counted(weeks, 'training week')}: {what}.",
            f"Give {2 * WEEKS_PER_YEAR} training weeks or more if you have them, or hold out fewer.",
        ),
    )


def _weeks_per_parameter(evidence: PanelEvidence) -> tuple[Finding, ...]:
    weeks = int(evidence.train.sum())
    channels = int(evidence.used.sum())
    parameters = float(evidence.freedom.sum()) + PARAMETERS_PER_CHANNEL * channels
    if weeks >= FEW_WEEKS_PER_PARAMETER * parameters:
        return ()
    text = (
        f"{counted(weeks, 'training week')} in all units must determine about {parameters:.0f} numbers (baselines, "
        f"and {PARAMETERS_PER_CHANNEL} for each of {counted(channels, 'channel')}): results lean on what was "
        "believed beforehand."
    )
    advice = "Give more weeks or units, or join channels that are planned together into one."
    return (Finding("few-weeks-per-number", "review", (), text, advice),)
