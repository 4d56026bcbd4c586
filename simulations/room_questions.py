"""What the agency of the room's demo asks, in SQL, and how each column of an answer is shown."""

from __future__ import annotations

from dataclasses import dataclass

from mmm_models.reporting.figure import Column
from mmm_models.reporting.number_format import amount, count, decimal, percent


@dataclass(frozen=True)
class Question:
    """`name` names the files it leaves; `columns` show the answer's columns in their order."""

    name: str
    title: str
    sql: str
    columns: tuple[Column, ...]


CONFIDENCE_95 = 1.96  # half the width of a 95 % interval in standard errors
SAW_IT, DID_NOT = "saw it", "did not"


def _money(value: float | None) -> str:
    return amount(value, "EUR")


def _points(value: float | None) -> str:
    """A share as percentage points."""
    return decimal(None if value is None else 100 * value)


REACH = Question(
    "reach",
    "Reach and frequency by campaign and channel",
    """\
SELECT campaign, channel, COUNT(DISTINCT user_hash) AS reach,
       COUNT(*) * 1.0 / COUNT(DISTINCT user_hash) AS frequency, SUM(cost) AS cost
FROM exposures
GROUP BY campaign, channel
ORDER BY campaign, reach DESC""",
    (
        Column("Campaign"),
        Column("Channel"),
        Column("Reach", count),
        Column("Frequency", decimal),
        Column("Cost", _money),
    ),
)
CONTACTS = Question(
    "contacts",
    "How often people saw the spring campaign",
    """\
WITH f AS (SELECT user_hash, COUNT(*) AS contacts FROM exposures WHERE campaign = 'spring' GROUP BY user_hash)
SELECT LEAST(contacts, 5) AS contacts, COUNT(DISTINCT user_hash) AS people
FROM f
GROUP BY LEAST(contacts, 5)
ORDER BY contacts""",
    (Column("Contacts, at most 5"), Column("People", count)),
)
OVERLAP = Question(
    "overlap",
    "Which customers the publisher reaches",
    """\
SELECT c.segment, COUNT(DISTINCT c.user_hash) AS customers, COUNT(DISTINCT e.user_hash) AS reached,
       COUNT(DISTINCT e.user_hash) * 1.0 / COUNT(DISTINCT c.user_hash) AS share
FROM crm c LEFT JOIN exposures e ON c.user_hash = e.user_hash
GROUP BY c.segment
ORDER BY c.segment""",
    (Column("Segment"), Column("Customers", count), Column("Reached", count), Column("Share", percent)),
)
LIFT = Question(
    "conversion_lift",
    "What the spring campaign added",
    """\
WITH g AS (
  SELECT c.cell, COUNT(DISTINCT c.user_hash) AS n, COUNT(DISTINCT v.user_hash) AS buyers
  FROM crm c LEFT JOIN conversions v ON c.user_hash = v.user_hash
  WHERE c.cell IN ('test', 'control')
  GROUP BY c.cell),
r AS (
  SELECT MAX(CASE WHEN cell = 'test' THEN n END) AS nt, MAX(CASE WHEN cell = 'control' THEN n END) AS nc,
         MAX(CASE WHEN cell = 'test' THEN buyers * 1.0 / n END) AS pt,
         MAX(CASE WHEN cell = 'control' THEN buyers * 1.0 / n END) AS pc
  FROM g)
SELECT pt AS test, pc AS control, pt - pc AS lift,
       pt - pc - :z * SQRT(pt * (1 - pt) / nt + pc * (1 - pc) / nc) AS low,
       pt - pc + :z * SQRT(pt * (1 - pt) / nt + pc * (1 - pc) / nc) AS high
FROM r""",
    (
        Column("Test group buys", percent),
        Column("Control group buys", percent),
        Column("Lift (points)", _points),
        Column("At least", _points),
        Column("At most", _points),
    ),
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
    (Column("Spring campaign"), Column("People", count), Column("Buyers", count), Column("Share", percent)),
)
LAST_TOUCH = Question(
    "last_touch",
    "Last touch: the channel seen last within 14 days before an order",
    """\
WITH j AS (
  SELECT v.user_hash, v.order_id, v.value, e.channel,
         ROW_NUMBER() OVER (PARTITION BY v.user_hash, v.order_id ORDER BY e.ts DESC) AS place
  FROM conversions v JOIN exposures e
    ON v.user_hash = e.user_hash AND e.ts <= v.ts AND e.ts >= v.ts - INTERVAL 14 DAY)
SELECT channel, COUNT(DISTINCT user_hash) AS buyers, SUM(value) AS revenue
FROM j
WHERE place = 1
GROUP BY channel
ORDER BY revenue DESC""",
    (Column("Channel"), Column("Buyers", count), Column("Revenue", _money)),
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
    (Column("Region"), Column("Buyers", count), Column("Revenue", _money)),
)
ONE_PERSON = Question(
    "one_person",
    "The largest order of one customer",
    """\
SELECT c.segment, MAX(v.value) AS largest
FROM crm c JOIN conversions v ON c.user_hash = v.user_hash
WHERE c.user_hash = 'anna@example.com' AND v.value > 500
GROUP BY c.segment""",
    (),
)
SEGMENTS = Question(
    "segments",
    "Customers by segment",
    "SELECT segment, COUNT(DISTINCT user_hash) AS people FROM crm GROUP BY segment ORDER BY segment",
    (Column("Segment"), Column("People", count)),
)
TOTAL = Question(
    "total",
    "All customers",
    "SELECT COUNT(DISTINCT user_hash) AS people FROM crm",
    (Column("People", count),),
)
