"""Scenarios: what a file may say, and what it hears when it says something wrong."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined

from simulations.errors import ScenarioInvalid, ScenarioNotFound
from simulations.scenario import Scenario, built_in_scenarios, load_scenario
from simulations.scenario_tables import BaselineSpec, ChannelSpec, ControlSpec, ScenarioTable, SynergySpec

SMALL = """
name = "small"
silos = 2
units_per_silo = 3
weeks = 20
holdout_weeks = 4

[[channels]]
name = "tv"
sales_share = 0.1
spend_share = 0.05

[[channels]]
name = "radio"
sales_share = 0.1
spend_share = 0.05
"""


@pytest.fixture
def read(tmp_path: Path):
    """Reads a scenario from text."""

    def load(text: str, **options: Any) -> Scenario:
        path = tmp_path / "scenario.toml"
        path.write_text(text, encoding="utf-8")
        return load_scenario(str(path), **options)

    return load


def test_every_built_in_scenario_is_valid_and_named_like_its_file():
    assert {"default", "demo", "everything"} <= set(built_in_scenarios())
    for name in built_in_scenarios():
        assert load_scenario(name).name == name


def test_the_demo_is_the_default_world_with_fewer_silos():
    default, demo = (load_scenario(name).model_dump() for name in ("default", "demo"))

    assert {key for key in default if default[key] != demo[key]} == {"name", "silos"}
    assert demo["silos"] < default["silos"]


def test_a_seed_given_by_hand_replaces_the_one_of_the_file():
    assert load_scenario("demo").seed == 1
    assert load_scenario("demo", seed=7) == load_scenario("demo").model_copy(update={"seed": 7})


def test_a_seed_given_by_hand_is_checked_like_one_in_the_file():
    with pytest.raises(ScenarioInvalid, match=r"seed: .*greater than or equal to 0, found -1"):
        load_scenario("demo", seed=-1)


def test_one_number_of_units_serves_all_silos_and_a_list_gives_each_its_own(read):
    assert read(SMALL).unit_counts == (3, 3)
    assert read(SMALL.replace("units_per_silo = 3", "units_per_silo = [5, 1]")).unit_counts == (5, 1)


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    for name in ("defualt", str(tmp_path)):
        with pytest.raises(ScenarioNotFound) as caught:
            load_scenario(name)
        assert "default" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("sales_share = 0.1", "sales_share = 1.5"), "channels.tv.sales_share: input should be less than 1"),
        (("silos = 2", "silos = 0"), "silos: input should be greater than or equal to 1, found 0"),
        (("silos = 2", ""), "silos is missing: add it"),
        (("silos = 2", "silo = 2"), "unknown key 'silo'; did you mean 'silos'?"),
        (
            ("spend_share = 0.05", "spend_share = 0.05\nhalf_life = 2"),
            "unknown key 'channels.tv.half_life'; did you mean 'half_life_weeks'?",
        ),
        (("spend_share = 0.05", ""), "channels.tv: a paid channel needs a spend_share above 0"),
        (("spend_share = 0.05", "spend_share = 0.05\nkind = 'organic'"), "remove spend_share"),
        (("spend_share = 0.05", "spend_share = inf"), "channels.tv.spend_share: input should be a finite"),
        (
            ("spend_share = 0.05", "spend_share = 0.05\nflight = 'often'"),
            "channels.tv.flight: input should be",
        ),
        (("spend_share = 0.05", "spend_share = 0.05\nfollows = 'radio'"), "needs flight = 'follows_channel'"),
        (
            ("spend_share = 0.05", "spend_share = 0.05\nflight = 'follows_channel'\nfollows = 'radio'"),
            "channel 'tv': follows must name a channel listed before it",
        ),
        (
            ("spend_share = 0.05", "spend_share = 0.05\nabsent_in = ['silo-3']"),
            "channel 'tv': absent_in names silo-3; silos are silo-1 to silo-2",
        ),
        (
            ("spend_share = 0.05", "spend_share = 0.05\nabsent_in = ['silo-1', 'silo-2']"),
            "channel 'tv': absent_in names every silo; leave the channel out",
        ),
        (
            ("spend_share = 0.05", "spend_share = 0.05\nabsent_in = 'silo-1'"),
            "absent_in: input should be a list",
        ),
        (('name = "tv"', 'name = "radio"'), "channel 'radio' is there twice"),
        (('name = "tv"', 'name = "TV shows"'), "must be a letter, then up to 39 letters"),
        (("weeks = 20\nholdout_weeks = 4", "weeks = 20\nholdout_weeks = 11"), "10 at most"),
        (
            ("units_per_silo = 3", "units_per_silo = [3, 3, 3]"),
            "units_per_silo lists 3 numbers for silos = 2",
        ),
        (("units_per_silo = 3", "units_per_silo = 9999999"), "a world holds 100,000,000 at most"),
        (("silos = 2", "silos = 10001"), "silos: input should be less than or equal to 10000, found 10001"),
        (("units_per_silo = 3", "units_per_silo = [3, 0]"), "units_per_silo: must be a whole number from 1"),
        (("units_per_silo = 3", "units_per_silo = []"), "units_per_silo: must be a whole number from 1"),
        (("weeks = 20", "weeks = 20\ncurrency = 'euro'"), "currency must be a three-letter code such as EUR"),
    ],
)
def test_a_mistake_is_named_with_its_setting_and_what_to_do(read, change, sentence):
    old, new = change
    with pytest.raises(ScenarioInvalid) as caught:
        read(SMALL.replace(old, new, 1))

    assert sentence in str(caught.value)
    assert "docs/worlds.md" in caught.value.hint


@pytest.mark.parametrize(
    ("addition", "sentence"),
    [
        ("[[synergies]]\nfirst='tv'\nsecond='tv'\nsales_share=0.1", "must name two different known channels"),
        (
            "[[synergies]]\nfirst='tv'\nsecond='post'\nsales_share=0.1",
            "must name two different known channels",
        ),
        (
            "[[synergies]]\nfirst='tv'\nsecond='radio'\nsales_share=0.1\n"
            "[[synergies]]\nfirst='radio'\nsecond='tv'\nsales_share=0.1",
            "a synergy is there twice",
        ),
        (
            "[[synergies]]\nfirst='tv'\nsecond='radio'\nsales_share=0.8",
            "sales_share of channels and synergies sum to 1: they must stay below 1",
        ),
        ("[[controls]]\nname='promotion'\neffect=0.1", "table column 'promotion' is there twice"),
        ("[[controls]]\nname='tv_spend'\neffect=0.1", "table column 'tv_spend' is there twice"),
        ("[baseline]\nnoise_low=0.2\nnoise_high=0.1", "noise_low 0.2 is above noise_high 0.1: swap them"),
        (
            "[baseline]\nholiday_weeks=[52]",
            "baseline.holiday_weeks.0: input should be less than or equal to 51",
        ),
    ],
)
def test_a_mistake_in_a_further_table_is_named_too(read, addition, sentence):
    with pytest.raises(ScenarioInvalid) as caught:
        read(f"{SMALL}\n{addition}\n")

    assert sentence in str(caught.value)


def test_a_silo_that_lacks_every_channel_is_refused(read):
    text = SMALL.replace("spend_share = 0.05", "spend_share = 0.05\nabsent_in = ['silo-2']")

    with pytest.raises(ScenarioInvalid, match="silo-2 would have no channel at all"):
        read(text)


def test_all_mistakes_are_reported_at_once(read):
    text = SMALL.replace("silos = 2", "silos = 0").replace("weeks = 20", "weeks = 2", 1)

    with pytest.raises(ScenarioInvalid) as caught:
        read(text)

    assert [problem.split(":")[0] for problem in caught.value.problems] == ["silos", "weeks"]


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"silos = ", "not valid TOML"), (b"\xff\xfe", "not a UTF-8")]
)
def test_a_file_that_is_no_toml_text_is_refused_as_such(tmp_path, content, sentence):
    path = tmp_path / "scenario.toml"
    path.write_bytes(content)

    with pytest.raises(ScenarioInvalid, match=sentence):
        load_scenario(str(path))


def test_the_documentation_lists_every_setting_with_its_default(repository):
    text = (repository / "docs" / "worlds.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `([a-z_.]+)` \|(.*?)\|", text, flags=re.MULTILINE))
    tables: dict[str, type[ScenarioTable]] = {
        "": Scenario,
        "baseline.": BaselineSpec,
        "channels.": ChannelSpec,
        "synergies.": SynergySpec,
        "controls.": ControlSpec,
    }
    expected = {
        f"{prefix}{name}": _as_toml(field.default)
        for prefix, table in tables.items()
        for name, field in table.model_fields.items()
        if prefix or name not in ("baseline", "channels", "synergies", "controls")
    }

    assert {name: documented.get(name, "missing").strip(" `") for name in expected} == expected


def test_the_documentation_lists_every_built_in_scenario(repository):
    text = (repository / "docs" / "worlds.md").read_text(encoding="utf-8")
    for name in built_in_scenarios():
        assert f"| `{name}` |" in text


def _as_toml(default: Any) -> str:
    """The default as it would be written in a scenario file; nothing for a required setting."""
    if default is PydanticUndefined:
        return ""
    return str(default) if isinstance(default, date) else json.dumps(default)
