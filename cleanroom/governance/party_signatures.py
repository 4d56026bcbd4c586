"""Opens what parties signed, under the keys registered for them or, when they join, the keys they bring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cleanroom.errors import SignatureInvalid
from cleanroom.governance.terms import read_keys
from privacy.errors import SignatureRefused
from privacy.party_keys import PublicKeys
from privacy.signed_document import open_document


def open_signed(document: object, *, kind: str, keys: PublicKeys) -> dict[str, Any]:
    """The body of a document of this kind that the party signed. Raises SignatureInvalid."""
    try:
        body = open_document(document, kind=kind, public_key=keys.signing)
    except SignatureRefused as error:
        raise _invalid(kind) from error
    if not isinstance(document, Mapping) or document["signer"] != keys.name:
        raise _invalid(kind)
    return body


def open_self_signed(document: object, *, kind: str) -> dict[str, Any]:
    """The body of a document signed by the keys that it names itself: it proves only that its maker holds them."""
    body = document.get("body") if isinstance(document, Mapping) else None
    if not isinstance(body, Mapping):
        raise _invalid(kind)
    return open_signed(document, kind=kind, keys=read_keys(body.get("keys")))


def require_body(document: object, *, kind: str, keys: PublicKeys, body: Mapping[str, Any]) -> None:
    """Raise SignatureInvalid unless the party signed exactly `body`."""
    if open_signed(document, kind=kind, keys=keys) != body:
        raise _invalid(kind)


def _invalid(kind: str) -> SignatureInvalid:
    return SignatureInvalid(
        f"this is not the member's signature on exactly this {kind}, in this collaboration and place",
        hint="read it again and sign it anew with your own key",
    )
