"""What can be wrong with an e-mail address, a phone number or an id, by names that never show the value."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from privacy.errors import IdentifierRefused

LONGEST_ADDRESS = 254  # RFC 5321 section 4.5.3.1.3, less the angle brackets
LONGEST_ID = 256


class IdentifierProblem(StrEnum):
    """Why a value was refused. The names are stable: reports count rows by them."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    UNPRINTABLE = "unprintable"  # control, invisible or unassigned characters, half a surrogate pair
    NOT_ONE_AT = "not_one_at"
    INNER_SPACE = "inner_space"
    NO_LOCAL_PART = "no_local_part"  # nothing before the @, or nothing is left of it
    BAD_DOMAIN = "bad_domain"
    NOT_A_PHONE = "not_a_phone"  # letters, an extension, or a plus in the middle
    REGION_NEEDED = "region_needed"
    IMPOSSIBLE_PHONE = "impossible_phone"


_FIXES: Mapping[IdentifierProblem, str] = MappingProxyType(
    {
        IdentifierProblem.EMPTY: "leave such rows out",
        IdentifierProblem.TOO_LONG: f"at most {LONGEST_ADDRESS} characters for an address, {LONGEST_ID} for an id",
        IdentifierProblem.UNPRINTABLE: "remove control and invisible characters when exporting",
        IdentifierProblem.NOT_ONE_AT: "an e-mail address has exactly one @",
        IdentifierProblem.INNER_SPACE: "remove spaces inside the address",
        IdentifierProblem.NO_LOCAL_PART: "an e-mail address has a name before the @",
        IdentifierProblem.BAD_DOMAIN: "an e-mail address ends in a domain such as example.com",
        IdentifierProblem.NOT_A_PHONE: "write one number per cell, without words or extensions",
        IdentifierProblem.REGION_NEEDED: "write numbers as +49..., or name the region of numbers without one",
        IdentifierProblem.IMPOSSIBLE_PHONE: "check the number's length and country code",
    }
)


def refusal(problem: IdentifierProblem) -> IdentifierRefused:
    """The error for a problem. It names the problem, never the value."""
    return IdentifierRefused(
        f"a value cannot be normalised: {problem}; it was left out", problem=problem, hint=_FIXES[problem]
    )


def require_printable(text: str) -> str:
    """The text, if there is any and all of it prints. Raises IdentifierRefused."""
    if not text:
        raise refusal(IdentifierProblem.EMPTY)
    if not text.isprintable():
        raise refusal(IdentifierProblem.UNPRINTABLE)
    return text


def require_short(text: str, longest: int) -> str:
    """The text, if it has at most `longest` characters. Raises IdentifierRefused."""
    if len(text) > longest:
        raise refusal(IdentifierProblem.TOO_LONG)
    return text
