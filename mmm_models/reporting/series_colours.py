"""Colours for series that stand beside each other: Okabe and Ito's, which tell apart in every colour blindness."""

from mmm_models.reporting.svg_canvas import BLUE, ORANGE

SERIES = (BLUE, "#e69f00", "#009e73", "#cc79a7", "#56b4e9", ORANGE, "#8a7a00")
REST = "#b9c2cb"


def colour(index: int) -> str:
    """Of the series with this number; all beyond the last colour are grey."""
    return SERIES[index] if index < len(SERIES) else REST
