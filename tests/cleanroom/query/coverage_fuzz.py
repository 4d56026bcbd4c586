"""Coverage-guided fuzzing of the query parser and binder: `python -m tests.cleanroom.query.coverage_fuzz --seconds N`.

Atheris changes bytes and keeps what reaches new code. Exit code 0: nothing but QueryRefused came out.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from tests.cleanroom.query.query_grammar import CORPUS


def main() -> None:
    """Fuzz for so many seconds, starting from the corpus."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=int, default=60)
    seconds = asked.parse_args().seconds
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["cleanroom", "sqlglot"]):
        reader = importlib.import_module("cleanroom.query.reader")
        rules = importlib.import_module("cleanroom.rules.analysis_rule")
        errors = importlib.import_module("cleanroom.errors")
        documents = importlib.import_module("cleanroom.rules.reference_rules").reference_rules()

    def one_input(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        with suppress(errors.QueryRefused):
            reader.read_query(text, documents).digest()
        with suppress(errors.RuleInvalid):
            rules.RuleDocument.parse(text)

    with tempfile.TemporaryDirectory() as folder:
        for number, text in enumerate(CORPUS):
            Path(folder, str(number)).write_text(text, encoding="utf-8")
        options = [f"-max_total_time={seconds}", "-max_len=2000", "-timeout=20", "-rss_limit_mb=2048", folder]
        atheris.Setup([sys.argv[0], *options], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
