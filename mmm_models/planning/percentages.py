"""Percentages of last period's money or media, as people write them: `110%`, `+10%`, `-5%`."""

import re

PERCENTAGE = re.compile(r"[+-]?\d+(?:\.\d+)?\s*%")


def is_percentage(text: str) -> bool:
    """Whether `share` can be told of it."""
    return PERCENTAGE.fullmatch(text.strip()) is not None


def share(percentage: str) -> float:
    """Of what there was; with a sign it is what is added to it or taken away."""
    written = percentage.strip()
    number = float(written.removesuffix("%").rstrip()) / 100.0
    return 1.0 + number if written.startswith(("+", "-")) else number
