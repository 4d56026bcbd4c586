"""The reference rules: three owners, fifty people a number, as `mixroom room replay` uses them by default."""

from __future__ import annotations

from cleanroom.rules.analysis_rule import Mode, RuleDocument

_TABLES: dict[str, dict[str, dict[str, object]]] = {
    "exposures": {
        "user_hash": {"role": "identity"},
        "campaign": {"role": "dimension"},
        "channel": {"role": "dimension"},
        "ts": {"role": "time"},
        "cost": {"role": "measure", "max_per_person": 1_000, "dp_max_per_person": 20},
    },
    "conversions": {
        "user_hash": {"role": "identity"},
        "order_id": {"role": "reference"},
        "ts": {"role": "time"},
        "value": {"role": "measure", "max_per_person": 20_000, "dp_max_per_person": 500},
    },
    "crm": {
        "user_hash": {"role": "identity"},
        "segment": {"role": "dimension"},
        "region": {"role": "dimension"},
        "age_band": {"role": "dimension"},
    },
}
OWNERS = {"exposures": "publisher", "conversions": "retailer", "crm": "advertiser"}


def reference_rules(mode: Mode = Mode.THRESHOLD, *, epsilon_budget: float = 10.0) -> dict[str, RuleDocument]:
    """One document per dataset: minimum 50 people, all joins, dimensions and measures, free SQL."""
    rule = {
        "min_group_size": 50,
        "privacy": mode.value,
        "dp": {"epsilon_budget": epsilon_budget, "epsilon_per_query": 1.0},
    }
    return {
        name: RuleDocument.of({"dataset": name, "columns": columns, "rule": rule})
        for name, columns in _TABLES.items()
    }
