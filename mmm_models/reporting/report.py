"""One self-contained HTML page from a model's results: few printed pages, no scripts, nothing fetched."""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mmm_models.reporting import figures
from mmm_models.reporting.finding_lines import findings_insight
from mmm_models.reporting.health_checks import health_checks
from mmm_models.reporting.noise_costs import compares_noise, families, own_family
from mmm_models.reporting.number_format import amount, count, decimal, percent
from mmm_models.reporting.privacy_lines import privacy_headline, privacy_lines
from mmm_models.reporting.report_input import ArmRow, PrivacyBox, ReportInput, RoundPoint, TruthRow
from mmm_models.reporting.report_words import largest, media_totals, model_summary, outcome_unit, outcome_word
from mmm_models.reporting.section import Section
from mmm_models.reporting.told_sections import told_sections
from mmm_models.results import Results

__all__ = ["ArmRow", "PrivacyBox", "ReportInput", "RoundPoint", "TruthRow", "headline", "render"]

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Tile:
    """One number of the strip under the headline."""

    label: str
    value: str
    detail: str


def render(report: ReportInput) -> str:
    """The whole page. Every text in `report` is escaped; names of channels and arms are not trusted."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        report=report,
        headline=headline(report.results),
        tiles=_tiles(report),
        checks=health_checks(report),
        privacy=privacy_lines(report.privacy) if report.privacy else (),
        model=model_summary(report.results),
        findings_insight=findings_insight(report.results),
        channel_errors=figures.channel_errors_table(report),
        family_errors=figures.family_errors_table(report),
        narrow_columns=figures.MOST_COLUMNS + 1,
        told=told_sections(report.explained) if report.explained else None,
        **_sections(report),
    )


def headline(results: Results) -> str:
    """The page in one sentence: `Media contributed 24.8 % of sales; tv most (7.7 %).`"""
    most, word = largest(results), outcome_word(results)
    if most is None:
        return f"The model found no media effect on {word}."
    sentence = f"Media contributed {percent(results.media_share)} of {word}"
    if len(results.channels) == 1:
        return f"{sentence}, all of it through {most.channel}."
    return f"{sentence}; {most.channel} most ({percent(most.share)})."


def _sections(report: ReportInput) -> dict[str, Section | None]:
    return {
        "contributions": Section("Contributions", figures.contributions_figure(report), table_shown=True),
        "returns": Section("Return on spend", figures.roi_figure(report)),
        "curves": _curves(report),
        "experiments": Section("Experiments", figures.experiments_figure(report))
        if report.results.experiments
        else None,
        "fit": Section("Fit on held-out weeks", figures.fit_figure(report)),
        "training": Section("Training", figures.training_figure(report)) if _history(report) else None,
        "comparison": Section(
            "What privacy and federation cost", figures.arms_figure(report), table_shown=True
        )
        if len(own_family(report.arms)) > 1
        else None,
        "families": Section("Models side by side", figures.families_figure(report), table_shown=True)
        if families(report.arms)
        else None,
        "noise": Section("What noise costs", figures.noise_figure(report), table_shown=True)
        if compares_noise(report.arms)
        else None,
    }


def _curves(report: ReportInput) -> Section | None:
    """At today's spend where the run knows it, else over all its weeks."""
    title = "Response curves"
    if report.explained:
        return Section(title, figures.spend_curves_figure(report.explained))
    return Section(title, figures.curves_figure(report)) if report.results.curves else None


def _history(report: ReportInput) -> bool:
    """Whether rounds released anything to draw; private ones do not."""
    return any(point.loss is not None or point.nrmse is not None for point in report.rounds)


def _tiles(report: ReportInput) -> tuple[Tile, ...]:
    results, media = report.results, media_totals(report.results)
    word, unit = outcome_word(results).removeprefix("the "), outcome_unit(results)
    fit = results.holdout
    return (
        Tile(word.capitalize(), amount(results.outcome, unit), f"{count(results.units)} units"),
        Tile("From media", percent(media.share), amount(media.contribution, unit)),
        Tile("Media spend", amount(media.spend, results.currency), f"ROI {decimal(media.roi)}"),
        Tile("Hold-out nRMSE", percent(fit.nrmse), f"MAPE {percent(fit.mape)}; {fit.weeks} weeks"),
        Tile("Privacy", *privacy_headline(report.privacy)),
    )
