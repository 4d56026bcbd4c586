"""Hold-out RMSE of every family beside the linear MMM's, on each study's panel, with what was published."""

from __future__ import annotations

from collections.abc import Sequence

from mmm_models.reporting.figure import Column, Figure, Table
from mmm_models.reporting.svg_canvas import BLUE, INK, MUTED, RULE, Canvas, Scale, nice_ticks
from mmm_models.reporting.whisker import draw_whisker
from mmm_models.results import Interval
from simulations.papers.claims import CLAIMS, Unit, in_words
from simulations.papers.model_comparison import LINEAR, PUBLISHED, UNTUNED, FamilyFit, below

SHOWN = ("ridge", "boosting", UNTUNED, "recurrent", "neural")
_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _GAP = 640.0, 130.0, 24.0, 14.0, 19.0, 30.0
_FLOOR, _CEILING = -1.0, 0.75  # a model twice as far off as the linear one leaves the picture


def papers_figure(fits: Sequence[FamilyFit]) -> Figure:
    """Dots are means over seeds, lines the range; diamonds are published."""
    studies = list(dict.fromkeys(fit.study for fit in fits))
    found = [(study, name, below(tuple(fits), study, name, LINEAR)) for study in studies for name in SHOWN]
    insight = _insight(found)
    bottom = _TOP + len(studies) * (_GAP + _ROW * len(SHOWN))
    canvas, scale = Canvas(_WIDTH, bottom + 24, insight), Scale(_FLOOR, _CEILING, _LEFT, _WIDTH - _RIGHT)
    _axis(canvas, scale, bottom)
    y = _TOP
    for study in studies:
        canvas.text((0, y + 8), study, font_weight="bold")
        for offset, (_, name, values) in enumerate(row for row in found if row[0] == study):
            _family(canvas, scale, y + _GAP - 4 + offset * _ROW, name, values)
        y += _GAP + _ROW * len(SHOWN)
    columns = (Column("panel"), Column("model"), Column("below linear", _share))
    table = Table(columns, tuple((study, name, sum(values) / len(values)) for study, name, values in found))
    return Figure(canvas.svg(), table, insight, _READING)


_READING = (
    "How far hold-out RMSE lies below that of a linear MMM: right of zero is better. Dot: mean over seeds; line: "
    "lowest to highest; an arrow or a dot at the edge goes on beyond it. Diamond: what was published."
)


def _axis(canvas: Canvas, scale: Scale, bottom: float) -> None:
    for tick in nice_ticks(scale.low, scale.high):
        x = scale(tick)
        canvas.line((x, _TOP), (x, bottom), stroke=INK if tick == 0 else RULE)
        canvas.text((x, bottom + 14), f"{100 * tick:g} %", text_anchor="middle", fill=MUTED)


def _family(canvas: Canvas, scale: Scale, y: float, name: str, values: Sequence[float]) -> None:
    canvas.text((10, y + 4), name)
    mean = sum(values) / len(values)
    draw_whisker(canvas, scale, y, Interval(min(values), max(values)))
    if name in PUBLISHED:
        limit = CLAIMS[PUBLISHED[name][0]].limit
        canvas.diamond((scale(limit), y), 5, hint=f"published: {_share(limit)}")
    canvas.dot((scale(max(mean, _FLOOR)), y), 4, hint=f"{name}: {_share(mean)}", fill=BLUE)


def _insight(found: Sequence[tuple[str, str, tuple[float, ...]]]) -> str:
    parts = []
    for name, (claim, _) in PUBLISHED.items():
        agreed = [
            CLAIMS[claim].agrees(value) for _, family, values in found if family == name for value in values
        ]
        parts.append(f"{name} in {sum(agreed)} of {len(agreed)}")
    return f"The published advantage over a linear MMM appears in these fits: {'; '.join(parts)}."


def _share(value: float | None) -> str:
    return "-" if value is None else in_words(value, Unit.SHARE)
