"""The ledger's file: old forms are read, unknown ones refused, and a crash in mid-line costs nothing."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from privacy.accountant import GaussianEvent, epsilon_of
from privacy.errors import LedgerDamaged
from privacy.ledger.budget_ledger import Ledger
from privacy.ledger.chained_log import REPAIRED, ChainedLog
from privacy.ledger.ledger_entries import LifetimeLimit

LIMIT = LifetimeLimit(8.0, 1e-4)
FIRST = "0" * 64
LIMIT_BODY = {"epsilon": 8.0, "delta": 1e-4, "set_at": "2026-01-05T00:00:00+00:00"}
CHARGE_BODY = {
    "run_id": "run-1",
    "purpose": "federated training",
    "events": [{"noise_multiplier": 5.0, "count": 3, "sample_rate": 1.0}],
    "spent_after": 2.5,
    "delta": 1e-4,
    "charged_at": "2026-01-05T00:00:00+00:00",
}


def line_of_schema_1(sequence: int, kind: str, body: dict[str, Any], previous: str) -> bytes:
    """As the first form was defined: the digest is of a list, with sorted keys and Python's usual spaces."""
    hashed = json.dumps([1, sequence, kind, body, previous], sort_keys=True)
    digest = hashlib.sha256(hashed.encode()).hexdigest()
    fields = {"schema": 1, "sequence": sequence, "kind": kind, "body": body, "previous": previous}
    return json.dumps({**fields, "digest": digest}, separators=(",", ":")).encode() + b"\n"


def line_of_schema(schema: object, sequence: int, kind: str, body: dict[str, Any], previous: str) -> bytes:
    """As the second form is defined: the digest is of the bytes before it."""
    fields = {"schema": schema, "sequence": sequence, "kind": kind, "body": body, "previous": previous}
    start = json.dumps(fields, separators=(",", ":")).encode()[:-1]
    return start + f',"digest":"{hashlib.sha256(start).hexdigest()}"}}\n'.encode()


def digest_of(line: bytes) -> str:
    return str(json.loads(line)["digest"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


@pytest.fixture
def of_schema_1(path: Path) -> Path:
    """A ledger as the first version wrote it: its limit and one charge, which names no mode and no model."""
    limit = line_of_schema_1(0, "limit", LIMIT_BODY, FIRST)
    path.write_bytes(limit + line_of_schema_1(1, "charge", CHARGE_BODY, digest_of(limit)))
    return path


def opened(path: Path) -> Ledger:
    return Ledger.open(path, limit=LIMIT)


class TestForms:
    def test_a_ledger_of_the_first_form_is_read(self, of_schema_1: Path) -> None:
        (charge,) = opened(of_schema_1).summary().charges

        assert (charge.run_id, charge.events) == ("run-1", (GaussianEvent(5.0, 3),))
        assert (charge.mode, charge.model) == ("local", ""), "there was one private mode"

    def test_a_ledger_of_the_first_form_goes_on_in_the_present_one(self, of_schema_1: Path) -> None:
        before = of_schema_1.read_bytes()
        opened(of_schema_1).charge("run-2", "train", (GaussianEvent(6.0),))

        assert of_schema_1.read_bytes().startswith(before), "nothing that was written is written again"
        schemas = [json.loads(line)["schema"] for line in of_schema_1.read_bytes().splitlines()]
        assert schemas == [1, 1, 2]
        spent = opened(of_schema_1).summary().spent
        assert spent == pytest.approx(epsilon_of([GaussianEvent(5.0, 3), GaussianEvent(6.0)], 1e-4))

    def test_every_flipped_byte_of_the_first_form_is_noticed(self, of_schema_1: Path) -> None:
        content = of_schema_1.read_bytes()
        for position in range(0, len(content), 7):
            changed = bytearray(content)
            changed[position] ^= 0x01
            of_schema_1.write_bytes(changed)
            with pytest.raises(LedgerDamaged):
                opened(of_schema_1)

    def test_the_present_form_is_as_documented(self, path: Path) -> None:
        log = ChainedLog(path)
        log.create("limit", LIMIT_BODY)
        with log.locked() as locked:
            locked.append("charge", CHARGE_BODY)

        limit = line_of_schema(2, 0, "limit", LIMIT_BODY, FIRST)
        assert path.read_bytes() == limit + line_of_schema(2, 1, "charge", CHARGE_BODY, digest_of(limit))

    @pytest.mark.parametrize("schema", [3, 0, "2", True, None])
    def test_an_unknown_form_is_refused_in_words(self, path: Path, schema: object) -> None:
        path.write_bytes(line_of_schema(schema, 0, "limit", LIMIT_BODY, FIRST))

        with pytest.raises(LedgerDamaged, match=f"line 1 .* has schema {schema!r}; .* schemas 1 to 2"):
            opened(path)

    def test_a_line_of_another_chain_is_refused(self, path: Path) -> None:
        limit = line_of_schema(2, 0, "limit", LIMIT_BODY, FIRST)
        path.write_bytes(limit + line_of_schema(2, 1, "charge", CHARGE_BODY, FIRST))

        with pytest.raises(LedgerDamaged, match=r"line 2 .* does not follow"):
            opened(path)


class TestUnfinishedLines:
    @pytest.fixture
    def log(self, path: Path) -> ChainedLog:
        log = ChainedLog(path)
        log.create("limit", LIMIT_BODY)
        with log.locked() as locked:
            locked.append("charge", CHARGE_BODY)
        return log

    def test_a_line_that_lacks_its_end_alone_counts(self, log: ChainedLog, path: Path) -> None:
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])

        with log.locked() as locked:
            assert ([record.kind for record in locked.records], locked.unfinished) == (
                ["limit", "charge"],
                b"",
            )

        assert path.read_bytes() == whole

    @pytest.mark.parametrize("cut", [2, 40, 200])
    def test_a_line_that_lacks_more_blocks_the_log(self, log: ChainedLog, path: Path, cut: int) -> None:
        path.write_bytes(path.read_bytes()[:-cut])
        before = path.read_bytes()

        with log.locked() as locked:
            assert [record.kind for record in locked.records] == ["limit"]
            with pytest.raises(LedgerDamaged, match=r"line 2 .* is cut off"):
                locked.append("charge", CHARGE_BODY)

        assert path.read_bytes() == before

    def test_cutting_it_off_is_a_line_of_its_own_that_keeps_the_text(
        self, log: ChainedLog, path: Path
    ) -> None:
        path.write_bytes(path.read_bytes()[:-40])
        unfinished = path.read_bytes().splitlines()[-1].decode()

        with log.locked() as locked:
            repaired = locked.cut_off({"repaired_at": "today"})
            locked.append("charge", CHARGE_BODY)

        assert (repaired.kind, repaired.sequence) == (REPAIRED, 1)
        assert repaired.body == {"repaired_at": "today", "removed": unfinished}
        with log.locked() as locked:
            assert [record.kind for record in locked.records] == ["limit", REPAIRED, "charge"]

    def test_blocks_of_zeros_after_a_loss_of_power_are_an_unfinished_line(
        self, log: ChainedLog, path: Path
    ) -> None:
        path.write_bytes(path.read_bytes() + b"\0" * 512)

        with log.locked() as locked:
            assert (len(locked.records), len(locked.unfinished)) == (2, 512)

    @pytest.mark.parametrize("content", [b"", b'{"schema":2,', b"\n"])
    def test_a_log_without_its_first_line_is_refused(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)

        with pytest.raises(LedgerDamaged, match="line 1 "), ChainedLog(path).locked():
            pass
