"""A manifest says the same after a journey as JSON, and anything else is refused."""

import json

import pytest

from cleanroom.datasets.sealed_table import SealedTableManifest
from cleanroom.errors import SealedTableBroken
from tests.cleanroom.datasets.visits import context, sealed


@pytest.fixture
def plain(tmp_path):
    return sealed(tmp_path).manifest.to_plain()


def test_a_manifest_comes_back_from_json_as_it_was(plain):
    assert SealedTableManifest.of(json.loads(json.dumps(plain))).to_plain() == plain


@pytest.mark.parametrize(
    "field, value",
    [
        ("rows", 0),
        ("rows", "3"),
        ("rows", True),
        ("sealed_bytes", -1),
        ("sealed_sha256", "ab"),
        ("policy_digest", 5),
        ("identity_tag", "DEADBEEF"),
        ("columns", {}),
        ("columns", {"a": "uuid", "b": "uuid"}),
        ("columns", {"a": "uuid", "b": "blob"}),
        ("columns", {"a": "uuid", 'b"; --': "string"}),
        ("columns", ["a"]),
        ("created", "yesterday"),
        ("nonce", ""),
        ("owner", None),
        ("unknown", 1),
    ],
)
def test_a_manifest_with_anything_else_in_it_is_refused(plain, field, value):
    with pytest.raises(SealedTableBroken):
        SealedTableManifest.of({**plain, field: value})


@pytest.mark.parametrize("plain_value", [None, [], "manifest", {}])
def test_what_is_no_manifest_is_refused(plain_value):
    with pytest.raises(SealedTableBroken):
        SealedTableManifest.of(plain_value)


def test_a_seal_is_bound_to_the_place_of_the_table():
    assert context().sealing() == {
        "purpose": "dataset",
        "collaboration": "col-a",
        "dataset": "visits",
        "version": "ver-a",
        "owner": "acme",
        "identity_tag": context().identity_tag,
    }
