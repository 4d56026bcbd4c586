"""What a partner's machine seals, what it refuses, and that it says all of it without saying a value."""

import hashlib
import io
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cleanroom.datasets.table_problems import MOST_DISTINCT_VALUES
from cleanroom.datasets.table_reading import BATCH_ROWS
from cleanroom.datasets.table_sealing import TableSealing, seal_table
from cleanroom.errors import TableRefused
from privacy.canonical_json import digest_of
from privacy.identifiers import IdentityKey, parse_token
from privacy.sealing import open_bytes
from tests.cleanroom.datasets.visits import (
    CREATED,
    IDENTITY,
    KEY,
    ROWS,
    TOKENS,
    context,
    csv,
    document,
    not_utf8,
    parquet,
    refused,
    sealed,
    sealing,
)


def opened(table) -> pa.Table:
    plain = open_bytes(KEY, table.path.read_bytes(), context().sealing())
    with pq.ParquetFile(io.BytesIO(plain)) as file:
        return file.read()


@pytest.mark.parametrize("write", [parquet, csv])
def test_a_table_is_sealed_in_its_canonical_form(tmp_path, write):
    stored = opened(sealed(tmp_path, write(tmp_path)))

    assert [str(field.type) for field in stored.schema] == [
        "extension<arrow.uuid>",
        "string",
        "double",
        "timestamp[us]",
        "string",
    ]
    people = stored["person"].combine_chunks().storage.to_pylist()
    assert people == [parse_token(token).person for token in TOKENS]
    assert stored.drop_columns(["person"]).to_pydict() == {k: v for k, v in ROWS.items() if k != "person"}


def test_the_manifest_says_what_was_sealed(tmp_path):
    table = sealed(tmp_path)
    content = table.path.read_bytes()

    assert table.manifest.to_plain() == {
        **{k: v for k, v in context().sealing().items() if k != "purpose"},
        "rows": 3,
        "sealed_bytes": len(content),
        "sealed_sha256": hashlib.sha256(content).hexdigest(),
        "columns": {
            "person": "uuid",
            "campaign": "string",
            "spend": "float64",
            "seen": "timestamp[us]",
            "order_id": "string",
        },
        "policy_digest": digest_of(document().canonical()),
        "created": "2026-03-31",
        "nonce": table.manifest.nonce,
    }


def test_the_same_table_sealed_twice_has_manifests_that_do_not_tell_so(tmp_path):
    assert sealed(tmp_path).manifest.nonce != sealed(tmp_path).manifest.nonce


def test_nothing_of_the_table_is_readable_in_the_sealed_file(tmp_path):
    content = sealed(tmp_path).path.read_bytes()

    assert b"PAR1" not in content
    assert b"spring" not in content
    assert bytes.fromhex(TOKENS[0][9:]) not in content


def test_the_sealed_file_is_for_its_owner_only(tmp_path):
    assert sealed(tmp_path).path.stat().st_mode & 0o777 == 0o600


def test_undeclared_columns_are_left_out_and_named(tmp_path):
    table = sealed(tmp_path, parquet(tmp_path, email=["a", "b", "c"], phone=["1", "2", "3"]))

    assert table.dropped == ("email", "phone")
    assert opened(table).column_names == list(ROWS)


def test_row_groups_have_128_ki_rows(tmp_path):
    people = [f"{IDENTITY.tag}.{number:032x}" for number in range(BATCH_ROWS + 1)]
    rules = document().model_copy(update={"columns": {"person": document().columns["person"]}})
    table = sealed(tmp_path, parquet(tmp_path, **{**dict.fromkeys(ROWS), "person": people}), rules)

    plain = open_bytes(KEY, table.path.read_bytes(), context().sealing())
    with pq.ParquetFile(io.BytesIO(plain)) as file:
        groups = [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)]
    assert groups == [131_072, 1]


def test_whole_numbers_stay_whole_and_other_types_become_what_their_role_has(tmp_path):
    source = parquet(
        tmp_path,
        spend=pa.array([1, 2, None], pa.int32()),
        seen=pa.array([date(2026, 1, 2), None, date(2026, 2, 3)]),
        campaign=pa.array(["spring", None, "autumn"]).dictionary_encode(),
        order_id=pa.array([7, 8, None], pa.uint64()),
        person=pa.array(TOKENS, pa.large_string()),
    )
    table = sealed(tmp_path, source)
    stored = opened(table).to_pydict()

    assert table.manifest.columns["spend"] == "int64"
    assert stored["spend"] == [1, 2, None]
    assert stored["seen"] == [datetime(2026, 1, 2), None, datetime(2026, 2, 3)]
    assert stored["campaign"] == ["spring", None, "autumn"]
    assert stored["order_id"] == ["7", "8", None]


def test_times_with_a_zone_become_utc(tmp_path):
    """09:30 in a zone two hours ahead of UTC is 07:30; Z is UTC; without a zone UTC is meant."""
    written = ["2026-07-01T09:30:00+02:00", "2026-07-01T09:30:00Z", " 2026-07-01 09:30"]
    stored = opened(sealed(tmp_path, parquet(tmp_path, seen=written)))["seen"].to_pylist()

    assert stored == [datetime(2026, 7, 1, hour, 30) for hour in (7, 9, 9)]


def test_times_stored_with_a_zone_become_utc(tmp_path):
    moments = pa.array([datetime(2026, 7, 1, 7, 30)] * 3, pa.timestamp("ns", "Europe/Berlin"))
    stored = opened(sealed(tmp_path, parquet(tmp_path, seen=moments)))["seen"].to_pylist()

    assert stored == [datetime(2026, 7, 1, 7, 30)] * 3  # Arrow's own moments are UTC whatever their zone


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_file_may_use_any_of_three_separators(tmp_path, separator):
    lines = [list(ROWS), [TOKENS[0], "spring, early; or so", "1e3", "2026-01-02", ""]]
    text = "\n".join(separator.join(f'"{cell}"' if cell else "" for cell in line) for line in lines)
    stored = opened(sealed(tmp_path, csv(tmp_path, text))).to_pylist()

    assert [(row["campaign"], row["spend"], row["order_id"]) for row in stored] == [
        ("spring, early; or so", 1000.0, None)
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_heading(tmp_path):
    text = "\ufeff" + ",".join(ROWS) + f"\r\n{TOKENS[0]},,,,\r\n"

    assert sealed(tmp_path, csv(tmp_path, text)).manifest.rows == 1


def test_a_line_break_inside_quotes_does_not_end_a_row(tmp_path):
    text = ",".join([*ROWS, "remark"]) + f'\n{TOKENS[0]},,,,,"two\nlines"\n'
    table = sealed(tmp_path, csv(tmp_path, text))

    assert (table.manifest.rows, table.dropped) == (1, ("remark",))


def test_categories_that_differ_from_row_group_to_row_group_are_read_as_texts(tmp_path):
    categories = pa.array(["spring", "summer", "autumn"]).dictionary_encode()
    path = parquet(tmp_path, campaign=categories)
    with pq.ParquetFile(path) as file:
        rows = file.read()
    pq.write_table(rows, path, row_group_size=1)

    assert opened(sealed(tmp_path, path))["campaign"].to_pylist() == ["spring", "summer", "autumn"]


@pytest.mark.parametrize("column", ["campaign", "spend", "seen", "order_id"])
def test_a_column_without_any_value_is_accepted_except_for_people(tmp_path, column):
    table = sealed(tmp_path, parquet(tmp_path, **{column: pa.nulls(3)}))

    assert opened(table)[column].null_count == 3


def test_decimal_amounts_become_floating_point(tmp_path):
    amounts = pa.array([Decimal("1.25"), Decimal("-0.50"), None], pa.decimal128(9, 2))

    assert opened(sealed(tmp_path, parquet(tmp_path, spend=amounts)))["spend"].to_pylist() == [
        1.25,
        -0.5,
        None,
    ]


def test_progress_is_told_in_rows(tmp_path):
    told: list[int] = []
    seal_table(parquet(tmp_path), tmp_path / "out", sealing(), key=KEY, progress=told.append)

    assert told == [3]


def test_everything_that_is_wrong_is_said_at_once_and_no_value_is(tmp_path):
    other = IdentityKey(b"\x08" * 32, IDENTITY.kind, IDENTITY.rule)
    source = parquet(
        tmp_path,
        person=[other.token("ann@example.com"), "bo@example.com", "+49 170 1234567"],
        campaign=["x" * 201, "two\nlines", "spring"],
        spend=["much", "1.5", "inf"],
        seen=["yesterday", "2026-13-01", "0026-01-01"],
        order_id=None,
    )

    assert refused(tmp_path, source) == {
        "column_missing": "column order_id is missing",
        "identity_other_key": "column person: 1 row with tokens made with another key or rule",
        "identity_email": "column person: 1 row with what looks like a plain e-mail address",
        "identity_phone": "column person: 1 row with what looks like a plain phone number",
        "too_long": "column campaign: 1 row with text of more than 200 characters",
        "control_character": "column campaign: 1 row with line breaks or control characters in a text",
        "not_a_number": "column spend: 2 rows with no finite number",
        "not_a_time": "column seen: 3 rows with no date or time of the years 1900 to 2199",
    }


@pytest.mark.parametrize(
    "entry, code",
    [
        (None, "identity_missing"),
        ("  ", "identity_missing"),
        (hashlib.sha256(b"ann@example.com").hexdigest(), "identity_plain_hash"),
        (hashlib.md5(b"ann@example.com").hexdigest().upper(), "identity_plain_hash"),
        ("tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ=", "identity_plain_hash"),
        (TOKENS[0].upper(), "identity_no_token"),
        (TOKENS[0][:-1], "identity_no_token"),
        (TOKENS[0] + "\n", "identity_no_token"),
        ("4711", "identity_no_token"),
    ],
)
def test_what_stands_in_the_place_of_a_token_is_recognised(tmp_path, entry, code):
    source = parquet(tmp_path, person=[TOKENS[0], entry, TOKENS[1]])

    assert list(refused(tmp_path, source)) == [code]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_refused(tmp_path, number):
    assert list(refused(tmp_path, parquet(tmp_path, spend=[1.0, number, None]))) == ["not_a_number"]


@pytest.mark.parametrize("written", ["1_000", "1,5", "0x10", "nan", "1e999", "--1", "٣", "1 2"])
def test_only_plain_numbers_are_numbers(tmp_path, written):
    assert list(refused(tmp_path, parquet(tmp_path, spend=["1", written, "2"]))) == ["not_a_number"]


@pytest.mark.parametrize(
    "moments",
    [
        # times 1000, modulo 2**64, this is a moment of 2026
        pa.array([2**64 // 1000 + 1_767_225_600_000, None, 0], pa.timestamp("ms")),
        pa.array([2**31 - 1, None, 0], pa.date32()),
        pa.array([1_767_225_600_000, None, 0], pa.timestamp("s")),  # milliseconds taken for seconds
    ],
)
def test_a_time_far_off_is_refused_and_not_wrapped_around(tmp_path, moments):
    assert list(refused(tmp_path, parquet(tmp_path, seen=moments))) == ["not_a_time"]


@pytest.mark.parametrize(
    "column, values",
    [
        ("person", [1, 2, 3]),
        ("campaign", [1.0, 2.0, 3.0]),
        ("spend", [True, False, True]),
        ("seen", [1, 2, 3]),
        ("order_id", [["a"], ["b"], ["c"]]),
    ],
)
def test_a_type_that_the_role_cannot_have_is_refused(tmp_path, column, values):
    assert refused(tmp_path, parquet(tmp_path, **{column: values})) == {
        "column_type": f"column {column} is stored as a type that its role cannot have"
    }


def test_undeclared_values_of_a_public_dimension_are_refused(tmp_path):
    rules = document(campaign={"role": "dimension", "values": ["spring", "summer"]})

    assert refused(tmp_path, parquet(tmp_path), rules) == {
        "unlisted_value": "column campaign: 1 row with a value that is not among the declared public ones"
    }


@pytest.mark.parametrize("extra, codes", [(0, []), (1, ["too_many_values"])])
def test_a_dimension_with_a_value_for_everybody_is_refused(tmp_path, extra, codes):
    count = MOST_DISTINCT_VALUES + extra
    columns = {name: document().columns[name] for name in ("person", "campaign")}
    rules = document().model_copy(update={"columns": columns})
    only = {"person": TOKENS[:1] * count, "campaign": [str(number) for number in range(count)]}
    source = parquet(tmp_path, **{**dict.fromkeys(ROWS), **only})

    if codes:
        assert list(refused(tmp_path, source, rules)) == codes
    else:
        assert sealed(tmp_path, source, rules).manifest.rows == count


def test_a_column_that_stands_there_twice_is_refused(tmp_path):
    text = "person,campaign,spend,seen,order_id,spend\n" + f"{TOKENS[0]},a,1,2026-01-01,o,2\n"

    assert refused(tmp_path, csv(tmp_path, text)) == {"column_twice": "column spend stands there twice"}


def test_rows_of_another_length_are_counted(tmp_path):
    row = f"{TOKENS[0]},a,1,2026-01-01,o\n"
    text = "person,campaign,spend,seen,order_id\n" + row + "short\n" + row + "far,too,long,for,this,table\n"

    assert refused(tmp_path, csv(tmp_path, text)) == {
        "row_length": "the table: 2 rows with more or fewer fields than there are headings"
    }


def test_a_table_without_rows_is_refused(tmp_path):
    assert refused(tmp_path, csv(tmp_path, ",".join(ROWS) + "\n")) == {"no_rows": "the table has no rows"}


@pytest.mark.parametrize("content", [b"", b"\n", b"PAR1 and nothing more", bytes(range(128, 256)) * 10])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "visits.csv"
    path.write_bytes(content)

    assert refused(tmp_path, path).keys() <= {"unreadable", "column_missing"}


def test_a_missing_file_is_refused(tmp_path):
    assert list(refused(tmp_path, tmp_path / "nowhere.csv")) == ["unreadable"]


def test_text_that_is_not_utf8_is_refused_with_what_came_before_it(tmp_path):
    path = csv(tmp_path, ",".join(ROWS) + f"\n{TOKENS[0]},a,much,2026-01-01,o\n" * 200_000)
    with path.open("ab") as file:
        file.write(f"{TOKENS[0]},K".encode() + b"\xf6ln,1,2026-01-01,o\n")

    assert refused(tmp_path, path).keys() == {"unreadable", "not_a_number"}


@pytest.mark.parametrize("column", ["person", "campaign", "spend", "seen", "order_id"])
def test_parquet_text_that_is_not_utf8_is_refused(tmp_path, column):
    assert "unreadable" in refused(tmp_path, parquet(tmp_path, **{column: not_utf8(3)}))


def test_a_cut_off_parquet_file_is_refused(tmp_path):
    path = parquet(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])

    assert list(refused(tmp_path, path)) == ["unreadable"]


def test_a_refused_table_leaves_an_older_sealed_file_as_it_was(tmp_path):
    before = sealed(tmp_path).path.read_bytes()
    refused(tmp_path, parquet(tmp_path, spend=["a", "b", "c"]))

    assert (tmp_path / "visits.sealed").read_bytes() == before


def test_a_folder_that_is_not_there_is_named_as_the_cause(tmp_path):
    with pytest.raises(
        TableRefused, match="cannot be written: No such file or directory; nothing was sealed"
    ):
        seal_table(parquet(tmp_path), tmp_path / "nowhere" / "out", sealing(), key=KEY)


def test_a_disk_that_fills_up_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    source = parquet(tmp_path)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(TableRefused, match="No space left on device"):
        seal_table(source, tmp_path / "out", sealing(), key=KEY)

    assert list(tmp_path.iterdir()) == [source]


def test_a_document_of_another_dataset_is_not_used():
    with pytest.raises(ValueError, match="another dataset"):
        TableSealing(document(), context(dataset="orders"), CREATED)
