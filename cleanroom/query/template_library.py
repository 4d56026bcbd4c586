"""Templates that come with the room, over the tables of the reference rules: proposed as they are, or as a start.

What stands outside the innermost SELECTs is computed from released numbers, so it costs nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ParameterKind(StrEnum):
    """What a parameter takes."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"  # ISO text


@dataclass(frozen=True)
class Template:
    """A question with :parameters. `datasets`: each dataset that it reads, and the role it plays."""

    name: str
    title: str
    sql: str
    parameters: Mapping[str, ParameterKind]
    datasets: Mapping[str, str]


_EXPOSURES = {"exposures": "impressions: person, campaign, channel, time, cost"}
_CONVERSIONS = {"conversions": "orders: person, order number, time, value"}
_CRM = {"crm": "the advertiser's list: person, segment, region, age band"}
_PERIOD = {"since": ParameterKind.DATE, "until": ParameterKind.DATE}

_REACH_AND_FREQUENCY = Template(
    name="reach_and_frequency",
    title="People by how often a campaign reached them, with their share of all reached",
    sql="""\
WITH seen AS (
  SELECT user_hash, COUNT(*) AS impressions FROM exposures
  WHERE campaign = :campaign AND ts >= :since AND ts < :until GROUP BY user_hash
), counted AS (
  SELECT LEAST(impressions, 10) AS frequency, COUNT(DISTINCT user_hash) AS people, SUM(impressions) AS impressions
  FROM seen GROUP BY LEAST(impressions, 10)
)
SELECT frequency, people, impressions, people * 1.0 / SUM(people) OVER () AS share
FROM counted ORDER BY frequency""",
    parameters={"campaign": ParameterKind.TEXT, **_PERIOD},
    datasets=_EXPOSURES,
)

_OVERLAP = Template(
    name="overlap",
    title="How many people of the list a campaign reached, by segment",
    sql="""\
WITH reached AS (SELECT DISTINCT user_hash FROM exposures WHERE campaign = :campaign),
counted AS (
  SELECT c.segment, COUNT(DISTINCT c.user_hash) AS listed, COUNT(DISTINCT r.user_hash) AS reached
  FROM crm c LEFT JOIN reached r ON r.user_hash = c.user_hash GROUP BY c.segment
)
SELECT segment, listed, reached, reached * 1.0 / NULLIF(listed, 0) AS share FROM counted ORDER BY segment""",
    parameters={"campaign": ParameterKind.TEXT},
    datasets={**_CRM, **_EXPOSURES},
)

# Newcombe 1998, "Interval estimation for the difference between independent proportions", method 1 (Wald).
_CONVERSION_LIFT = Template(
    name="conversion_lift",
    title="Conversion rate of a test segment over a control segment, with a 95 % confidence interval",
    sql="""\
WITH arms AS (
  SELECT c.segment AS arm, COUNT(DISTINCT c.user_hash) AS people, COUNT(DISTINCT v.user_hash) AS buyers
  FROM crm c LEFT JOIN conversions v ON v.user_hash = c.user_hash AND v.ts >= :since AND v.ts < :until
  WHERE c.segment IN (:test, :control) GROUP BY c.segment
), rates AS (SELECT arm, people, buyers, buyers * 1.0 / NULLIF(people, 0) AS rate FROM arms),
pair AS (
  SELECT t.people AS test_people, t.buyers AS test_buyers, t.rate AS test_rate,
         k.people AS control_people, k.buyers AS control_buyers, k.rate AS control_rate
  FROM (SELECT * FROM rates WHERE arm = :test) t CROSS JOIN (SELECT * FROM rates WHERE arm = :control) k
), errors AS (
  SELECT test_people, test_buyers, test_rate, control_people, control_buyers, control_rate,
         test_rate - control_rate AS lift,
         SQRT(GREATEST(0, test_rate * (1 - test_rate)) / NULLIF(test_people, 0)
            + GREATEST(0, control_rate * (1 - control_rate)) / NULLIF(control_people, 0)) AS standard_error
  FROM pair
)
SELECT test_people, test_buyers, test_rate, control_people, control_buyers, control_rate, lift,
       lift / NULLIF(control_rate, 0) AS relative_lift, standard_error,
       lift - 1.959964 * standard_error AS low, lift + 1.959964 * standard_error AS high
FROM errors""",
    parameters={"test": ParameterKind.TEXT, "control": ParameterKind.TEXT, **_PERIOD},
    datasets={**_CRM, **_CONVERSIONS},
)

_LAST_TOUCH = Template(
    name="last_touch",
    title="Buyers, orders and revenue by the last channel before each order",
    sql="""\
WITH touches AS (
  SELECT v.user_hash, v.order_id, v.value, e.channel,
         ROW_NUMBER() OVER (PARTITION BY v.user_hash, v.order_id ORDER BY e.ts DESC) AS place
  FROM conversions v JOIN exposures e
    ON e.user_hash = v.user_hash AND e.ts <= v.ts AND e.ts >= v.ts - INTERVAL (:window_days) DAY
)
SELECT channel, COUNT(DISTINCT user_hash) AS buyers, COUNT(*) AS orders, SUM(value) AS revenue
FROM touches WHERE place = 1 GROUP BY channel ORDER BY channel""",
    parameters={"window_days": ParameterKind.NUMBER},
    datasets={**_CONVERSIONS, **_EXPOSURES},
)

_EVEN_TOUCH = Template(
    name="even_touch",
    title="Orders and revenue by channel, each order shared evenly among the impressions before it",
    sql="""\
WITH touches AS (
  SELECT v.user_hash, v.order_id, v.value, e.channel,
         COUNT(*) OVER (PARTITION BY v.user_hash, v.order_id) AS touches
  FROM conversions v JOIN exposures e
    ON e.user_hash = v.user_hash AND e.ts <= v.ts AND e.ts >= v.ts - INTERVAL (:window_days) DAY
)
SELECT channel, COUNT(DISTINCT user_hash) AS buyers, SUM(1.0 / touches) AS orders, SUM(value / touches) AS revenue
FROM touches GROUP BY channel ORDER BY channel""",
    parameters={"window_days": ParameterKind.NUMBER},
    datasets={**_CONVERSIONS, **_EXPOSURES},
)

_WEEKLY_FOR_MMM = Template(
    name="weekly_for_mmm",
    title="Weekly media by channel, and weekly orders and revenue (rows without a channel), for a marketing mix model",
    sql="""\
WITH media AS (
  SELECT date_trunc('week', ts) AS week, channel, COUNT(*) AS impressions, COUNT(DISTINCT user_hash) AS people,
         SUM(cost) AS cost
  FROM exposures WHERE ts >= :since AND ts < :until GROUP BY 1, 2
), outcome AS (
  SELECT date_trunc('week', ts) AS week, COUNT(*) AS conversions, SUM(value) AS value
  FROM conversions WHERE ts >= :since AND ts < :until GROUP BY 1
)
SELECT week, channel, impressions, people, cost, NULL AS conversions, NULL AS value FROM media
UNION ALL
SELECT week, NULL, NULL, NULL, NULL, conversions, value FROM outcome
ORDER BY week, channel""",
    parameters=_PERIOD,
    datasets={**_EXPOSURES, **_CONVERSIONS},
)

BUILT_IN: tuple[Template, ...] = (
    _REACH_AND_FREQUENCY,
    _OVERLAP,
    _CONVERSION_LIFT,
    _LAST_TOUCH,
    _EVEN_TOUCH,
    _WEEKLY_FOR_MMM,
)
