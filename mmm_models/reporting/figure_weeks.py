"""Every week's outcome taken apart: baseline and media above, each channel's part of the media below."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.explaining.explanation import Explanation
from mmm_models.reporting.figure import Column, Figure, Table
from mmm_models.reporting.number_format import amount, percent, round_amount
from mmm_models.reporting.series_colours import REST, SERIES
from mmm_models.reporting.svg_canvas import BLUE, GREY, INK, MUTED, Canvas, Scale, nice_ticks
from mmm_models.reporting.told_words import in_unit
from mmm_models.reporting.week_axis import week_marks

Array = NDArray[np.float64]
WIDTH, LEFT, RIGHT, LABELS = 700.0, 46.0, 580.0, 588.0
TOP, UPPER_FLOOR, LOWER_TOP, FLOOR, HEIGHT = 16.0, 96.0, 126.0, 236.0, 254.0
LABEL_STEP, SWATCH, SMALL = 12.5, 7.0, 9.0


@dataclass(frozen=True, eq=False)
class _Band:
    name: str
    colour: str
    values: Array


def weeks_figure(told: Explanation) -> Figure:
    """Two charts on one axis of weeks. Without weeks an empty one that says so."""
    bands = _bands(told)
    insight = _insight(told, bands)
    return Figure(_svg(told, bands, insight), _table(told), insight, _how_to_read(told))


def _bands(told: Explanation) -> list[_Band]:
    """Channels by what they added, largest first; those beyond the last colour together."""
    if not told.weeks:
        return []
    added = np.array([week.contributions for week in told.weeks]).reshape(len(told.weeks), -1)
    order = np.argsort(-added.sum(axis=0), kind="stable")
    named = order if len(order) <= len(SERIES) else order[: len(SERIES) - 1]
    bands = [
        _Band(told.channel_names[channel], SERIES[place], added[:, channel])
        for place, channel in enumerate(named)
    ]
    rest = order[len(named) :]
    return [*bands, _Band(f"{len(rest)} others", REST, added[:, rest].sum(axis=1))] if len(rest) else bands


def _insight(told: Explanation, bands: list[_Band]) -> str:
    if not told.weeks or not bands:
        return "This run says nothing of single weeks."
    weeks = told.weeks[-told.period_weeks :]
    sold = np.array([week.outcome for week in weeks])
    media = np.sum([band.values for band in bands], axis=0)[-len(weeks) :]
    share = np.divide(media, sold, out=np.zeros_like(sold), where=sold > 0)
    most, least = int(share.argmax()), int(np.where(sold > 0, share, np.inf).argmin())
    return (
        f"Media made {percent(media.sum() / sold.sum())} of the last {len(weeks)} weeks: most in the week of "
        f"{weeks[most].first_day} ({percent(share[most])}), least in that of {weeks[least].first_day} "
        f"({percent(share[least])})."
    )


def _table(told: Explanation) -> Table:
    unit = told.outcome_unit
    columns = [Column("Week from"), Column(in_unit("Outcome", unit), amount), Column("Baseline", amount)]
    columns += [Column(name, amount) for name in told.channel_names]
    return Table(
        tuple(columns),
        tuple((week.first_day, week.outcome, week.baseline, *week.contributions) for week in told.weeks),
    )


def _how_to_read(told: Explanation) -> str:
    unit = f" in {told.outcome_unit}" if told.outcome_unit else ""
    return (
        f"Above: the outcome of each week{unit}, grey what there would have been without media (season, trend, "
        "prices), blue what media added. Below: the same media by channel, on a scale of their own. An effect stands "
        "in the week it comes, not in that of its spend; of media before the first week nothing is known."
    )


def _svg(told: Explanation, bands: list[_Band], insight: str) -> str:
    canvas = Canvas(WIDTH, HEIGHT if bands else 20.0, f"Area charts of every week. {insight}")
    if not bands:
        return canvas.svg()
    across = Scale(0.0, max(len(told.weeks) - 1, 1), LEFT, RIGHT)
    _draw_outcome(canvas, told, across)
    _draw_channels(canvas, bands, across)
    for index, text in week_marks([week.first_day for week in told.weeks]):
        canvas.line((across(index), FLOOR), (across(index), FLOOR + 4), stroke=GREY)
        anchor = "end" if across(index) > RIGHT - 24 else "middle" if across(index) > LEFT + 24 else "start"
        canvas.text((across(index), FLOOR + 15), text, text_anchor=anchor, font_size=SMALL, fill=MUTED)
    return canvas.svg()


def _draw_outcome(canvas: Canvas, told: Explanation, across: Scale) -> None:
    sold = np.array([week.outcome for week in told.weeks])
    rest = np.array([week.baseline for week in told.weeks])
    up = Scale(min(0.0, float(rest.min())), max(float(sold.max()), 1e-12), UPPER_FLOOR, TOP)
    canvas.text((LEFT, 9), in_unit("Outcome", told.outcome_unit), font_size=SMALL, fill=MUTED)
    _draw_ticks(canvas, up, about=3)
    _draw_area(canvas, np.zeros_like(rest), rest, across=across, up=up, colour=REST, hint="baseline")
    _draw_area(canvas, rest, sold, across=across, up=up, colour=BLUE, hint="all media")
    canvas.polyline(_line(sold, across, up), "outcome", stroke=INK, stroke_width=1)
    ends = [("all media", BLUE, up((rest[-1] + sold[-1]) / 2)), ("baseline", REST, up(rest[-1] / 2))]
    _draw_labels(canvas, ends, top=TOP + 6, floor=UPPER_FLOOR)


def _draw_channels(canvas: Canvas, bands: list[_Band], across: Scale) -> None:
    """The largest at the bottom."""
    edges = np.cumsum([np.zeros_like(bands[0].values), *(band.values for band in bands)], axis=0)
    up = Scale(0.0, max(float(edges[-1].max()), 1e-12), FLOOR, LOWER_TOP)
    canvas.text((LEFT, LOWER_TOP - 7), "Media by channel", font_size=SMALL, fill=MUTED)
    _draw_ticks(canvas, up, about=4)
    ends = []
    for band, low, high in zip(bands, edges, edges[1:], strict=False):
        _draw_area(canvas, low, high, across=across, up=up, colour=band.colour, hint=band.name)
        ends.append((band.name, band.colour, up((low[-1] + high[-1]) / 2)))
    _draw_labels(canvas, ends[::-1], top=LOWER_TOP + 6, floor=FLOOR)


def _draw_ticks(canvas: Canvas, up: Scale, *, about: int) -> None:
    for tick in nice_ticks(up.low, up.high, about):
        canvas.line((LEFT, up(tick)), (RIGHT, up(tick)), stroke_width=0.6)
        canvas.text(
            (LEFT - 5, up(tick) + 3), round_amount(tick), text_anchor="end", font_size=SMALL, fill=MUTED
        )


def _draw_area(
    canvas: Canvas, low: Array, high: Array, *, across: Scale, up: Scale, colour: str, hint: str
) -> None:
    outline = [*_line(high, across, up), *reversed(_line(low, across, up))]
    canvas.polyline(outline, hint, fill=colour, stroke="none")


def _line(values: Array, across: Scale, up: Scale) -> list[tuple[float, float]]:
    return [(across(index), up(float(value))) for index, value in enumerate(values)]


def _draw_labels(canvas: Canvas, ends: list[tuple[str, str, float]], *, top: float, floor: float) -> None:
    """Names beside where their areas end, from top to bottom, moved apart where they would meet."""
    heights = spread([height for _, _, height in ends], top, floor)
    for (name, colour, _), height in zip(ends, heights, strict=True):
        canvas.rect((LABELS, height - SWATCH / 2), (SWATCH, SWATCH), fill=colour)
        canvas.label_in((LABELS + SWATCH + 4, height + 3.5), name, WIDTH - LABELS - SWATCH - 4)


def spread(heights: list[float], top: float, floor: float) -> list[float]:
    """Heights from top to bottom, at least a label apart, and inside as far as there is room."""
    found: list[float] = []
    for height in heights:
        found.append(max(height, found[-1] + LABEL_STEP if found else top))
    limit = floor
    for index in reversed(range(len(found))):
        found[index] = min(found[index], limit)
        limit = found[index] - LABEL_STEP
    return found
