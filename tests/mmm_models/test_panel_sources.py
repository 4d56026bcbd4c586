"""Where rows come from: every dialect of CSV people export, Parquet, databases, and all ways to fail."""

import gzip
import sqlite3

import numpy as np
import pandas as pd
import pytest

from mmm_models.panel_io import check_silo, load_panel
from tests.mmm_models.panel_files import good_frame, good_spec, note, problem, write_silo, write_spec


@pytest.fixture
def expected(tmp_path):
    return load_panel(write_silo(tmp_path, good_frame())).panel


def same(panel, expected):
    assert panel.units == expected.units
    for name in ("weeks", "outcome", "media", "spend", "controls", "population"):
        np.testing.assert_allclose(
            getattr(panel, name).astype(float), getattr(expected, name).astype(float), rtol=1e-12
        )


def with_data(**data):
    spec = good_spec()
    spec["data"] = {**spec["data"], **data}
    return spec


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path, expected, separator):
    same(load_panel(write_silo(tmp_path, good_frame(), sep=separator)).panel, expected)


def test_semicolons_with_decimal_commas(tmp_path, expected):
    frame = good_frame()
    path = write_silo(
        tmp_path, frame.assign(sales=frame["sales"] + 0.5), with_data(decimal=","), sep=";", decimal=","
    )
    panel = load_panel(path).panel
    np.testing.assert_array_equal(panel.outcome, expected.outcome + 0.5)


def test_decimal_commas_unannounced_are_explained(tmp_path):
    frame = good_frame().assign(sales=lambda f: f["sales"] + 0.5)
    report = check_silo(write_silo(tmp_path, frame, sep=";", decimal=","))
    assert {finding.code for finding in report.problems} == {"decimal_comma"}
    found = next(finding for finding in report.problems if finding.column == "sales")
    assert (found.rows, found.hint) == (60, "set data.decimal = ','")
    assert found.examples[0].value == "100,5"


def test_thousands_separators_are_read_on_request(tmp_path):
    frame = good_frame().assign(sales=lambda f: (f["sales"] * 1000).map("{:,.1f}".format))
    assert problem(check_silo(write_silo(tmp_path, frame)), "thousands_separator").rows == 60
    panel = load_panel(write_silo(tmp_path, frame, with_data(thousands=","))).panel
    assert panel.outcome[0, :2].tolist() == [100_000.0, 101_000.0]


@pytest.mark.parametrize("style", ["pandas index", "R row names", "trailing delimiter", "blank lines", "mac"])
def test_usual_oddities_change_nothing(tmp_path, expected, style):
    path = write_silo(tmp_path, good_frame())
    file = tmp_path / "north.csv"
    lines = file.read_text().splitlines()
    if style == "pandas index":
        lines = [f"{i - 1 if i else ''},{line}" for i, line in enumerate(lines)]
    if style == "R row names":
        lines = [lines[0]] + [f'"{i}",{line}' for i, line in enumerate(lines[1:], 1)]
    if style == "trailing delimiter":
        lines = [f"{line}," for line in lines]
    if style == "blank lines":
        lines = ["", *lines[:5], "", ",,,,,,,", *lines[5:], "", ""]
    file.write_bytes(("\r" if style == "mac" else "\n").join(lines).encode())
    loaded = load_panel(path)
    same(loaded.panel, expected)
    if style == "blank lines":
        assert [example.row for example in note(loaded.report, "blank_row").examples] == [7, 8]


def test_row_numbers_are_lines_of_the_file_also_after_blank_and_quoted_lines(tmp_path):
    frame = good_frame().assign(comment="two\nlines")
    frame.loc[5, "tv_spend"] = -1.0
    path = write_silo(tmp_path, frame)
    file = tmp_path / "north.csv"
    lines = file.read_text().split("\n")
    file.write_text("\n".join([*lines[:3], "", *lines[3:]]))
    line = problem(check_silo(path), "negative_spend").examples[0].row
    assert "-1.0" in "".join(file.read_text().split("\n")[line - 2 : line])  # the record ends on that line


def test_rows_with_stray_fields_are_named_and_the_rest_is_checked(tmp_path):
    path = write_silo(tmp_path, good_frame())
    file = tmp_path / "north.csv"
    lines = file.read_text().splitlines()
    lines[4] += ",5"
    lines[6] = "2024-02-05,s0"
    file.write_text("\n".join(lines))
    found = problem(check_silo(path), "malformed_row")
    assert [(example.row, example.value) for example in found.examples] == [(5, "9 fields"), (7, "2 fields")]


def test_a_column_named_twice_is_a_problem(tmp_path):
    path = write_silo(tmp_path, good_frame().assign(extra=1).rename(columns={"extra": "sales"}))
    assert problem(check_silo(path), "duplicate_column").column == "sales"


def test_column_names_may_hold_spaces_and_quotes(tmp_path, expected):
    frame = good_frame().rename(columns={"tv_spend": "TV spend, net (€)"})
    spec = good_spec()
    spec["channels"]["tv"]["spend"] = "TV spend, net (€)"
    same(load_panel(write_silo(tmp_path, frame, spec)).panel, expected)


def test_ambiguous_dates_are_a_problem_until_the_format_is_stated(tmp_path):
    frame = good_frame(weeks=2)
    frame["date"] = frame["date"].map({"2024-01-01": "01/02/2024", "2024-01-08": "08/02/2024"})
    found = problem(check_silo(write_silo(tmp_path, frame)), "ambiguous_date")
    assert found.hint == "set data.date_format = '%d/%m/%Y' or '%m/%d/%Y'"
    panel = load_panel(write_silo(tmp_path, frame, with_data(date_format="%d/%m/%Y", min_weeks=2))).panel
    assert [str(week) for week in panel.weeks] == ["2024-02-01", "2024-02-08"]


def test_encodings(tmp_path, expected):
    frame = good_frame().replace({"store": {"s0": "Köln"}})
    path = write_silo(tmp_path, frame, encoding="cp1252")
    found = problem(check_silo(path), "bad_encoding")
    assert found.message == "line 2 is not utf-8 text"
    assert "'cp1252'" in found.hint
    for encoding in ("cp1252", "utf-16", "utf-8-sig"):
        panel = load_panel(write_silo(tmp_path, frame, with_data(encoding=encoding), encoding=encoding)).panel
        assert panel.units == ("Köln", "s1")
    assert load_panel(write_silo(tmp_path, frame, encoding="utf-8-sig")).panel.units == ("Köln", "s1")
    assert (
        "'utf-16'" in problem(check_silo(write_silo(tmp_path, frame, encoding="utf-16")), "bad_encoding").hint
    )


def test_gzip_and_parquet(tmp_path, expected):
    text = good_frame().to_csv(index=False).encode()
    (tmp_path / "north.csv.gz").write_bytes(gzip.compress(text))
    same(load_panel(write_spec(tmp_path, with_data(path="north.csv.gz"))).panel, expected)
    frame = good_frame().assign(date=lambda f: pd.to_datetime(f["date"]))
    frame.to_parquet(tmp_path / "north.parquet")
    same(load_panel(write_spec(tmp_path, with_data(path="north.parquet"))).panel, expected)
    frame.assign(date=frame["date"].dt.date).to_parquet(tmp_path / "north.parquet")
    same(load_panel(write_spec(tmp_path, with_data(path="north.parquet"))).panel, expected)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("north.csv", None, "file_not_found"),
        ("north.parquet", None, "file_not_found"),
        ("north.csv", b"", "empty_file"),
        ("north.csv", b"\n \n", "empty_file"),
        ("north.csv", b"date,store,sales\n", "empty_file"),
        ("north.csv", b"date,store,sales\n,,\n", "empty_file"),
        ("north.csv", b'date,store\n"2024', "malformed_csv"),
        ("north.csv.gz", b"date,store\n", "damaged_file"),
        ("north.parquet", b"date,store\n", "damaged_file"),
        ("north.xlsx", b"PK", "unsupported_format"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, code):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    report = check_silo(write_spec(tmp_path, with_data(path=name)))
    assert problem(report, code).message
    assert {finding.code for finding in report.problems} <= {code, "missing_column"}


def test_a_stated_delimiter_that_is_wrong_is_named(tmp_path):
    path = write_silo(tmp_path, good_frame(), with_data(delimiter=","), sep=";")
    assert problem(check_silo(path), "wrong_delimiter").hint == "set data.delimiter = ';', or leave it out"


def database(folder, name="north.db"):
    connection = sqlite3.connect(folder / name)
    good_frame().to_sql("sales", connection, index=False)
    connection.close()


def from_database(url="sqlite:///north.db", query="select * from sales"):
    return good_spec() | {"data": {"url": url, "query": query}}


def test_a_database_beside_the_silo_file(tmp_path, expected, monkeypatch):
    database(tmp_path)
    same(load_panel(write_spec(tmp_path, from_database())).panel, expected)
    monkeypatch.setenv("NORTH_DB_URL", f"sqlite:///{tmp_path}/north.db")
    source = {"url_env": "NORTH_DB_URL", "query": "select * from sales"}
    same(load_panel(write_spec(tmp_path, good_spec() | {"data": source})).panel, expected)


def test_databases_that_cannot_be_read(tmp_path):
    database(tmp_path)
    cases = {
        "database_error": from_database(query="select * from nothing"),
        "file_not_found": from_database("sqlite:///nowhere.db"),
        "database_driver": from_database("nodriver://me:hunter2@host/db"),
        "database_url": from_database("not a url hunter2"),
    }
    for code, spec in cases.items():
        found = problem(check_silo(write_spec(tmp_path, spec)), code)
        assert "hunter2" not in found.message + found.hint
    assert not (tmp_path / "nowhere.db").exists()
    source = {"url_env": "NO_SUCH_VARIABLE", "query": "select 1"}
    found = problem(check_silo(write_spec(tmp_path, good_spec() | {"data": source})), "database_url")
    assert "NO_SUCH_VARIABLE" in found.message


def test_an_unreachable_server_is_named_without_its_password(tmp_path):
    url = "postgresql+psycopg://me:hunter2@127.0.0.1:1/db"
    report = check_silo(write_spec(tmp_path, from_database(url)))
    assert {finding.code for finding in report.problems} <= {"database_error", "database_driver"}
    assert "hunter2" not in report.to_json()
