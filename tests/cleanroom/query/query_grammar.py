"""Random queries: by a grammar of what analysts write, and by changes to texts that are known."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from hypothesis import strategies as st

_HERE = Path(__file__).parent
CORPUS: list[str] = [
    *yaml.safe_load((_HERE / "analyst_queries.yaml").read_text("utf-8")).values(),
    *(item["sql"] for item in yaml.safe_load((_HERE / "refused_queries.yaml").read_text("utf-8")).values()),
]
_COLUMNS = ["user_hash", "segment", "region", "campaign", "channel", "ts", "cost", "value", "order_id", "n"]
_TOKENS = [
    *_COLUMNS, "crm", "exposures", "conversions", "SELECT", "FROM", "WHERE", "GROUP BY", "COUNT(*)", "DISTINCT",
    "(", ")", ",", "'north'", "''", "0", "1", "-1", "1e9", "NULL", "TRUE", "=", "<", "AND", "OR", "NOT", "IN",
    "CASE WHEN", "THEN", "ELSE", "END", "JOIN", "LEFT JOIN", "ON", "USING", "UNION ALL", "WITH", "AS", "OVER",
    "PARTITION BY", "ORDER BY", "INTERVAL", "DAY", "SUM(", "MAX(", "COALESCE(", "LEAST(", "date_trunc('day',", "*",
    ".", ";", "--", "/*", "$$", "\\", "::", "[", "]", "{", "}", ":x", "?", "²", "'2026-03-01'", "LIMIT", "HAVING",
    "+", "-", "(+)", "()", "OFFSET", "FILTER (WHERE +)", "BETWEEN", "ROWS",
]  # fmt: skip
_WORDS = re.compile(r"\w+|[^\w\s]")


_JOINS = ["JOIN", "LEFT JOIN", "FULL JOIN", "RIGHT JOIN"]
_TEXTS = ["segment", "region", "campaign", "channel", "'north'", "NULL", "UPPER({text})", "{text} || {text}",
          "CASE WHEN {truth} THEN {text} ELSE {text} END", "COALESCE({text}, {text})", "NULLIF({text}, {text})",
          "LEAST({text}, {text})", "LAG({text}) OVER (PARTITION BY user_hash ORDER BY {time})"]  # fmt: skip
_TIMES = ["ts", "ts", "date_trunc('week', {time})", "CAST({time} AS DATE)", "{time} + INTERVAL 3 DAY",
          "{time} - INTERVAL 2 MONTH", "COALESCE({time}, ts)", "LEAST({time}, DATE '2026-03-20')",
          "LEAD({time}) OVER (PARTITION BY user_hash ORDER BY {time})"]  # fmt: skip
_NUMBERS = ["n", "n", "0", "1", "7", "0.5", "year({time})", "date_diff('day', {time}, {time})", "{number} + {number}",
            "{number} - {number}", "{number} * 3", "{number} / n", "{number} // 2", "{number} % 7", "-({number})",
            "LEAST({number}, 5)", "GREATEST({number}, 0)", "ROUND({number} / 3, 2)", "ABS({number})",
            "COALESCE({number}, 0)", "NULLIF({number}, 0)", "CASE WHEN {truth} THEN {number} ELSE {number} END",
            "CASE WHEN {truth} THEN 1 ELSE 0 END", "ROW_NUMBER() OVER (PARTITION BY user_hash ORDER BY {time})",
            "COUNT(*) OVER (PARTITION BY user_hash, {text})", "CAST({number} AS DOUBLE)"]  # fmt: skip
_TRUTHS = ["{text} = {text}", "{text} <> 'vip'", "{text} IN ('vip', 'tv', 'north')", "{text} LIKE 's%'",
           "{time} < '2026-03-20'", "{time} >= {time}", "{number} > {number}", "{number} BETWEEN 1 AND 3",
           "{text} IS NULL", "user_hash IS NOT NULL", "NOT ({truth})", "({truth}) AND ({truth})",
           "({truth}) OR ({truth})", "({truth}) IS TRUE", "{text} IS DISTINCT FROM {text}", "cost IS NULL"]  # fmt: skip
_MEASURES = ["COUNT(*)", "COUNT(DISTINCT user_hash)", "SUM(cost)", "AVG(cost)", "SUM(n)", "AVG({number})",
             "SUM({number})", "COUNT({text})", "COUNT(DISTINCT CASE WHEN {truth} THEN user_hash END)",
             "SUM(cost) FILTER (WHERE {truth})", "SUM(CASE WHEN {truth} THEN cost ELSE 0 END)", "SUM(cost / n)",
             "COUNT(*) * 1.0 / COUNT(DISTINCT user_hash)", "SUM(1.0 / n)"]  # fmt: skip
_INSIDE = ["COUNT(*)", "MAX({number})", "COUNT(DISTINCT {text})", "SUM(CASE WHEN {truth} THEN 1 ELSE 0 END)",
           "COUNT(*) FILTER (WHERE {truth})", "date_diff('day', MIN({time}), MAX({time}))",
           "SUM({number})"]  # fmt: skip
_FORMS = {"text": _TEXTS, "time": _TIMES, "number": _NUMBERS, "truth": _TRUTHS}


def _written(draw: st.DrawFn, forms: list[str], depth: int) -> str:
    """One of the forms, its gaps filled with others."""
    plain = [form for form in forms if "{" not in form] or forms
    text = draw(st.sampled_from(forms if depth else plain))
    for kind, inner in _FORMS.items():
        while "{" + kind + "}" in text:
            text = text.replace("{" + kind + "}", _written(draw, inner, max(0, depth - 1)), 1)
    return text


@st.composite
def grammatical_queries(draw: st.DrawFn) -> str:
    """SELECTs over people with the right types; many of them may be asked."""
    join, kind = draw(st.sampled_from(_JOINS)), draw(st.integers(0, 2))
    counted = "(SELECT user_hash AS u, COUNT(*) AS n FROM exposures GROUP BY user_hash)"
    people = (
        f"(SELECT COALESCE(c.user_hash, e.user_hash) AS user_hash, segment, region, campaign, channel, ts, cost, n "
        f"FROM crm c {join} exposures e ON c.user_hash = e.user_hash {draw(st.sampled_from(_JOINS[:2]))} {counted} f "
        f"ON f.u = e.user_hash) p"
    )
    if kind == 1:
        kept = "segment, region, campaign, channel, ts, cost"
        people = f"(SELECT user_hash, {kept}, {_written(draw, _NUMBERS, 2)} AS n FROM {people}) q"
    elif kind == 2:
        kept = (
            "MAX(segment) AS segment, MIN(region) AS region, arg_max(campaign, ts) AS campaign, "
            "MAX(channel) AS channel, MIN(ts) AS ts, SUM(cost) AS cost"
        )
        step = f"SELECT user_hash, {kept}, {_written(draw, _INSIDE, 2)} AS n"
        people = f"({step} FROM {people} GROUP BY user_hash) q"
    where = f" WHERE {_written(draw, _TRUTHS, 2)}" if draw(st.booleans()) else ""
    keys = draw(st.lists(st.sampled_from(["text", "number", "truth"]), max_size=2))
    names = [f"{_written(draw, _FORMS[key], 2)} AS g{index}" for index, key in enumerate(keys)]
    values = [f"{_written(draw, _MEASURES, 2)} AS v{index}" for index in range(draw(st.integers(1, 2)))]
    listed = ", ".join(f"g{index}" for index in range(len(keys)))
    grouped = f" GROUP BY {draw(st.sampled_from(['', 'ROLLUP']))} ({listed})" if keys else ""
    text = f"SELECT {', '.join([*names, *values])} FROM {people}{where}{grouped}"
    outer = draw(st.sampled_from(["", "*", "v0 / 2", "SUM(v0) OVER ()", "LN(v0)", "v0 // 0"]))
    return f"WITH c AS ({text}) SELECT {outer} FROM c" if outer else text


@st.composite
def changed_queries(draw: st.DrawFn) -> str:
    """A text of the corpus with words and signs left out, doubled or put in."""
    words = _WORDS.findall(draw(st.sampled_from(CORPUS)))
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, len(words) - 1))
        change = draw(st.integers(0, 3))
        if change == 0 and len(words) > 1:
            del words[place]
        elif change == 1:
            words[place:place] = [draw(st.sampled_from(_TOKENS))]
        elif change == 2:
            words[place] = draw(st.sampled_from(_TOKENS))
        else:
            start = draw(st.integers(0, len(words) - 1))
            words[place:place] = words[start : start + draw(st.integers(1, 8))]
    return " ".join(words)


def token_soup() -> st.SearchStrategy[str]:
    """Words of the language in any order, and any text."""
    return st.one_of(st.lists(st.sampled_from(_TOKENS), max_size=30).map(" ".join), st.text(max_size=200))
