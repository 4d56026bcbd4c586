"""Telephone numbers as E.164 has them, read by libphonenumber's metadata as people write them."""

import re
import unicodedata

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from privacy.errors import IdentifierRefused, InvalidSetting
from privacy.identifier_problems import IdentifierProblem, refusal, require_printable

LONGEST_E164 = 16  # a plus and 15 digits; libphonenumber holds longer numbers for possible in Indonesia
_PHONE_TEXT = re.compile(r"\(?\+?[\d\s().\-/‐-―−]+")


def require_region(region: str) -> None:
    """Raise InvalidSetting unless empty or a two-letter region with telephone numbers, such as DE."""
    if region and region not in phonenumbers.SUPPORTED_REGIONS:
        raise InvalidSetting(
            f"{region!r:.20} is not a region with telephone numbers",
            hint="use two capital letters, such as DE or US",
        )


def e164(raw: str, region: str) -> str:
    """A plus, the country code and the number, digits only; reading that again changes nothing.

    region: where a number without country code belongs, or "". Raises IdentifierRefused.
    """
    text = require_printable(unicodedata.normalize("NFKC", raw).strip())
    if not _PHONE_TEXT.fullmatch(text):
        raise refusal(IdentifierProblem.NOT_A_PHONE)
    digits = "".join(str(unicodedata.decimal(c)) for c in text if c.isdecimal())
    if "+" not in text:
        if not region:
            raise refusal(IdentifierProblem.REGION_NEEDED)
        return _national(digits, region)
    return _settled("+" + digits)


def _national(digits: str, region: str) -> str:
    """The number as written in its region; read as international when that is what the list must mean.

    Lists often hold "65 1243 5678" for a number of Singapore, or "49171..." for one of Germany: the country code but no
    plus. So it is read where the digits are no number of the region, or lack the zero that its numbers begin with.
    """
    number = _parsed(digits, region)
    if digits.startswith(str(phonenumbers.country_code_for_region(region))):
        trunk = phonenumbers.ndd_prefix_for_region(region, True) or ""
        lacks_trunk = trunk != "" and not digits.startswith(trunk) and _is_valid(f"+{digits}")
        if lacks_trunk or not phonenumbers.is_valid_number(number):
            try:
                return _settled(f"+{digits}")
            except IdentifierRefused:
                pass  # not that either: what the region's own reading gives decides
    return _settled(_text(number))


def _is_valid(text: str) -> bool:
    try:
        return bool(phonenumbers.is_valid_number(_parsed(text, None)))
    except IdentifierRefused:
        return False


def _settled(text: str) -> str:
    """The E.164 form that reads as itself: a trunk zero behind a country code takes one more reading to vanish."""
    for _ in range(3):
        number = _parsed(text, None)
        if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
            break
        again = _text(number)
        if again == text and len(text) <= LONGEST_E164:
            return text
        text = again
    raise refusal(IdentifierProblem.IMPOSSIBLE_PHONE)


def _parsed(text: str, region: str | None) -> phonenumbers.PhoneNumber:
    try:
        return phonenumbers.parse(text, region)
    except NumberParseException:
        raise refusal(IdentifierProblem.IMPOSSIBLE_PHONE) from None


def _text(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
