"""The hashed table holds the same rows without any identifier, whole or not at all; what was left out is counted."""

import csv
import dataclasses
import os
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cleanroom.datasets import table_reading
from cleanroom.errors import TableRefused
from cleanroom.partner.hash_file import HashOrder, RulePreview, hash_file
from privacy.errors import InvalidSetting
from privacy.identifiers import IdentifierKind, IdentifierProblem, IdentifierRule, IdentityKey

UID2, GOOGLE, META, OPAQUE = IdentifierRule
KEY = IdentityKey(bytes(range(32)), IdentifierKind.EMAIL, UID2)
PHONE_KEY = IdentityKey(bytes(range(32)), IdentifierKind.PHONE, META)
ORDER = HashOrder("email", KEY)
ROWS = [
    ["Jane.Doe@gmail.com", "01067", 'says "hi", twice'],
    ["janedoe+x@gmail.com", "1e5", "two\nlines"],
    ["Jane.Doe@googlemail.com", "", "ümlaut"],
    ["janedoe@googlemail.com", "NULL", "-"],
    ["not an address", "7", ""],
    ["", "8", "x"],
]


def write_csv(path: Path, rows: list[list[str]], header: list[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read_csv(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.fixture
def source(tmp_path):
    return write_csv(tmp_path / "people.csv", ROWS, ["email", "postcode", "note"])


@pytest.fixture
def target(tmp_path):
    return tmp_path / "hashed.csv"


def test_a_csv_file_keeps_its_other_cells_as_text(source, target):
    hash_file(source, target, ORDER)
    jane = KEY.token("janedoe@gmail.com")
    assert read_csv(target) == [
        ["user_hash", "postcode", "note"],
        [jane, "01067", 'says "hi", twice'],
        [jane, "1e5", "two\nlines"],
        [KEY.token("jane.doe@googlemail.com"), "", "ümlaut"],
        [KEY.token("janedoe@googlemail.com"), "NULL", "-"],
    ]


def test_the_report_counts_rows_people_and_problems(source, target):
    report = hash_file(source, target, ORDER)
    assert (report.rows, report.hashed, report.distinct_people, report.duplicates) == (6, 4, 3, 1)
    assert report.problems == {IdentifierProblem.INNER_SPACE: 1, IdentifierProblem.EMPTY: 1}


def test_the_report_says_what_each_rule_would_make_of_the_column(source, target):
    """Google joins the two at googlemail.com and closes the gaps of "notanaddress", which has no @; Meta joins none."""
    assert hash_file(source, target, ORDER).previews == (
        RulePreview(UID2, 4, 3),
        RulePreview(GOOGLE, 4, 2),
        RulePreview(META, 4, 4),
    )


def test_no_identifier_is_in_the_file_or_the_report(source, target):
    report = hash_file(source, target, ORDER)
    for text in (target.read_text(encoding="utf-8"), repr(report)):
        assert "jane" not in text.lower()
        assert "@" not in text
        assert "not an address" not in text


def test_the_file_is_for_its_owner_only_and_nothing_else_is_left(source, target):
    hash_file(source, target, ORDER)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(path.name for path in target.parent.iterdir()) == ["hashed.csv", "people.csv"]


def test_columns_can_be_left_out_and_the_tokens_column_named(tmp_path, target):
    source = write_csv(tmp_path / "p.csv", [["7", "a@b.de", "A. Smith"]], ["id", "email", "name"])
    order = HashOrder("email", KEY, token_column="who", leave_out=frozenset({"name"}))
    hash_file(source, target, order)
    assert read_csv(target) == [["id", "who"], ["7", KEY.token("a@b.de")]]


def test_the_tokens_may_take_the_place_of_a_column_that_is_left_out(tmp_path, target):
    source = write_csv(tmp_path / "p.csv", [["7", "a@b.de"]], ["user_hash", "email"])
    hash_file(source, target, dataclasses.replace(ORDER, leave_out=frozenset({"user_hash"})))
    assert read_csv(target) == [["user_hash"], [KEY.token("a@b.de")]]


def test_a_parquet_file_keeps_its_types_and_loses_its_metadata(tmp_path):
    source, target = tmp_path / "p.parquet", tmp_path / "h.parquet"
    table = pa.table(
        {
            "amount": pa.array([1.5, None, 2.0], pa.float64()),
            "email": pa.array(["a@b.de", None, "A@b.de"]).dictionary_encode(),
            "when": pa.array([1, 2, 3], pa.timestamp("us")),
        }
    ).replace_schema_metadata({"made by": "jane@b.de"})
    pq.write_table(table, source)
    report = hash_file(source, target, ORDER)
    hashed = pq.read_table(target)
    assert (report.rows, report.hashed, report.distinct_people) == (3, 2, 1)
    assert hashed.schema.names == ["amount", "user_hash", "when"]
    assert hashed.schema.field("when").type == pa.timestamp("us")
    assert hashed.column("amount").to_pylist() == [1.5, 2.0]
    assert set(hashed.column("user_hash").to_pylist()) == {KEY.token("a@b.de")}
    assert b"jane@b.de" not in target.read_bytes()


def test_whole_numbers_are_ids_too(tmp_path):
    source, target = tmp_path / "p.parquet", tmp_path / "h.parquet"
    pq.write_table(pa.table({"id": [7, 8, 7], "n": [7, 1, 1]}), source)
    key = IdentityKey(bytes(32), IdentifierKind.ID, OPAQUE)
    report = hash_file(source, target, HashOrder("id", key))
    assert pq.read_table(target).column("user_hash").to_pylist() == key.tokens(["7", "8", "7"])
    assert report.previews == (RulePreview(OPAQUE, 3, 2),)


def test_phones_take_a_region(tmp_path, target):
    rows = [["0171 2345678"], ["+49 171 2345678"], ["12"]]
    source = write_csv(tmp_path / "p.csv", rows, ["phone"])
    report = hash_file(source, target, HashOrder("phone", PHONE_KEY, region="DE"))
    token = PHONE_KEY.token("491712345678")
    assert read_csv(target) == [["user_hash"], [token], [token]]
    assert report.problems == {IdentifierProblem.IMPOSSIBLE_PHONE: 1}
    assert {(preview.normalised_rows, preview.distinct) for preview in report.previews} == {(2, 1)}


def test_many_batches_give_one_table(tmp_path, monkeypatch):
    monkeypatch.setattr(table_reading, "BATCH_ROWS", 100)
    monkeypatch.setattr(table_reading, "_CSV_BLOCK", 4000)
    addresses = [f"user{number % 700}@example.com" for number in range(1000)]
    for ending in ("csv", "parquet"):
        source, target = tmp_path / f"p.{ending}", tmp_path / f"h.{ending}"
        if ending == "csv":
            write_csv(source, [[address, str(n)] for n, address in enumerate(addresses)], ["email", "n"])
        else:
            pq.write_table(pa.table({"email": addresses, "n": [str(n) for n in range(1000)]}), source)
        report = hash_file(source, target, ORDER)
        assert (report.rows, report.hashed, report.distinct_people) == (1000, 1000, 700)
        expected = [[token, str(n)] for n, token in enumerate(KEY.tokens(addresses))]
        if ending == "csv":
            assert read_csv(target)[1:] == expected
        else:
            assert [list(row.values()) for row in pq.read_table(target).to_pylist()] == expected


@pytest.mark.parametrize("separator", [";", "\t"])
def test_what_can_be_sealed_can_be_hashed(tmp_path, target, separator):
    source = tmp_path / "p.csv"
    source.write_text(f"email{separator}n\na@b.de{separator}1,5\n", encoding="utf-8")

    assert hash_file(source, target, ORDER).hashed == 1
    assert read_csv(target) == [["user_hash", "n"], [KEY.token("a@b.de"), "1,5"]]


# --- Refusals -------------------------------------------------------------------------------------------------


def refused(source: Path, target: Path, order: HashOrder = ORDER) -> TableRefused:
    """Nothing is left, and no part of a row is in the message or in what Python would print beside it."""
    before = sorted(target.parent.iterdir())
    with pytest.raises(TableRefused) as error:
        hash_file(source, target, order)
    assert sorted(target.parent.iterdir()) == before
    assert error.value.hint
    assert "secret" not in str(error.value)
    assert error.value.__cause__ is None or isinstance(error.value.__cause__, OSError)
    return error.value


def test_a_column_that_is_not_there_is_named(source, target):
    assert "no column mail" in str(refused(source, target, HashOrder("mail", KEY)))


def test_tokens_do_not_replace_another_column(source, target):
    assert "postcode" in str(refused(source, target, HashOrder("email", KEY, token_column="postcode")))


def test_a_column_that_repeats_the_identifier_is_refused(tmp_path, target):
    rows = [["a@b.de", "x"], ["secret@b.de", " Secret@B.de"]]
    source = write_csv(tmp_path / "p.csv", rows, ["email", "login"])
    assert "column login repeats" in str(refused(source, target))
    hash_file(source, target, dataclasses.replace(ORDER, leave_out=frozenset({"login"})))
    assert read_csv(target)[0] == ["user_hash"]


def test_a_table_without_one_identifier_is_refused_with_every_problem(tmp_path, target):
    source = write_csv(tmp_path / "p.csv", [["secret", "1"], ["", "2"]], ["email", "n"])
    error = refused(source, target)
    assert sorted(reason.code for reason in error.reasons) == ["empty", "not_one_at"]


def test_numbers_with_points_are_no_identifiers(tmp_path):
    source = tmp_path / "p.parquet"
    pq.write_table(pa.table({"email": [1.5]}), source)
    assert "neither text nor whole numbers" in str(refused(source, tmp_path / "h.parquet"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"email,n\nsecret@b.de,1\nsecret@b.de,1,2\n",
        b"email,n\nsecret\xff@b.de,1\n",
        b"email,email\nsecret@b.de,1\n",
        b"email,n\n",
    ],
    ids=["empty", "cells too many", "not UTF-8", "one name twice", "no rows"],
)
def test_a_broken_csv_file_is_refused_without_quoting_it(tmp_path, target, content):
    source = tmp_path / "p.csv"
    source.write_bytes(content)
    refused(source, target)


def test_a_csv_file_that_breaks_late_leaves_nothing_and_keeps_the_older_file(tmp_path, target, monkeypatch):
    monkeypatch.setattr(table_reading, "_CSV_BLOCK", 4000)
    source = tmp_path / "p.csv"
    source.write_text("email,n\n" + "a@b.de,1\n" * 5000 + "secret@b.de,1,2\n", encoding="utf-8")
    target.write_text("older", encoding="utf-8")
    refused(source, target)
    assert target.read_text(encoding="utf-8") == "older"


@pytest.mark.parametrize("content", [b"", b"PAR1secret"])
def test_a_broken_parquet_file_is_refused(tmp_path, content):
    source = tmp_path / "p.parquet"
    source.write_bytes(content)
    refused(source, tmp_path / "h.parquet")


def test_a_missing_file_and_an_unknown_ending_are_refused(tmp_path, source):
    refused(tmp_path / "none.csv", tmp_path / "h.csv")
    other = tmp_path / "p.xlsx"
    os.link(source, other)
    refused(other, tmp_path / "h.xlsx")


def test_the_source_is_never_overwritten_nor_the_format_changed(source, tmp_path):
    before = source.read_bytes()
    refused(source, source)
    refused(source, tmp_path / "h.parquet")
    assert source.read_bytes() == before


def test_a_folder_that_is_not_there_is_refused(source, tmp_path):
    with pytest.raises(TableRefused, match="cannot be written"):
        hash_file(source, tmp_path / "none" / "h.csv", ORDER)


def test_an_unknown_region_is_a_wrong_setting(source, target):
    with pytest.raises(InvalidSetting):
        hash_file(source, target, HashOrder("email", PHONE_KEY, region="Germany"))
    assert not target.exists()


def test_a_key_in_an_order_does_not_print():
    assert bytes(range(32)).hex() not in repr(ORDER)
    assert "***" in repr(ORDER)
