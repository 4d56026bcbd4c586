"""The silo file: what it means when it is right, and every sentence when it is wrong."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmm_models.errors import SpecInvalid
from mmm_models.intake.silo_file import read_silo_spec
from mmm_models.intake.silo_spec import SiloSpec
from mmm_models.intake.silo_tables import (
    Cadence,
    ChannelSpec,
    ColumnList,
    ColumnsSpec,
    DataSpec,
    GapFill,
    OrganicSpec,
    PrivacyRules,
    SiloTable,
)
from tests.mmm_models.panel_files import good_spec, write_spec


def problems(folder: Path, spec: dict) -> tuple[str, ...]:
    with pytest.raises(SpecInvalid) as caught:
        read_silo_spec(write_spec(folder, spec))
    return caught.value.problems


def changed(table: str, **values) -> dict:
    spec = good_spec()
    spec[table] = {**spec.get(table, {}), **values}
    return spec


@pytest.mark.parametrize(
    "stated, expected",
    [("heads", "silo/heads"), ("../heads", "silo/../heads"), ("~/heads", "user/heads")],
)
def test_a_ledgers_witness_is_relative_to_the_silo_file_or_the_users_home(
    tmp_path, monkeypatch, stated, expected
):
    monkeypatch.setenv("HOME", str(tmp_path.resolve() / "user"))
    (tmp_path / "silo").mkdir()

    spec = read_silo_spec(write_spec(tmp_path / "silo", changed("privacy", ledger_witness=stated)))

    assert spec.ledger_witness == tmp_path.resolve() / expected


def test_defaults_are_the_documented_ones(tmp_path):
    spec = read_silo_spec(write_spec(tmp_path, good_spec()))
    assert spec.data.cadence is Cadence.WEEKLY
    assert spec.data.fill_gaps is GapFill.ZERO_MEDIA
    assert spec.data.min_weeks == 26
    assert spec.columns.revenue_per_outcome == 1.0
    assert (spec.privacy.lifetime_epsilon, spec.privacy.lifetime_delta) == (20.0, 1e-4)
    assert (spec.privacy.minimum_mode, spec.privacy.min_silos) == ("none", 3)
    assert spec.state_directory == tmp_path.resolve() / ".mixroom"
    assert spec.ledger_witness is None
    assert spec.data_path == tmp_path.resolve() / "north.csv"


def test_an_unknown_key_names_the_nearest_known_one(tmp_path):
    spec = changed("data", cadense="weekly") | {"chanels": {"tv": {}}}
    assert problems(tmp_path, spec) == (
        "unknown key 'data.cadense'; did you mean 'cadence'?",
        "unknown key 'chanels'; did you mean 'channels'?",
    )


def test_every_mistake_is_named_at_once(tmp_path):
    spec = good_spec()
    spec["silo"] = "north/south"
    spec["columns"] = {"week": "date", "revenue_per_outcome": -1, "currency": "euro"}
    spec["channels"]["tv"] = {"expsure": "x"}
    spec["channels"]["radio"] = {"spend": "r", "reach": "x"}
    found = "\n".join(problems(tmp_path, spec))
    for sentence in (
        "silo must be 1 to 64 letters",
        "columns.outcome is missing",
        "columns.revenue_per_outcome: must be a column name or a number above 0",
        "columns.currency must be a three-letter code such as EUR",
        "unknown key 'channels.tv.expsure'; did you mean 'exposure'?",
        "channels.radio: reach and frequency go together",
    ):
        assert sentence in found


@pytest.mark.parametrize(
    ("table", "values", "sentence"),
    [
        ("data", {"url": "sqlite:///x.db"}, "exactly one of path, url, url_env; found path and url"),
        ("data", {"path": ""}, "found none of them"),
        ("data", {"query": "select 1"}, "query belongs to url"),
        ("data", {"date_format": "%d/%m"}, "must name year, month and day"),
        ("data", {"date_format": "%Q"}, "must name year, month and day"),
        ("data", {"encoding": "utf-42"}, "not an encoding"),
        ("data", {"decimal": ",", "thousands": ","}, "same character"),
        ("data", {"fill_gaps": "guess"}, "'zero-media', 'interpolate' or 'exclude'"),
        ("data", {"min_weeks": 0}, "greater than or equal to 1"),
        ("channels", {"tv": {}}, "needs spend, exposure, or reach and frequency"),
        ("channels", {"tv": {"exposure": "a", "reach": "b", "frequency": "c"}}, "not both"),
        ("organic", {"mail": {"spend": "x"}}, "unknown key 'organic.mail.spend'"),
        ("organic", {"tv": {"exposure": "x"}}, "named twice, paid and organic: tv"),
        ("controls", {"columns": ["sales"]}, "column 'sales' is used as outcome and controls"),
        (
            "channels",
            {"tv": {"spend": "radio_spend"}},
            "'radio_spend' is used as channel tv and channel radio",
        ),
        ("privacy", {"lifetime_delta": 1.0}, "less than 1"),
        ("privacy", {"minimum_mode": "some"}, "'none', 'distributed' or 'local'"),
        ("privacy", {"min_silos": 1}, "greater than or equal to 2"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(tmp_path, table, values, sentence):
    assert sentence in "\n".join(problems(tmp_path, changed(table, **values)))


def test_a_silo_without_channels_is_refused(tmp_path):
    spec = good_spec() | {"channels": {}}
    assert problems(tmp_path, spec) == ("needs at least one [channels.NAME] or [organic.NAME]",)


def test_a_missing_file_and_broken_toml_are_refused(tmp_path):
    with pytest.raises(SpecInvalid, match="does not exist"):
        read_silo_spec(tmp_path / "nowhere.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("silo = north\n")
    with pytest.raises(SpecInvalid, match="line 1"):
        read_silo_spec(broken)


def test_a_password_is_never_printed(tmp_path):
    source = {"url": "postgresql://me:hunter2@host/db", "query": "select 1"}
    spec = read_silo_spec(write_spec(tmp_path, good_spec() | {"data": source}))
    assert "hunter2" not in repr(spec) + str(spec) + spec.model_dump_json()
    refused = problems(tmp_path, good_spec() | {"data": source | {"path": "x.csv"}})
    assert "hunter2" not in "".join(refused)


@pytest.mark.parametrize(
    ("columns", "channel", "expected"),
    [
        ({"currency": "EUR"}, {}, "EUR"),
        ({"outcome_unit": "USD"}, {}, "USD"),  # the outcome is money
        ({"outcome_unit": "USD", "revenue_per_outcome": 2.0}, {}, ""),  # then USD is the name of a product
        ({"outcome_unit": "units"}, {"currency": "CHF"}, "CHF"),
        ({}, {}, ""),
    ],
)
def test_the_currency_is_stated_once_or_follows(tmp_path, columns, channel, expected):
    spec = changed("columns", **columns)
    spec["channels"]["tv"] |= channel
    assert read_silo_spec(write_spec(tmp_path, spec)).currency == expected


def test_reading_a_silo_file_loads_no_numerical_library(tmp_path):
    code = (
        "import sys; from mmm_models.intake.silo_file import read_silo_spec; read_silo_spec(sys.argv[1]);"
        "assert not {'numpy', 'pandas', 'torch', 'sqlalchemy'} & set(sys.modules)"
    )
    path = write_spec(tmp_path, good_spec())
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, cwd=Path(__file__).parents[2])


def test_every_setting_is_documented(repository):
    text = (repository / "docs" / "data-format.md").read_text(encoding="utf-8")
    settings_part = text.split("## Settings")[1].split("## Dates")[0]
    documented = set(re.findall(r"^\| `([^`]+)` \|", settings_part, flags=re.MULTILINE))
    tables: dict[str, type[SiloTable]] = {
        "data": DataSpec,
        "columns": ColumnsSpec,
        "channels.NAME": ChannelSpec,
        "organic.NAME": OrganicSpec,
        "controls": ColumnList,
        "treatments": ColumnList,
        "privacy": PrivacyRules,
    }
    settings = {f"{table}.{key}" for table, model in tables.items() for key in model.model_fields}
    assert documented == settings | {"silo", "lifts"}
    assert set(SiloSpec.model_fields) == {"silo", "lifts"} | {table.split(".")[0] for table in tables}


def test_every_problem_and_note_is_documented(repository):
    text = (repository / "docs" / "data-format.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`([a-z_]+)`", text.split("## Problems and notes")[1]))
    models = repository / "mmm_models"
    sources = [path.read_text() for path in (*models.glob("*.py"), *(models / "intake").glob("*.py"))]
    made = {
        code
        for source in sources
        for code in re.findall(r'(?:(?:Finding|find)\(\s*|\bcode=|code: str = )"([a-z_]+)"', source)
    }
    assert len(made) > 40
    assert made - documented == set()


def test_the_documented_example_is_a_silo_file_of_its_csv(repository, tmp_path):
    text = (repository / "docs" / "data-format.md").read_text(encoding="utf-8")
    header = re.findall(r"```text\n(.*)\n", text)[0].split(",")
    (tmp_path / "north.toml").write_text(re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)[0])
    spec = read_silo_spec(tmp_path / "north.toml")
    assert set(header) == {*spec.text_columns, *spec.number_columns}
