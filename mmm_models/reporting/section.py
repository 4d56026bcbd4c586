"""A figure as a page shows it."""

from dataclasses import dataclass

from markupsafe import Markup

from mmm_models.reporting.figure import Figure


@dataclass(frozen=True)
class Section:
    """Its heading with it; `table_shown` when its table stands open instead of folding away."""

    title: str
    figure: Figure
    table_shown: bool = False

    @property
    def svg(self) -> Markup:
        """The picture as markup: drawn here, with every name in it escaped."""
        return Markup(self.figure.svg)
