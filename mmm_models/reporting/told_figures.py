"""Every figure of an explanation by the name of its file."""

from collections.abc import Iterator

from mmm_models.explaining.explanation import Explanation
from mmm_models.explaining.waterfall import Kind
from mmm_models.reporting.figure import Figure
from mmm_models.reporting.figure_parts import parts_figure
from mmm_models.reporting.figure_spend_curves import spend_curves_figure
from mmm_models.reporting.figure_waterfall import waterfall_figure
from mmm_models.reporting.figure_weeks import weeks_figure

WATERFALLS: dict[Kind, str] = {
    "outcome": "outcome",
    "past": "last-period",
    "plan": "next-period",
    "what-if": "what-if",
}


def told_figures(told: Explanation) -> dict[str, Figure]:
    """Those that the run has something to show for."""
    return dict(_figures(told))


def _figures(told: Explanation) -> Iterator[tuple[str, Figure]]:
    if told.curves:
        yield "curves", spend_curves_figure(told)
    if told.weeks:
        yield "weeks", weeks_figure(told)
    if told.parts:
        yield "silos", parts_figure(told)
    for waterfall in told.waterfalls:
        yield WATERFALLS[waterfall.kind], waterfall_figure(told, waterfall)
