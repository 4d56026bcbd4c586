"""What a check of a silo's data found: problems that stop, notes that inform; as text and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

MAX_EXAMPLES = 5


@dataclass(frozen=True)
class Example:
    """One offending value. `row` counts the header as line 1; 0 where no single row is meant."""

    row: int
    value: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.value}" if self.row else self.value


@dataclass(frozen=True)
class Finding:
    """One problem or note about one column; `rows` is how many rows it concerns (0: no single rows)."""

    code: str
    message: str
    column: str = ""
    rows: int = 0
    examples: tuple[Example, ...] = ()
    hint: str = ""


@dataclass(frozen=True)
class Findings:
    """What one check found; `+` joins two."""

    problems: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        return Findings(self.problems + other.problems, self.notes + other.notes)


@dataclass(frozen=True)
class PanelSummary:
    """The panel in five numbers; zeros and "" when it could not be built."""

    units: int = 0
    weeks: int = 0
    first_week: str = ""
    last_week: str = ""
    observed_share: float = 0.0
    channels: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckReport:
    """Everything found in one silo file and its data. Stays with the silo: examples show its values."""

    file: str
    silo: str
    problems: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    summary: PanelSummary = PanelSummary()

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_json(self) -> str:
        return json.dumps({"ok": self.ok, **asdict(self)}, indent=2, ensure_ascii=False)


def render_text(report: CheckReport) -> str:
    """The report as a person reads it in a terminal."""
    lines = [
        f"{report.file}: {counted(len(report.problems), 'problem')}, {counted(len(report.notes), 'note')}"
    ]
    summary = report.summary
    if report.ok and summary.units:
        lines.append(
            f"  silo {report.silo}: {counted(summary.units, 'unit')} x {counted(summary.weeks, 'week')}"
            f" ({summary.first_week} to {summary.last_week}), {summary.observed_share:.1%} observed"
        )
        lines.append(f"  channels: {', '.join(summary.channels)}")
        if summary.controls:
            lines.append(f"  controls: {', '.join(summary.controls)}")
    for title, findings in (("problems", report.problems), ("notes", report.notes)):
        if findings:
            lines += ["", f"{title}:", *(line for finding in findings for line in _finding_lines(finding))]
    return "\n".join(lines)


def counted(number: int, noun: str) -> str:
    """`1 row`, `1,200 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _finding_lines(finding: Finding) -> list[str]:
    where = f" [{finding.column}]" if finding.column else ""
    rows = f" ({counted(finding.rows, 'row')})" if finding.rows else ""
    lines = [f"  {finding.code}{where}{rows}: {finding.message}"]
    if finding.examples:
        lines.append(f"    e.g. {'; '.join(map(str, finding.examples))}")
    if finding.hint:
        lines.append(f"    hint: {finding.hint}")
    return lines
