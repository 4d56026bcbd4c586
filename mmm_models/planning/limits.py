"""Limits on next period's money, as people write them: floors, ceilings, changes, groups, silos."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from mmm_models.planning.percentages import is_percentage, share
from mmm_models.planning.planning_errors import LimitsInvalid

DEFAULT_CHANGE = 0.5


def _amount(value: float | str) -> float | str:
    if isinstance(value, str):
        if not is_percentage(value):
            raise ValueError(f"must be an amount of money or a percentage such as '80%', found {value!r}")
        if share(value) < 0:
            raise ValueError(f"must be -100% or more, found {value!r}")
    elif not 0 <= value < float("inf"):
        raise ValueError(f"must be 0 or more, found {value!r}")
    return value


def _size(value: float | str) -> float | str:
    """Of a change, in either direction: without a sign."""
    if isinstance(value, str) and value.strip().startswith("-"):
        raise ValueError(f"must be how much more or less, such as '20%', found {value!r}")
    return _amount(value.strip().removeprefix("+") if isinstance(value, str) else value)


Amount = Annotated[float | str, AfterValidator(_amount)]
Size = Annotated[float | str, AfterValidator(_size)]


class Limit(BaseModel):
    """How much money: amounts, or percentages of last period's spend, `120%` or `+20%`. `change` is a floor and a
    ceiling in one: at most that much more or less than last period."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    floor: Amount | None = None
    ceiling: Amount | None = None
    change: Size | None = None

    def low(self, last: float) -> float:
        """Least money, given last period's."""
        bounds = [0.0, *([money(self.floor, last)] if self.floor is not None else [])]
        return max(bounds + ([last - money(self.change, last)] if self.change is not None else []))

    def high(self, last: float) -> float:
        """Most money, given last period's; infinite without a ceiling."""
        bounds = [float("inf"), *([money(self.ceiling, last)] if self.ceiling is not None else [])]
        return min(bounds + ([last + money(self.change, last)] if self.change is not None else []))


class Group(Limit):
    """Channels limited together."""

    channels: Annotated[list[str], Field(min_length=1)]


class Limits(BaseModel):
    """All limits of one plan. `cells` are named "part/channel". Channels, parts and groups are limited as sums.

    `change` holds for every channel without a limit of its own: none may leave last period's spend by more, so that
    a plan stays near what was observed. It is 50 % unless said otherwise, and "none" lifts it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    change: Size | None = f"{DEFAULT_CHANGE:.0%}"
    channels: dict[str, Limit] = {}
    parts: dict[str, Limit] = {}
    groups: dict[str, Group] = {}
    cells: dict[str, Limit] = {}


def money(amount: float | str, last: float) -> float:
    """An amount in money; percentages are of `last`, or with a sign of what is added to it or taken away."""
    return last * share(amount) if isinstance(amount, str) else float(amount)


def limits_from(content: Mapping[str, Any]) -> Limits:
    """Limits from what a TOML file or a request says. Raises LimitsInvalid with every problem."""
    given = dict(content)
    if given.get("change") == "none":
        given["change"] = None
    try:
        return Limits.model_validate(given)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(place) for place in problem['loc'] if place not in ('float', 'str'))}: "
            f"{problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        ]
        raise LimitsInvalid(
            "the limits cannot be read: " + "; ".join(dict.fromkeys(problems)),
            hint='write them as [channels.tv] floor = 100000, ceiling = "150%", change = "20%"; '
            'likewise [parts.NAME], [cells."PART/CHANNEL"] and [groups.NAME] with channels = [...]',
        ) from error
