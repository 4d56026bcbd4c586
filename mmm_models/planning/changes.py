"""Changes of media as people write them, in per cent or in money."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmm_models.planning.percentages import is_percentage, share
from mmm_models.planning.planning_errors import QuestionInvalid

MONEY = re.compile(r"^([+-]?)(\d+(?:\.\d+)?)$")


@dataclass(frozen=True)
class Change:
    """A channel's media, everywhere or in one part: times `factor`, or, where it is paid, for `spend` in money."""

    channel: str
    factor: float | None = None
    spend: float | None = None
    part: str | None = None


def changes_of(changes: Mapping[str, str | float] | Sequence[str]) -> list[Change]:
    """`{"social": "+20%", "tv": 250000}` or `["social=+20%", "tv=250000"]`. Raises QuestionInvalid."""
    if not isinstance(changes, Mapping):
        return [parse_change(text) for text in ([changes] if isinstance(changes, str) else changes)]
    return [
        parse_change(f"{name}={amount}" if isinstance(amount, str) else f"{name}={amount:.6f}")
        for name, amount in changes.items()
    ]


def parse_change(text: str) -> Change:
    """`social=+20%`, `search=-10%`, `tv=80%` (of last period), `tv=250000` (money) or `north/tv=+20%`.

    Raises QuestionInvalid.
    """
    name, _, amount = (piece.strip() for piece in text.partition("="))
    part, _, channel = name.rpartition("/")
    money = MONEY.match(amount)
    if not channel or not (money or is_percentage(amount)):
        raise QuestionInvalid(
            f"{text!r} is no change",
            hint="write social=+20%, search=-10%, tv=80% or tv=250000; for one silo north/tv=+20%",
        )
    if money is None:
        return Change(channel, factor=share(amount), part=part or None)
    if money.group(1):
        raise QuestionInvalid(
            f"{text!r} adds money, which needs a percentage",
            hint=f"write {name}=+20%, or the whole amount without a sign",
        )
    return Change(channel, spend=float(amount), part=part or None)
