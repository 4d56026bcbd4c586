"""What the agency of the room's demo asks, in SQL and by templates, and how each column of an answer is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cleanroom.query.template_library import BUILT_IN
from mmm_models.reporting.figure import Column
from mmm_models.reporting.number_format import amount, count, decimal, percent
from simulations.partner_media import EXPERIMENT

Value = str | int | float


@dataclass(frozen=True)
class Question:
    """`name` names the files it leaves; `columns`: those of the answer that are shown, in order, and how.

    A question with `parameters` is asked as an approved template of that name.
    """

    name: str
    title: str
    sql: str
    columns: Mapping[str, Column]
    parameters: Mapping[str, Value] = field(default_factory=dict)


SAW_IT, DID_NOT = "saw it", "did not"
ALWAYS: Mapping[str, Value] = {"since": "2020-01-01", "until": "2030-01-01"}


def _money(value: float | None) -> str:
    return amount(value, "EUR")


def _points(value: float | None) -> str:
    """A share as percentage points."""
    return decimal(None if value is None else 100 * value)


def _built_in(name: str) -> str:
    """The text of a template that comes with the room."""
    return next(template.sql for template in BUILT_IN if template.name == name)


REACH = Question(
    "reach",
    "Reach and cost by campaign and channel",
    """\
SELECT campaign, channel, COUNT(DISTINCT user_hash) AS reach,
       COUNT(*) * 1.0 / COUNT(DISTINCT user_hash) AS frequency, SUM(cost) AS cost
FROM exposures
GROUP BY campaign, channel
ORDER BY campaign, reach DESC""",
    {
        "campaign": Column("Campaign"),
        "channel": Column("Channel"),
        "reach": Column("Reach", count),
        "frequency": Column("Frequency", decimal),
        "cost": Column("Cost", _money),
    },
)
FREQUENCY = Question(
    "reach_and_frequency",
    "How often people saw the spring campaign",
    _built_in("reach_and_frequency"),
    {
        "frequency": Column("Contacts, at most 10"),
        "people": Column("People", count),
        "share": Column("Share", percent),
    },
    {"campaign": EXPERIMENT, **ALWAYS},
)
OVERLAP = Question(
    "overlap",
    "Which customers the spring campaign reached",
    _built_in("overlap"),
    {
        "segment": Column("Segment"),
        "listed": Column("Customers", count),
        "reached": Column("Reached", count),
        "share": Column("Share", percent),
    },
    {"campaign": EXPERIMENT},
)
LIFT = Question(
    "conversion_lift",
    "What the spring campaign added",
    # The built-in template compares two segments; this experiment's groups are in a column of their own.
    _built_in("conversion_lift").replace("c.segment", "c.cell"),
    {
        "test_people": Column("Test group", count),
        "test_rate": Column("of it buys", percent),
        "control_people": Column("Control group", count),
        "control_rate": Column("of it buys", percent),
        "lift": Column("Lift (points)", _points),
        "low": Column("At least", _points),
        "high": Column("At most", _points),
    },
    {"test": "test", "control": "control", **ALWAYS},
)
EXPOSED = Question(
    "exposed",
    "The same without an experiment: who saw the campaign against who did not",
    """\
WITH u AS (
  SELECT c.user_hash, CASE WHEN COUNT(e.user_hash) > 0 THEN 'saw it' ELSE 'did not' END AS spring
  FROM crm c LEFT JOIN exposures e ON c.user_hash = e.user_hash AND e.campaign = 'spring'
  WHERE c.cell IN ('test', 'control')
  GROUP BY c.user_hash)
SELECT u.spring, COUNT(DISTINCT u.user_hash) AS people, COUNT(DISTINCT v.user_hash) AS buyers,
       COUNT(DISTINCT v.user_hash) * 1.0 / COUNT(DISTINCT u.user_hash) AS share
FROM u LEFT JOIN conversions v ON u.user_hash = v.user_hash
GROUP BY u.spring
ORDER BY share DESC""",
    {
        "spring": Column("Spring campaign"),
        "people": Column("People", count),
        "buyers": Column("Buyers", count),
        "share": Column("Share", percent),
    },
)
LAST_TOUCH = Question(
    "last_touch",
    "Last touch: the channel seen last within 14 days before an order",
    _built_in("last_touch"),
    {
        "channel": Column("Channel"),
        "buyers": Column("Buyers", count),
        "orders": Column("Orders", count),
        "revenue": Column("Revenue", _money),
    },
    {"window_days": 14},
)
BUYERS = Question(
    "buyers",
    "Customers who bought, by region",
    """\
SELECT c.region, COUNT(DISTINCT v.user_hash) AS buyers, SUM(v.value) AS revenue
FROM conversions v JOIN crm c ON v.user_hash = c.user_hash
WHERE c.cell IN ('test', 'control')
GROUP BY c.region
ORDER BY c.region""",
    {"region": Column("Region"), "buyers": Column("Buyers", count), "revenue": Column("Revenue", _money)},
)
ONE_PERSON = Question(
    "one_person",
    "The largest order of one customer",
    """\
SELECT c.segment, MAX(v.value) AS largest
FROM crm c JOIN conversions v ON c.user_hash = v.user_hash
WHERE c.user_hash = 'anna@example.com' AND v.value > 500
GROUP BY c.segment""",
    {},
)
SEGMENTS = Question(
    "segments",
    "Customers by segment",
    "SELECT segment, COUNT(DISTINCT user_hash) AS people FROM crm GROUP BY segment ORDER BY segment",
    {"segment": Column("Segment"), "people": Column("People", count)},
)
TOTAL = Question(
    "total",
    "All customers",
    "SELECT COUNT(DISTINCT user_hash) AS people FROM crm",
    {"people": Column("People", count)},
)
TEMPLATES = (FREQUENCY, OVERLAP, LIFT, LAST_TOUCH)
