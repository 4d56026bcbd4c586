"""Small charts as SVG text: shapes, labels that fit, scales. Deterministic, no fonts or scripts inside."""

import math
from dataclasses import dataclass, field
from html import escape

Point = tuple[float, float]

# Okabe and Ito's colours tell apart in every common colour blindness; shapes differ too, for grey prints.
INK, MUTED, RULE, PALE = "#1d2530", "#5b6673", "#d5dbe1", "#e8eef4"
BLUE, ORANGE, GREY = "#1b5e9b", "#d55e00", "#9aa5b1"
FONT = "-apple-system, 'Segoe UI', Roboto, Inter, 'Helvetica Neue', Arial, sans-serif"
TEXT_SIZE = 10.5


@dataclass(eq=False)
class Canvas:
    """An SVG picture under construction; coordinates grow right and down, `label` is what a reader hears."""

    width: float
    height: float
    label: str
    _parts: list[str] = field(default_factory=list, init=False)

    def line(self, start: Point, end: Point, **style: str | float) -> None:
        """A straight line, hairline by default."""
        (x1, y1), (x2, y2) = start, end
        self._add("line", "", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "stroke": RULE, **style})

    def rect(self, corner: Point, size: Point, hint: str = "", **style: str | float) -> None:
        """A filled rectangle; `hint` is shown when pointed at."""
        (x, y), (width, height) = corner, size
        self._add("rect", hint, {"x": x, "y": y, "width": width, "height": height, "fill": BLUE, **style})

    def dot(self, centre: Point, radius: float, hint: str = "", **style: str | float) -> None:
        """A disc."""
        self._add("circle", hint, {"cx": centre[0], "cy": centre[1], "r": radius, "fill": BLUE, **style})

    def diamond(self, centre: Point, radius: float, hint: str = "") -> None:
        """The marker of a known truth: an open diamond."""
        x, y = centre
        corners = [(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)]
        self.polyline([*corners, corners[0]], hint, fill="#ffffff", stroke=ORANGE, stroke_width=1.8)

    def polyline(self, points: list[Point], hint: str = "", **style: str | float) -> None:
        """Straight pieces through `points`."""
        path = "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points)
        self._add(
            "path", hint, {"d": path, "fill": "none", "stroke": BLUE, "stroke_linejoin": "round", **style}
        )

    def text(self, at: Point, text: str, **style: str | float) -> None:
        """One line of text, its baseline starting at `at` (see `text_anchor`)."""
        given = {"x": at[0], "y": at[1], "font_size": TEXT_SIZE, "fill": INK, **style}
        self._parts.append(f"<text{_attributes(given)}>{escape(printable(text))}</text>")

    def label_in(self, at: Point, text: str, width: float, **style: str | float) -> None:
        """As `text`, shortened to `width`; the whole text is shown when pointed at."""
        size = float(style.get("font_size", TEXT_SIZE))
        given = {"x": at[0], "y": at[1], "font_size": size, "fill": INK, **style}
        body = escape(shortened(text, width, size=size))
        self._parts.append(f"<text{_attributes(given)}><title>{escape(printable(text))}</title>{body}</text>")

    def svg(self) -> str:
        """The finished picture."""
        size = f"{_number(self.width)} {_number(self.height)}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img" '
            f'aria-label="{escape(printable(self.label))}" font-family="{escape(FONT)}">'
            f"{''.join(self._parts)}</svg>"
        )

    def _add(self, tag: str, hint: str, style: dict[str, str | float]) -> None:
        title = f"<title>{escape(printable(hint))}</title>" if hint else ""
        self._parts.append(f"<{tag}{_attributes(style)}>{title}</{tag}>")


@dataclass(frozen=True)
class Scale:
    """Numbers from `low` to `high` become positions from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        spread = self.high - self.low
        return self.start + (self.end - self.start) * ((value - self.low) / spread if spread else 0.0)


def nice_ticks(low: float, high: float, about: int = 4) -> tuple[float, ...]:
    """Round numbers from `low` to `high`, roughly `about` of them."""
    spread = high - low
    if not (math.isfinite(spread) and spread > 0):
        return (low,)
    rough = spread / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((unit * power for unit in (1, 2, 2.5, 5, 10)), key=lambda size: abs(size - rough))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(index * step for index in range(first, last + 1))


def text_width(text: str, *, size: float = TEXT_SIZE) -> float:
    """An upper guess of a text's width in the common sans-serif faces."""
    return size * sum(_advance(character) for character in text)


def shortened(text: str, width: float, *, size: float = TEXT_SIZE) -> str:
    """`text` cut with an ellipsis to fit `width`."""
    text = printable(text)
    if text_width(text, size=size) <= width:
        return text
    while text and text_width(text + "…", size=size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def printable(text: str) -> str:
    """`text` without control characters, which no markup may hold."""
    return "".join(character if character.isprintable() or character == "\xa0" else " " for character in text)


def _advance(character: str) -> float:
    if character in "iljtfrI.,:;!|'()[]/- ":
        return 0.36
    if character in "mwMW@%…":
        return 0.95
    if ord(character) > 0x2E80:  # East Asian and emoji
        return 1.05
    return 0.7 if character.isupper() else 0.59


def _attributes(style: dict[str, str | float]) -> str:
    return "".join(
        f' {name.replace("_", "-")}="{escape(value) if isinstance(value, str) else _number(value)}"'
        for name, value in style.items()
    )


def _number(value: float) -> str:
    return f"{round(float(value), 1):g}"
