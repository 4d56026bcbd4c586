"""One spelling per e-mail address or phone number, under the published rules that partners already hash by.

UID2    unifiedid.com/docs/getting-started/gs-normalization-encoding: trim, lower-case; at gmail.com only, drop dots
        and "+tag"; phones in E.164 with the plus.
GOOGLE  developers.google.com/data-manager/api/devguides/concepts/formatting: also drop spaces inside; at gmail.com
        and googlemail.com, drop dots and "+tag" (the domain stays as written); phones in E.164 with the plus.
META    developers.facebook.com, Conversions API, customer information parameters: trim, lower-case, nothing dropped;
        phones as country code and number, digits only.
OPAQUE  any id, as it is but for spaces at its ends: a customer number, or a digest made elsewhere.

No rule speaks of Unicode forms: addresses are put into NFC, as RFC 6532 section 3.1 advises (NFKC would join
different names), phones into NFKC, where digits have one meaning. Domains in letters and in punycode stay different.
"""

import unicodedata
from enum import StrEnum

from privacy.errors import InvalidSetting
from privacy.identifier_problems import (
    LONGEST_ADDRESS,
    LONGEST_ID,
    IdentifierProblem,
    refusal,
    require_printable,
    require_short,
)
from privacy.phone_numbers import e164, require_region


class IdentifierKind(StrEnum):
    """What a raw value is."""

    EMAIL = "email"
    PHONE = "phone"
    ID = "id"


class IdentifierRule(StrEnum):
    """Whose spelling it is put into."""

    UID2 = "uid2"
    GOOGLE = "google"
    META = "meta"
    OPAQUE = "opaque"


def rules_for(kind: IdentifierKind) -> tuple[IdentifierRule, ...]:
    """The rules that apply to a kind."""
    if kind is IdentifierKind.ID:
        return (IdentifierRule.OPAQUE,)
    return (IdentifierRule.UID2, IdentifierRule.GOOGLE, IdentifierRule.META)


def require_rule(kind: IdentifierKind, rule: IdentifierRule) -> None:
    """Raise InvalidSetting unless the rule applies to the kind."""
    if rule not in rules_for(kind):
        raise InvalidSetting(
            f"rule {rule} does not apply to kind {kind}", hint=f"use one of {', '.join(rules_for(kind))}"
        )


def normalise(raw: str, kind: IdentifierKind, rule: IdentifierRule, region: str = "") -> str:
    """The one spelling of `raw` under `rule`; normalising it again changes nothing (Meta's phones: behind a plus).

    region: where a phone number without country code belongs, as two capital letters.
    Raises IdentifierRefused with the problem's name, InvalidSetting for a rule or region that does not apply.
    """
    require_rule(kind, rule)
    match kind:
        case IdentifierKind.EMAIL:
            return _email(raw, rule)
        case IdentifierKind.PHONE:
            require_region(region)
            international = e164(raw, region)
            return international[1:] if rule is IdentifierRule.META else international
        case IdentifierKind.ID:
            return require_short(require_printable(raw.strip()), LONGEST_ID)


def normalise_first_name(raw: str) -> str:
    """A first name as Meta hashes it: lower-case letters without punctuation or spaces at the ends, in NFC.

    For the match keys of Meta only; a first name is no identity. Raises IdentifierRefused.
    """
    lower = unicodedata.normalize("NFC", unicodedata.normalize("NFC", require_printable(raw.strip())).lower())
    name = "".join(c for c in lower if not unicodedata.category(c).startswith("P")).strip()
    return require_short(require_printable(name), LONGEST_ID)


def _email(raw: str, rule: IdentifierRule) -> str:
    text = "".join(raw.split()) if rule is IdentifierRule.GOOGLE else raw.strip()
    if not text.isascii():  # lower-casing may leave a form that is not NFC, and the other way round
        text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    text = require_printable(text).lower()
    if " " in text:
        raise refusal(IdentifierProblem.INNER_SPACE)
    if text.count("@") != 1:
        raise refusal(IdentifierProblem.NOT_ONE_AT)
    local, _, domain = text.partition("@")
    if "." not in domain or "" in domain.split("."):
        raise refusal(IdentifierProblem.BAD_DOMAIN)
    if domain in _domains_without_dots(rule):
        local = local.partition("+")[0].replace(".", "")
    if not local:
        raise refusal(IdentifierProblem.NO_LOCAL_PART)
    return require_short(f"{local}@{domain}", LONGEST_ADDRESS)


def _domains_without_dots(rule: IdentifierRule) -> tuple[str, ...]:
    match rule:
        case IdentifierRule.UID2:
            return ("gmail.com",)
        case IdentifierRule.GOOGLE:
            return ("gmail.com", "googlemail.com")
        case _:
            return ()
