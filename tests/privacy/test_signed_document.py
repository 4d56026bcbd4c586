"""A signed document opens as what it was signed as, and no other way."""

import base64
import copy
import json

import pytest

from privacy.canonical_json import canonical_json
from privacy.errors import NotCanonical, SignatureRefused
from privacy.identity import verify
from privacy.party_keys import PartyKeys
from privacy.signed_document import open_document, sign_document

KEYS = PartyKeys.generate("retailer")
BODY = {"dataset": "sales", "limits": [1, 2.5, None], "nested": {"é": True}}
DOCUMENT = sign_document("dataset rules", BODY, KEYS)


def test_a_document_opens_after_a_journey_as_json():
    travelled = json.loads(json.dumps(DOCUMENT, indent=3))
    assert open_document(travelled, kind="dataset rules", public_key=KEYS.public.signing) == BODY


def test_the_signature_is_over_kind_signer_and_body_behind_a_domain():
    signature = base64.b64decode(DOCUMENT["signature"])
    signed = {"kind": "dataset rules", "signer": "retailer", "body": BODY}
    message = b"mixroom signed document 1\0" + canonical_json(signed)
    assert verify(KEYS.public.signing, message, signature)


def _with(path: list[str], value: object) -> dict:
    changed = copy.deepcopy(DOCUMENT)
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


OTHER = PartyKeys.generate("retailer")
CHANGED = {
    "another kind": _with(["kind"], "release"),
    "another signer": _with(["signer"], "brand"),
    "another number": _with(["body", "limits"], [1, 2.5000001, None]),
    "a whole number for a float": _with(["body", "nested"], {"é": 1}),
    "another key named": _with(["public_key"], sign_document("x", {}, OTHER)["public_key"]),
    "another document's signature": _with(
        ["signature"], sign_document("dataset rules", {}, KEYS)["signature"]
    ),
    "no signature": _with(["signature"], ""),
    "no base64": _with(["signature"], "?"),
    "no text": _with(["signature"], 3),
    "not a number": _with(["body", "limits"], float("nan")),
    "a list as body": _with(["body"], [BODY]),
    "one part more": DOCUMENT | {"more": 1},
    "one part less": {name: part for name, part in DOCUMENT.items() if name != "signer"},
    "signed by another": sign_document("dataset rules", BODY, OTHER),
    "nothing": None,
    "a list": [DOCUMENT],
    "a text": json.dumps(DOCUMENT),
}


@pytest.mark.parametrize("document", CHANGED.values(), ids=CHANGED.keys())
def test_a_changed_document_is_refused_in_the_same_words(document):
    with pytest.raises(SignatureRefused) as refused:
        open_document(document, kind="dataset rules", public_key=KEYS.public.signing)
    assert str(refused.value) == "this is no dataset rules signed by the expected key; it was not used"


def test_a_document_of_another_kind_is_refused_though_genuine():
    with pytest.raises(SignatureRefused):
        open_document(DOCUMENT, kind="release", public_key=KEYS.public.signing)


def test_every_flipped_bit_of_the_signature_is_refused():
    signature = base64.b64decode(DOCUMENT["signature"])
    for bit in range(8 * len(signature)):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        document = DOCUMENT | {"signature": base64.b64encode(flipped).decode()}
        with pytest.raises(SignatureRefused):
            open_document(document, kind="dataset rules", public_key=KEYS.public.signing)


def test_the_body_is_a_copy():
    body = open_document(DOCUMENT, kind="dataset rules", public_key=KEYS.public.signing)
    body["nested"]["é"] = False
    assert DOCUMENT["body"] == BODY


def test_what_json_cannot_say_is_not_signed():
    with pytest.raises(NotCanonical):
        sign_document("x", {"a": b"bytes"}, KEYS)
