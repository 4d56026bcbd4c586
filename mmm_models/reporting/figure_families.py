"""Several families of models on the same world: which is right, and which only predicts well."""

import math
from dataclasses import replace

from mmm_models.reporting.figure import Figure, Table
from mmm_models.reporting.figure_arms import HOW_TO_READ, draw_arms, errors_table, measures_table
from mmm_models.reporting.noise_costs import families
from mmm_models.reporting.number_format import percent, points
from mmm_models.reporting.report_input import ArmRow, ReportInput


def families_figure(report: ReportInput) -> Figure:
    """Share error beside hold-out error of every family, the report's own first."""
    arms = _named(report)
    insight = _insight(arms)
    return Figure(draw_arms(arms, insight), measures_table(arms, families=True), insight, HOW_TO_READ)


def family_errors_table(report: ReportInput) -> Table:
    """Every channel's error by family."""
    return errors_table(_named(report))


def _named(report: ReportInput) -> tuple[ArmRow, ...]:
    """One arm per family, the report's own first and called by the family's name; empty with one family only."""
    own, *others = families(report.arms) or (None,)
    return () if own is None else (replace(own, name=own.model), *others)


def _insight(arms: tuple[ArmRow, ...]) -> str:
    known = [arm for arm in arms if math.isfinite(arm.share_error_points)]
    if len(known) < 2:
        return "One family of models only; nothing to compare."
    best = min(known, key=lambda arm: arm.share_error_points)
    sentence = f"{best.name} is closest to the truth, {points(best.share_error_points)} points of share off"
    measured = [arm for arm in known if math.isfinite(arm.nrmse)]
    if not measured:
        return f"{sentence}; prediction errors are not known."
    predictor = min(measured, key=lambda arm: arm.nrmse)
    if predictor is best:
        return f"{sentence}, and predicts held-out weeks best (nRMSE {percent(best.nrmse)})."
    return (
        f"{sentence}; {predictor.name} predicts held-out weeks best (nRMSE {percent(predictor.nrmse)}) and is "
        f"{points(predictor.share_error_points)} points off."
    )
