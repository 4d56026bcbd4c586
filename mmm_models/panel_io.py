"""A silo file and its data -> panel, or everything that is wrong with them at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmm_models.errors import PanelInvalid, SourceUnreadable, SpecInvalid
from mmm_models.intake.panel_build import build_panel
from mmm_models.intake.panel_calendar import find_calendar
from mmm_models.intake.panel_checks import check_values
from mmm_models.intake.panel_gap_notes import gap_notes
from mmm_models.intake.panel_layout import check_layout, lay_out
from mmm_models.intake.panel_report import CheckReport, Finding, Findings, PanelSummary
from mmm_models.intake.panel_rows import type_rows
from mmm_models.intake.panel_source import read_table
from mmm_models.intake.panel_units import choose_units
from mmm_models.intake.raw_table import RawTable
from mmm_models.intake.silo_file import read_silo_spec
from mmm_models.intake.silo_spec import SiloSpec
from mmm_models.panel import Panel


@dataclass(frozen=True, eq=False)
class LoadedPanel:
    """A panel and the notes on how it came to be."""

    panel: Panel
    report: CheckReport


def load_panel(spec_path: Path) -> LoadedPanel:
    """The panel a silo file describes.

    Raises `SpecInvalid` for the silo file itself and `PanelInvalid` for its data; the latter's message holds
    no values and no counts, its `report` does.
    """
    spec = read_silo_spec(spec_path)
    panel, report = _check(spec, Path(spec_path))
    if panel is None:
        raise PanelInvalid(
            f"{spec_path}: {_in_short(report)}",
            hint=f"mixroom silo check {spec_path} shows the rows",
            report=report,
        )
    return LoadedPanel(panel, report)


def check_silo(spec_path: Path) -> CheckReport:
    """Every problem of a silo file and its data; raises nothing for bad input."""
    try:
        spec = read_silo_spec(spec_path)
    except SpecInvalid as error:
        problems = tuple(Finding("silo_file", problem, hint=error.hint) for problem in error.problems)
        return CheckReport(str(spec_path), "", problems, ())
    return _check(spec, Path(spec_path))[1]


def panel_of(table: RawTable, spec: SiloSpec) -> tuple[Panel | None, Findings]:
    """The panel of a table, or None and the problems. Pure."""
    rows, found = type_rows(table, spec)
    rows, units = choose_units(rows, spec)
    found += units + check_values(rows, spec)
    calendar, problems = find_calendar(rows, spec)
    found += Findings(problems)
    if calendar is None:
        return None, found
    layout = lay_out(rows, calendar, spec)
    column = spec.columns.week
    found += Findings(check_layout(layout, column), gap_notes(layout, spec.data.fill_gaps, column))
    return (None if found.problems else build_panel(rows, layout, spec)), found


def _check(spec: SiloSpec, path: Path) -> tuple[Panel | None, CheckReport]:
    try:
        table = read_table(spec)
    except SourceUnreadable as error:
        problem = Finding(error.code, str(error), hint=error.hint)
        return None, CheckReport(str(path), spec.silo, (problem,), ())
    panel, found = panel_of(table, spec)
    summary = PanelSummary() if panel is None else _summary(panel)
    return panel, CheckReport(str(path), spec.silo, found.problems, found.notes, summary)


def _summary(panel: Panel) -> PanelSummary:
    return PanelSummary(
        units=panel.n_units,
        weeks=panel.n_weeks,
        first_week=str(panel.weeks[0]),
        last_week=str(panel.weeks[-1]),
        observed_share=float(panel.observed.mean()),
        channels=panel.channel_names,
        controls=panel.control_names,
    )


def _in_short(report: CheckReport) -> str:
    """Codes and columns only: this text may reach the coordinator."""
    return "; ".join(
        f"{problem.code} in {problem.column}" if problem.column else problem.code
        for problem in report.problems
    )
