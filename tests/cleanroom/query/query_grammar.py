"""Random queries: by a grammar of what analysts write, and by changes to texts that are known."""

from __future__ import annotations

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
]  # fmt: skip


def _leaf() -> st.SearchStrategy[str]:
    literals = ["0", "1", "1000", "0.5", "'north'", "'2026-03-09'", "NULL", "TRUE", "DATE '2026-03-01'"]
    return st.sampled_from([*_COLUMNS, *literals])


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = ["+", "-", "*", "/", "//", "%", "=", "<>", "<", ">=", "AND", "OR", "||", "IS DISTINCT FROM"]
    functions = ["COALESCE", "LEAST", "GREATEST", "NULLIF", "CONCAT"]
    single = ["NOT {}", "- {}", "{} IS NULL", "ABS({})", "FLOOR({})", "ROUND({}, 2)", "LOWER({})", "{} LIKE 'a%'",
              "date_trunc('week', {})", "year({})", "{} + INTERVAL 3 DAY", "CAST({} AS DATE)", "CAST({} AS DOUBLE)",
              "{} IN (1, 2)", "{} IN ('a', 'b')", "SQRT({})", "date_diff('day', {}, ts)"]  # fmt: skip
    aggregates = ["COUNT({})", "COUNT(DISTINCT {})", "SUM({})", "AVG({})", "MIN({})", "arg_max({}, ts)",
                  "SUM({}) FILTER (WHERE segment = 'vip')",
                  "ROW_NUMBER() OVER (PARTITION BY user_hash ORDER BY {})",
                  "LAG({}) OVER (PARTITION BY user_hash ORDER BY ts)",
                  "SUM({}) OVER (PARTITION BY user_hash)"]  # fmt: skip
    return st.one_of(
        st.tuples(inner, st.sampled_from(operators), inner).map(
            lambda part: f"({part[0]} {part[1]} {part[2]})"
        ),
        st.tuples(st.sampled_from(functions), inner, inner).map(
            lambda part: f"{part[0]}({part[1]}, {part[2]})"
        ),
        st.tuples(st.sampled_from(single), inner).map(lambda part: f"({part[0].format(part[1])})"),
        st.tuples(st.sampled_from(aggregates), inner).map(lambda part: part[0].format(part[1])),
        st.tuples(inner, inner, inner).map(
            lambda part: f"CASE WHEN {part[0]} THEN {part[1]} ELSE {part[2]} END"
        ),
    )


EXPRESSIONS = st.recursive(_leaf(), _grown, max_leaves=6)
_PEOPLE = st.sampled_from(
    [
        "crm", "exposures", "conversions", "crm JOIN exposures USING (user_hash)",
        "crm LEFT JOIN exposures USING (user_hash)", "crm FULL JOIN conversions USING (user_hash)",
        "exposures JOIN conversions USING (user_hash) JOIN crm USING (user_hash)",
        "(SELECT user_hash, COUNT(*) AS n FROM exposures GROUP BY user_hash) t",
        "(SELECT user_hash, ts FROM exposures UNION ALL SELECT user_hash, ts FROM conversions) t",
        "(SELECT user_hash, segment, n FROM crm LEFT JOIN (SELECT user_hash, COUNT(*) AS n FROM exposures "
        "GROUP BY user_hash) f USING (user_hash)) t",
    ]
)  # fmt: skip


@st.composite
def grammatical_queries(draw: st.DrawFn) -> str:
    """SELECTs that parse; some may be asked."""
    source = draw(_PEOPLE)
    if draw(st.booleans()):
        keys = "".join(
            f", {key} AS k{index}" for index, key in enumerate(draw(st.lists(EXPRESSIONS, max_size=2)))
        )
        grouped = " GROUP BY ALL" if draw(st.booleans()) else ""
        source = f"(SELECT user_hash, {draw(EXPRESSIONS)} AS n{keys} FROM {source}{grouped}) s"
    key = draw(st.one_of(st.none(), EXPRESSIONS))
    where = draw(st.one_of(st.none(), EXPRESSIONS))
    value = draw(st.one_of(st.sampled_from(["COUNT(DISTINCT user_hash)", "COUNT(*)"]), EXPRESSIONS))
    text = f"SELECT {f'{key} AS g, ' if key else ''}{value} AS v FROM {source}"
    text += f" WHERE {where}" if where else ""
    text += " GROUP BY 1" if key else ""
    if draw(st.booleans()):
        outer = draw(st.sampled_from(["*", "v / 2", "SUM(v) OVER ()", "LN(v)", "v // 0"]))
        text = f"WITH c AS ({text}) SELECT {outer} FROM c"
    return text


@st.composite
def changed_queries(draw: st.DrawFn) -> str:
    """A text of the corpus with words left out, doubled or put in."""
    words = draw(st.sampled_from(CORPUS)).split(" ")
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
