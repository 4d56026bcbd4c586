"""The plan as DuckDB's SQL. The engine never sees an analyst's text."""
