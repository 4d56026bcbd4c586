"""All datasets' documents in one TOML or JSON file, by dataset name."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from cleanroom.errors import Reason, RuleInvalid
from cleanroom.rules.analysis_rule import LARGEST_DOCUMENT, RuleDocument


def read_rules(path: Path) -> dict[str, RuleDocument]:
    """Dataset name -> document, from `[crm.columns]`, `[crm.rule]`, ...; raises RuleInvalid with all problems."""
    try:
        content = path.read_bytes()
        if len(content) > LARGEST_DOCUMENT:
            raise RuleInvalid(f"{path} is larger than 256 KiB", hint="shorten the lists of values")
        text = content.decode("utf-8")
        plain = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise RuleInvalid(
            f"{path} is no readable TOML or JSON", hint="check the path and the file"
        ) from error
    documents: dict[str, RuleDocument] = {}
    reasons: list[Reason] = []
    for name, body in plain.items():
        try:
            documents[name] = RuleDocument.of({"dataset": name, **_mapping(body)}, name=f"[{name[:40]}]")
        except RuleInvalid as error:
            reasons += error.reasons or [Reason(error.code, str(error), error.hint)]
    if reasons or not documents:
        raise RuleInvalid(
            f"{path} has {len(reasons) or 'no datasets and so'} problems; nothing was run",
            hint="write [name.columns] and [name.rule] for every dataset; docs/clean-room.md lists the settings",
            reasons=reasons,
        )
    return documents


def _mapping(body: object) -> Mapping[str, object]:
    if isinstance(body, dict):
        return body
    raise RuleInvalid("a dataset's rules are no table", hint="write [name.columns] and [name.rule]")
