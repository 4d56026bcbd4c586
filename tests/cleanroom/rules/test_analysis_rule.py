"""Owners' documents: read from TOML or JSON, and refused with every reason at once."""

from __future__ import annotations

import json

import pytest

from cleanroom.errors import RuleInvalid
from cleanroom.rules.analysis_rule import RuleDocument
from cleanroom.rules.reference_rules import reference_rules

TOML = """
dataset = "visits"
[columns]
person = { role = "identity" }
shop = { role = "dimension", values = ["north", "south"] }
spent = { role = "measure", max_per_person = 500.0 }
[rule]
min_group_size = 60
dimensions = ["shop"]
"""


def test_toml_and_json_of_the_same_document_are_the_same() -> None:
    from_toml = RuleDocument.parse(TOML)
    assert RuleDocument.parse(json.dumps(from_toml.canonical())) == from_toml
    assert (from_toml.identity, from_toml.rule.min_group_size) == ("person", 60)


def test_every_reason_comes_at_once() -> None:
    document = reference_rules()["crm"].canonical()
    document["rule"] |= {"min_group_size": 1, "largest_share": 2, "colour": "red"}
    with pytest.raises(RuleInvalid, match="3 problems") as caught:
        RuleDocument.of(document)
    told = {reason.message.split(":")[0] for reason in caught.value.reasons}
    assert told == {"rule.min_group_size", "rule.largest_share", "rule.colour"}


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "r0"},
        {"dataset": "room_cells"},
        {"dataset": "Crm"},
        {"columns": {"segment": {"role": "dimension"}}},
        {"columns": {"a": {"role": "identity"}, "b": {"role": "identity"}}},
        {"columns": {"user_hash": {"role": "identity"}, "x y": {"role": "dimension"}}},
        {"rule": {"dimensions": ["nothing"]}},
        {"rule": {"measures": ["segment"]}},
        {"rule": {"comparisons": ["user_hash"]}},
        {"rule": {"scalar_functions": ["UPER"]}},
        {"rule": {"min_group_size": float("nan")}},
    ],
)
def test_what_does_not_fit_together_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(RuleInvalid):
        RuleDocument.of({**reference_rules()["crm"].canonical(), **change})


@pytest.mark.parametrize(
    "text", ["", "{", "[", b"\xff\xfe", "{" * 5_000, "a = " + "[" * 5_000, "x" * 300_000]
)
def test_what_is_no_document_is_refused(text: str | bytes) -> None:
    with pytest.raises(RuleInvalid):
        RuleDocument.parse(text)
