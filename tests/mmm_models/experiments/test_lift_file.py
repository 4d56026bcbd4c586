"""A lift file is read, every mistake in it named at once."""

from datetime import date

import pytest

from mmm_models.experiments.geo_design import GeoMethod
from mmm_models.experiments.lift import LiftTest
from mmm_models.experiments.lift_entries import GeoLift, ReleasedLift
from mmm_models.experiments.lift_errors import LiftFileInvalid
from mmm_models.experiments.lift_file import lifts_from, read_lift_file
from tests.mmm_models.small_panels import small_panel

TYPED = """
[[lift]]
channel = "search"
start = 2024-03-04
end = 2024-04-28
lift = 120000
standard_error = 15000.0
source = "geo test, spring"
"""
RELEASE = """
[[lift]]
channel = "social"
start = 2024-03-04
end = 2024-03-31
release = "release.json"
home = "room/acme"
people = 120_000
"""
GEO = """
[[lift]]
channel = "tv"
start = 2024-03-04
end = 2024-03-31
geo = { treated = ["a", "b"], pre_start = 2023-09-04, method = "synthetic-control" }
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "lifts.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_each_kind_of_entry_is_read(written, tmp_path):
    file = read_lift_file(written(TYPED + RELEASE + GEO))
    asked = []

    def released(entry):
        asked.append(entry)
        return lifts[0]

    lifts = lifts_from(read_lift_file(written(TYPED)), small_panel(), released)
    assert lifts == (
        LiftTest(
            "search", date(2024, 3, 4), date(2024, 4, 22), None, 120000.0, 15000.0, -1.0, "geo test, spring"
        ),
    )
    release, geo = file.lift[1:]
    assert isinstance(release, ReleasedLift)
    assert (release.release, release.home) == (tmp_path / "release.json", tmp_path / "room" / "acme")
    assert isinstance(geo, GeoLift)
    assert geo.design.method is GeoMethod.SYNTHETIC_CONTROL
    assert geo.design.last_week == date(2024, 3, 25)
    lifts_from(read_lift_file(written(RELEASE)), small_panel(), released)
    assert [entry.people for entry in asked] == [120_000]


def test_every_mistake_is_named_at_once(written):
    text = (
        TYPED.replace("lift = 120000", "lft = 120000").replace("15000.0", "-1.0")
        + RELEASE.replace('home = "room/acme"', "")
        + GEO.replace("treated", "treatd").replace("2024-03-31", "2024-03-30")
        + TYPED.replace("-04-28", "-02-28")
    )

    with pytest.raises(LiftFileInvalid) as refused:
        read_lift_file(written(text))

    assert refused.value.problems == (
        "lift 1 (search): lift is missing",
        "lift 1 (search): standard_error: input should be greater than 0",
        "lift 1 (search): unknown key 'lft'; did you mean 'lift'?",
        "lift 2 (social): home is missing",
        "lift 3 (tv): geo.treated is missing",
        "lift 3 (tv): unknown key 'geo.treatd'; did you mean 'treated'?",
        "lift 4 (search): end 2024-02-28 is before start 2024-03-04",
    )
    assert "docs/experiments.md" in refused.value.hint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it has no [[lift]] table"),
        ("lift = 3", "lift: write [[lift]] tables"),
        ("lift = [3]", "lift 1: "),
        ("lifts = 1" + TYPED, "unknown key 'lifts'; experiments are [[lift]] tables"),
        ("[[lift]", "is not valid TOML"),
        (TYPED + "change = 0", "change is 0: -1 means none of the media"),
        (TYPED.replace("04-28", "04-27"), "start to end are 55 days, which is no whole number of weeks"),
        (TYPED.replace("04-28", "04-27"), "until 2024-04-21 or 2024-04-28"),
        (TYPED.replace("2024-04-28", "2024-03-05"), "until 2024-03-10"),
        (GEO.replace("2023-09-04", "2024-03-04"), "geo.pre_start 2024-03-04 is not before start 2024-03-04"),
        (GEO.replace("synthetic-control", "magic"), "input should be 'did' or 'synthetic-control'"),
    ],
)
def test_each_mistake_says_what_is_wrong(written, text, told):
    with pytest.raises(LiftFileInvalid) as refused:
        read_lift_file(written(text))

    assert told in str(refused.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LiftFileInvalid, match=r"none\.toml does not exist"):
        read_lift_file(tmp_path / "none.toml")


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "lifts.toml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(LiftFileInvalid, match="not a UTF-8 text file"):
        read_lift_file(tmp_path / "lifts.toml")
