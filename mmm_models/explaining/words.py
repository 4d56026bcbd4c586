"""What a channel does in sentences that need no chart beside them."""

from collections.abc import Callable, Iterator

from mmm_models.explaining.channel_facts import TWICE, ChannelFacts
from mmm_models.explaining.estimate import Estimate
from mmm_models.explaining.explanation import Explanation
from mmm_models.reporting.number_format import SPACE, amount, decimal, percent, span

TEN = "10\N{NO-BREAK SPACE}%"


def sentences(fact: ChannelFacts, told: Explanation) -> tuple[str, ...]:
    """When it acts, how saturated it is, what it returns, what a little more or less would do."""
    if not fact.has_effect:
        return (f"The model sees nothing that {fact.channel} did in {told.period}.",)
    return (_timing(fact), _saturation(fact, told), *_returns(fact, told), _ten(fact, told))


def insight(told: Explanation) -> str:
    """Where the next money does most and least, and who is nearest to saturation."""
    known = [fact for fact in told.channels if fact.has_effect]
    if not known:
        return f"The model sees nothing that media did in {told.period}."
    full = max(known, key=lambda fact: fact.of_double.value)
    saturated = f"{full.channel} is the most saturated: twice its media would bring {_gain(full)} more"
    paid = [fact for fact in known if fact.is_paid]
    if len(paid) < 2:
        return f"{_capital(saturated)}."
    best, worst = (choose(paid, key=lambda f: f.marginal_roi.value) for choose in (max, min))
    money = _money(told)
    return (
        f"The last {money} brings most in {best.channel} ({decimal(best.marginal_roi.value)}) and least in "
        f"{worst.channel} ({decimal(worst.marginal_roi.value)}); {saturated}."
    )


def _timing(fact: ChannelFacts) -> str:
    peak = fact.timing.peak_week
    when = {1: "the one it runs in", 2: "the one after"}.get(peak, f"{peak - 1} weeks later")
    weeks = _told(fact.timing.half_life_weeks, _tenths, "weeks")
    return f"Half of what a week of {fact.channel} does comes within {weeks}; its strongest week is {when}."


def _saturation(fact: ChannelFacts, told: Explanation) -> str:
    now = "At today's spend" if fact.is_paid else "At today's media"
    text = (
        f"{now} it brings {_told(fact.of_double, _whole)} of what twice the media would, and "
        f"{_told(fact.of_ceiling, _whole)} of what it ever could if its curve went on as fitted"
    )
    return f"{text}{_reach(fact, told)}."


def _reach(fact: ChannelFacts, told: Explanation) -> str:
    """How much of that anybody ever saw."""
    if not told.last_from:
        return "; how high media ever were this run does not say, so both are extrapolated"
    if fact.seen >= TWICE:
        return ""
    most = "than today's" if fact.seen < 1.005 else f"than {decimal(fact.seen)} times today's"
    return f"; media were never higher {most}, so beyond that both are extrapolated"


def _returns(fact: ChannelFacts, told: Explanation) -> Iterator[str]:
    if not fact.is_paid:
        return
    unit = "" if told.is_money else f" {told.value_unit or 'of the outcome'}"
    text = (
        f"Each {_money(told)} brings {_told(fact.roi, decimal)}{unit} on average, "
        f"the last one {_told(fact.marginal_roi, decimal)}"
    )
    yield f"{text}{_verdict(fact.marginal_roi) if told.is_money else ''}."


def _verdict(last: Estimate) -> str:
    """Whether the last unit of money came back, as far as intervals let one say."""
    if last.interval.high < 1.0 or (last.interval.low != last.interval.low and last.value < 1.0):
        return ": less than it costs"
    if last.interval.low < 1.0:
        return ": whether it came back is open"
    return ""


def _ten(fact: ChannelFacts, told: Explanation) -> str:
    money = f" ({amount(0.1 * fact.spend, told.currency)})" if fact.is_paid else ""
    more, less = (_told(number, amount, told.value_unit) for number in (fact.ten_more, fact.ten_less))
    return f"{TEN} more media{money} would bring {more} more; {TEN} less would lose {less}."


def _told(number: Estimate, show: Callable[[float | None], str], unit: str = "") -> str:
    """`1.8 weeks (1.2–2.9)`."""
    between = span(number.interval.low, number.interval.high, show)
    text = f"{show(number.value)}{SPACE}{unit}" if unit else show(number.value)
    return f"{text} ({between})" if between else text


def _tenths(value: float | None) -> str:
    return decimal(value, 1)


def _whole(value: float | None) -> str:
    return percent(value, 0)


def _gain(fact: ChannelFacts) -> str:
    return percent(1.0 / fact.of_double.value - 1.0, 0)


def _money(told: Explanation) -> str:
    return told.currency or "unit of money"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
