"""Corpora of attacks and of everyday questions, each asked in a room of its own on the real path."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from cleanroom.replay.corpus import CorpusQuery, read_corpus
from cleanroom.replay.replaying import Replayed, replay
from cleanroom.rules.reference_rules import reference_rules
from cleanroom.worker.run_job import WorkerLimits
from tests.cleanroom.replay.partner_files import write_tables

OWN = Path(__file__).parent / "attacks.yaml"
SHARED = Path(__file__).parents[4] / "shared" / "cleanroom"
# One of each kind: a base, a filter, rows beside people, a subtotal, sybils bare and padded, a refusal, noise.
QUICK = ("R01", "R02", "R44", "R61", "R80", "R94", "R118", "R154", "T01", "S02")


def _otherwise(replayed: tuple[Replayed, ...]) -> list[str]:
    """What did not come to what was expected."""
    return [
        f"{one.id}: {one.expected} but {one.verdict} {one.reasons}" for one in replayed if not one.as_expected
    ]


def _replay(queries: tuple[CorpusQuery, ...], folder: Path) -> tuple[Replayed, ...]:
    return replay(queries, folder, reference_rules(), limits=WorkerLimits("1GB", 1))


def test_one_attack_of_each_kind_fails(tmp_path: Path) -> None:
    write_tables(tmp_path, hostile=True)
    queries = tuple(query for query in read_corpus(OWN) if query.id in QUICK)
    assert len(queries) == len(QUICK)
    assert _otherwise(_replay(queries, tmp_path)) == []


@pytest.mark.slow
def test_every_attack_fails(tmp_path: Path) -> None:
    write_tables(tmp_path, hostile=True)
    assert _otherwise(_replay(read_corpus(OWN), tmp_path)) == []


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared corpora are not here")
@pytest.mark.parametrize(
    ("corpus", "hostile"), [("attack_queries.yaml", True), ("legit_queries.yaml", False)], ids=str
)
def test_the_shared_corpora_come_to_what_they_expect(corpus: str, hostile: bool, tmp_path: Path) -> None:
    _write_shared_tables(tmp_path, hostile=hostile)
    assert _otherwise(_replay(read_corpus(SHARED / corpus), tmp_path)) == []


def _write_shared_tables(folder: Path, *, hostile: bool) -> None:
    fixture: dict[str, object] = {"__name__": "fixture"}
    exec(compile((SHARED / "make_fixture.py").read_text(), "make_fixture.py", "exec"), fixture)
    connection = duckdb.connect()
    fixture["load"](connection, hostile=hostile)  # type: ignore[operator]
    for table in ("exposures", "conversions", "crm"):
        connection.execute(f"COPY {table} TO '{folder / table}.parquet' (FORMAT parquet)")
