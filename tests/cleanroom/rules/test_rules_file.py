"""Rules of several datasets in one file, as a replay takes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cleanroom.errors import RuleInvalid
from cleanroom.rules.rules_file import read_rules

TWO = """
[crm.columns]
user_hash = { role = "identity" }
region = { role = "dimension" }
[crm.rule]
min_group_size = 20

[exposures.columns]
user_hash = { role = "identity" }
"""


def test_each_table_of_the_file_is_a_datasets_document(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(TWO, encoding="utf-8")

    documents = read_rules(path)

    assert {name: document.rule.min_group_size for name, document in documents.items()} == {
        "crm": 20,
        "exposures": 50,
    }


def test_json_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"crm": {"columns": {"who": {"role": "identity"}}}}), encoding="utf-8")

    assert read_rules(path)["crm"].identity == "who"


def test_problems_of_all_datasets_come_at_once(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    broken = TWO.replace("min_group_size = 20", "min_group_size = 1\nmax = 3").replace(
        '[exposures.columns]\nuser_hash = { role = "identity" }', 'exposures = "all of it"'
    )
    path.write_text(broken.replace('exposures = "all of it"', "[exposures]\ncolumns = {}"), encoding="utf-8")

    with pytest.raises(RuleInvalid) as refused:
        read_rules(path)

    told = " | ".join(reason.message for reason in refused.value.reasons)
    assert "min_group_size" in told
    assert "max" in told
    assert "identity" in told


@pytest.mark.parametrize("content", [b"", b"crm = 3", b"[crm", b"\xff\xfe", b"{", b"[]"])
def test_what_is_no_set_of_rules_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rules.toml"
    path.write_bytes(content)

    with pytest.raises(RuleInvalid):
        read_rules(path)
