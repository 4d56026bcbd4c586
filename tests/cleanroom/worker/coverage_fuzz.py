"""Coverage-guided fuzzing of all that a worker and a broker read: `python -m tests.cleanroom.worker.coverage_fuzz`.

Atheris changes bytes and keeps what reaches new code. Exit code 0: nothing came out but values and named refusals.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from tests.inherited_peak import inherited_peak_mib


def main() -> None:
    """Fuzz for so many seconds, starting from one of each message."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=int, default=60)
    seconds = asked.parse_args().seconds
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["cleanroom.worker", "cleanroom.rules", "cleanroom.datasets"]):
        conversation = importlib.import_module("cleanroom.worker.conversation")
        judged_job = importlib.import_module("cleanroom.worker.judged_job")
        exchange = importlib.import_module("cleanroom.worker.key_exchange")
        statements = importlib.import_module("cleanroom.worker.statement")
        errors = importlib.import_module("cleanroom.errors")
    examples = importlib.import_module("tests.cleanroom.worker.test_message_parsers").examples_of_messages()

    def as_json(data: bytes) -> object:
        with suppress(ValueError, RecursionError):
            return json.loads(data)
        return None

    def one_input(data: bytes) -> None:
        for read in (
            conversation.StatementMessage.of,
            conversation.StateMessage.of,
            conversation.grants_from,
        ):
            with suppress(
                errors.QueryFailed, errors.KeyRefused, errors.SealedTableBroken, errors.StateRolledBack
            ):
                read(data)
        with suppress(
            errors.QueryFailed, errors.KeyRefused, errors.SealedTableBroken, errors.StateRolledBack
        ):
            judged_job.judge(conversation.JobMessage.of(data).job)
        for read in (statements.Statement.of, exchange.Commit.of):
            with suppress(errors.KeyRefused):
                read(as_json(data))
        with suppress(errors.KeyRefused):
            exchange.Grant.of(data)

    with tempfile.TemporaryDirectory() as folder:
        for number, content in enumerate(examples):
            Path(folder, str(number)).write_bytes(content)
        options = [
            f"-max_total_time={seconds}",
            "-max_len=8000",
            "-timeout=20",
            f"-rss_limit_mb={2048 + inherited_peak_mib()}",
            folder,
        ]
        atheris.Setup([sys.argv[0], *options], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
