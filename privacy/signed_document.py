"""A JSON document with an Ed25519 signature over all of it: what it is, who signed, what it says.

The kind is signed too, so a signature given for one purpose opens no document of another.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from privacy.canonical_json import canonical_json
from privacy.errors import NotCanonical, SignatureRefused
from privacy.identity import verify
from privacy.party_keys import PartyKeys

DOMAIN = b"mixroom signed document 1\0"
PARTS = frozenset({"kind", "body", "signer", "public_key", "signature"})


def sign_document(kind: str, body: Mapping[str, Any], keys: PartyKeys) -> dict[str, Any]:
    """The signed document as plain JSON values: kind, body, signer, public_key and signature (base64).

    Raises NotCanonical when `body` holds anything but JSON values.
    """
    signature = keys.sign(_signed_bytes(kind, keys.name, body))
    return {
        "kind": kind,
        "body": json.loads(canonical_json(body)),
        "signer": keys.name,
        "public_key": base64.b64encode(keys.public.signing).decode(),
        "signature": base64.b64encode(signature).decode(),
    }


def open_document(document: object, *, kind: str, public_key: bytes) -> dict[str, Any]:
    """The body of a document of this kind that the owner of `public_key` signed.

    The key is the reader's own, pinned or registered before; the one in the document is not trusted, only compared.
    Raises SignatureRefused, with the same words whatever is wrong.
    """
    try:
        parts = _parts(document)
        message = _signed_bytes(parts["kind"], parts["signer"], parts["body"])
        signature = base64.b64decode(parts["signature"], validate=True)
        named_key = base64.b64decode(parts["public_key"], validate=True)
    except (ValueError, binascii.Error, NotCanonical) as error:
        raise _refusal(kind) from error
    genuine = verify(public_key, message, signature)
    if not genuine or parts["kind"] != kind or named_key != public_key:
        raise _refusal(kind)
    body: dict[str, Any] = json.loads(canonical_json(parts["body"]))
    return body


def _parts(document: object) -> Mapping[str, Any]:
    if not isinstance(document, Mapping) or set(document) != PARTS:
        raise ValueError("not the five parts")
    if not isinstance(document["body"], Mapping):
        raise ValueError("no body")
    if not all(isinstance(document[part], str) for part in PARTS - {"body"}):
        raise ValueError("a part is no text")
    return document


def _signed_bytes(kind: str, signer: str, body: Mapping[str, Any]) -> bytes:
    return DOMAIN + canonical_json({"kind": kind, "signer": signer, "body": body})


def _refusal(kind: str) -> SignatureRefused:
    return SignatureRefused(
        f"this is no {kind} signed by the expected key; it was not used",
        hint="ask its signer for the document again, and compare fingerprints of the signing key",
    )
