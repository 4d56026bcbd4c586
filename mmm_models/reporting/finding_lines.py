"""What the data cannot tell, as a page shows it: one sentence above, then every finding."""

from mmm_models.reporting.report_words import join_some
from mmm_models.results import Finding, Results


def findings_insight(results: Results) -> str:
    """Which numbers to be careful with, and how many findings say so."""
    serious = [finding for finding in results.findings if finding.severity != "note"]
    notes = len(results.findings) - len(serious)
    if not results.findings:
        return "Nothing was found that the data cannot tell."
    if not serious:
        return f"Nothing stands against these numbers; {_counted(notes, 'note')} on how to read them."
    worst = sum(finding.severity == "fail" for finding in serious)
    sentence = f"Read {_whose(serious, results)} with care: {_counted(len(serious), 'finding')} to look into"
    if worst:
        sentence += f", {worst} of them before any number is used"
    return f"{sentence}."


def _whose(findings: list[Finding], results: Results) -> str:
    """The channels concerned; a finding without channels concerns all of them."""
    names = list(dict.fromkeys(name for finding in findings for name in finding.channels))
    if not all(finding.channels for finding in findings) or len(names) == len(results.channels) > 1:
        return "every channel"
    return join_some(names)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
