"""What the three owners of a partner world allow: documents to copy, in the words of docs/clean-room.md."""

from collections.abc import Mapping
from types import MappingProxyType

from cleanroom.rules.analysis_rule import RuleDocument

_EXPOSURES = """\
# The publisher's rules: who saw which ad. No number about fewer than 50 people leaves.
dataset = "exposures"

[columns.user_hash]
role = "identity"

[columns.campaign]
role = "dimension"
values = ["spring", "brand", "clearance"]

[columns.channel]
role = "dimension"
values = ["tv", "outdoor", "social", "display", "search"]

[columns.ts]
role = "time"

[columns.cost]
role = "measure"
decimals = 4
max_per_person = 5.0     # a person's total in one number is cut here
dp_max_per_person = 0.5

[rule]
min_group_size = 50
largest_share = 0.5      # no sum that is half one person's
joins = ["conversions", "crm"]
retention_days = 365
"""

_CONVERSIONS = """\
# The retailer's rules: who bought for how much. Orders may be counted, never shown.
dataset = "conversions"

[columns.user_hash]
role = "identity"

[columns.order_id]
role = "reference"

[columns.ts]
role = "time"

[columns.value]
role = "measure"
max_per_person = 2000.0
dp_max_per_person = 200.0

[rule]
min_group_size = 50
largest_share = 0.2
joins = ["exposures", "crm"]
comparisons = ["ts"]
retention_days = 365
"""

_CONVERSIONS_DP = (
    _CONVERSIONS.replace(
        "# The retailer's rules: who bought for how much. Orders may be counted, never shown.",
        "# The retailer's other rules: every number carries noise, and a budget limits how many there are.",
    ).replace("[rule]\n", '[rule]\nprivacy = "dp"\n')
    + """
[rule.dp]
epsilon_per_query = 1.0
epsilon_budget = 4.0
refresh = "monthly"
max_groups_per_person = 1
max_rows_per_person = 5
"""
)

_CRM = """\
# The advertiser's rules: its customers, and which half of them was in the experiment's control group.
dataset = "crm"

[columns.user_hash]
role = "identity"

[columns.segment]
role = "dimension"
values = ["loyal", "new", "lapsed", "prospect", "staff"]

[columns.region]
role = "dimension"
values = ["north", "south", "east", "west"]

[columns.age_band]
role = "dimension"
values = ["18-29", "30-44", "45-59", "60-89"]

[columns.cell]
role = "dimension"
values = ["test", "control", "none"]      # staff are in neither group

[rule]
min_group_size = 50
dimensions = ["segment", "region", "cell"]       # age bands may be filtered by, not reported
retention_days = 365

[rule.dp]                                        # it may be part of questions whose answers carry noise
epsilon_budget = 10.0
"""

# File name -> text. The second document of the retailer takes the first one's place when it is proposed.
RULE_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "exposures.rules.toml": _EXPOSURES,
        "conversions.rules.toml": _CONVERSIONS,
        "conversions-dp.rules.toml": _CONVERSIONS_DP,
        "crm.rules.toml": _CRM,
    }
)


def rule_document(name: str) -> RuleDocument:
    """The document in one of the files."""
    return RuleDocument.parse(RULE_TEXTS[name], name=name)
