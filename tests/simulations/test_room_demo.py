"""The clean room's demo: what it tells is what happened, and its page escapes every name."""

import json
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cleanroom.partner.installed_worker import known_measurements
from cleanroom.partner.party_home import PartyHome
from cleanroom.partner.release_verification import ReleaseTrust, verify_release
from mmm_models.experiments.lift_entries import ReleasedLift
from mmm_models.reporting.figure import Column, Table
from mmm_models.reporting.number_format import count
from simulations.lift_figure import LiftReading, lift_figure
from simulations.lift_release import released_lift
from simulations.partner_world import PartnerWorldSpec
from simulations.room_demo import run_room_demo
from simulations.room_page import room_page
from simulations.room_story import Chapter, Exhibit, Fact, RoomStory

READING = LiftReading(lift=0.023, low=0.01, high=0.036, naive=0.07, truth=0.03)


# --- the whole story, once ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[RoomStory, list[str], list[Exhibit]]:
    directory = tmp_path_factory.mktemp("room-demo")
    said: list[str] = []
    shown: list[Exhibit] = []
    story = run_room_demo(directory, PartnerWorldSpec(), say=said.append, show=shown.append)
    return story, said, shown


def exhibit(story: RoomStory, title: str) -> Exhibit:
    (found,) = [
        item for chapter in story.chapters for item in chapter.exhibits if item.title.startswith(title)
    ]
    return found


def released_lift_row(story: RoomStory) -> dict[str, float]:
    path = next((story.directory / "releases").glob("*-conversion_lift.json"))
    result = json.loads(path.read_text(encoding="utf-8"))["body"]["result"]
    return dict(zip([column["name"] for column in result["columns"]], result["rows"][0], strict=True))


def rows(story: RoomStory, title: str) -> list[list[str]]:
    table = exhibit(story, title).table
    assert table is not None
    return table.text_rows()


@pytest.mark.slow
def test_everything_shown_is_in_the_story_and_on_the_page(told):
    story, _, shown = told
    page = story.report.read_text(encoding="utf-8")

    assert [item for chapter in story.chapters for item in chapter.exhibits] == shown
    for item in shown:
        assert item.title.replace("'", "&#39;") in page


@pytest.mark.slow
def test_the_experiments_interval_holds_the_truth_and_the_naive_comparison_is_far_off(told):
    """True of the usual seed; of a hundred seeds it would be true of 95."""
    story, _, _ = told
    truth = json.loads((story.directory / "partners" / "truth.json").read_text(encoding="utf-8"))
    lift, low, high = (released_lift_row(story)[name] for name in ("lift", "low", "high"))

    assert low < truth["incremental_conversion_rate"] < high
    assert low < lift < high
    assert "the interval holds the truth" in exhibit(story, "What the spring campaign added").note


@pytest.mark.slow
def test_the_lift_is_that_of_the_open_tables(told):
    """Plain shares of the two groups, from the files before hashing."""
    story, _, _ = told
    import pandas as pd

    from privacy.errors import IdentifierRefused
    from privacy.identifier_rules import IdentifierKind, IdentifierRule, normalise

    def person(raw: str) -> str | None:
        try:
            return normalise(raw, IdentifierKind.EMAIL, IdentifierRule.UID2)
        except IdentifierRefused:
            return None

    crm, orders = (
        pd.read_parquet(story.directory / "partners" / f"{name}.parquet") for name in ("crm", "conversions")
    )
    crm["person"], orders["person"] = crm.email.map(person), orders.email.map(person)
    crm = crm[crm.person.notna()]
    share = crm.person.isin(orders.person).groupby(crm.cell).mean()

    released = released_lift_row(story)
    assert released["test_rate"] == pytest.approx(share.test)
    assert released["control_rate"] == pytest.approx(share.control)
    assert released["lift"] == pytest.approx(share.test - share.control)


@pytest.mark.slow
def test_what_may_not_come_out_does_not(told):
    story, _, _ = told

    assert len(rows(story, "The largest order of one customer")) == 3
    assert [row[0] for row in rows(story, "Customers by segment")] == ["lapsed", "loyal", "new", "prospect"]
    assert rows(story, "All customers") == []
    assert "withheld" in exhibit(story, "All customers").note


@pytest.mark.slow
def test_noise_comes_with_a_budget_and_a_repeated_question_is_free(told):
    story, _, _ = told
    noised = exhibit(story, "Customers who bought, by region, without and with noise")
    left = {row[0]: row[3] for row in rows(story, "The budget")}

    assert len(rows(story, noised.title)) == 4
    assert "at no further charge" in noised.note
    assert left["conversions"].startswith("3 of 4 left: about 3 more queries")


@pytest.mark.slow
def test_the_release_verifies_from_the_files_alone_and_the_forged_copy_does_not(told):
    story, said, _ = told
    pinned = PartyHome(story.directory / "homes" / "retailer").room
    release = next((story.directory / "releases").glob("*-conversion_lift.json"))

    verified = verify_release(
        json.loads(release.read_text(encoding="utf-8")),
        ReleaseTrust(pinned.collaboration, pinned.enclave_root, known_measurements()),
    )

    assert verified.body["asked_by"] == "agency"
    assert rows(story, "The lift's release")[-1][0] == "a forged copy"
    assert said[-1].startswith("a copy with twice the lift: this release is not genuine")


@pytest.mark.slow
def test_the_lifts_release_is_a_lift_that_holds_the_truth(told):
    """Of everybody in the experiment, in buyers: what `mixroom fit --lift` would be calibrated with."""
    story, _, _ = told
    truth = json.loads((story.directory / "partners" / "truth.json").read_text(encoding="utf-8"))
    people = truth["test_people"] + truth["control_people"]
    entry = ReleasedLift(
        channel="social",
        start=date(2024, 1, 1),
        end=date(2024, 2, 25),
        release=next((story.directory / "releases").glob("*-conversion_lift.json")),
        home=story.directory / "homes" / "retailer",
        people=people,
        outcome_per_buyer=1.0,
    )

    lift = released_lift(entry)

    assert lift.lift == pytest.approx(people * released_lift_row(story)["lift"])
    assert abs(lift.lift - people * truth["incremental_conversion_rate"]) < 1.96 * lift.standard_error


@pytest.mark.slow
def test_the_owners_log_has_every_key_that_was_given_for_a_question_on_its_table(told):
    story, _, _ = told
    times = {kind: int(number) for kind, number in rows(story, "The publisher's log of its key")}
    asked = sum("exposures" in path.read_text() for path in (story.directory / "queries").glob("*.sql"))

    assert times["key kept"] == 1
    assert times["key released"] == asked
    assert "refused" not in times


@pytest.mark.slow
def test_the_service_holds_no_address(told):
    """Tables are sealed; neither the database nor the log knows a domain of the world's addresses."""
    story, _, _ = told
    service = story.directory / "service"
    files = [path for path in (*service.rglob("*"), story.directory / "service.log") if path.is_file()]
    files = [path for path in files if path.suffix != ".pyc"]  # the worker's code names domains, too

    assert any(path.name.startswith("room.db") for path in files)
    for path in files:
        content = path.read_bytes().lower()
        assert b"gmail.com" not in content, path.name
        assert b"mail.example.com" not in content, path.name


# --- the page -------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """Every tag of a page, and whether anything is fetched."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.links += [value for name, value in attrs if name in {"src", "href"}]


@pytest.fixture
def small_story(tmp_path: Path) -> RoomStory:
    table = Table((Column("Name"), Column("People", count)), (("<b>x</b>", 12.0),))
    shown = Exhibit("<i>t</i>", table, "<u>n</u>", "SELECT '<s>'", lift_figure(READING))
    chapters = (Chapter("<q>c</q>", (shown, replace(shown, table=Table((), ()), figure=None))),)
    return RoomStory(tmp_path, 1, "<em>h</em>", (Fact("<a>", "<tt>", "<dfn>"),), chapters)


def test_every_text_on_the_page_is_escaped(small_story):
    page = room_page(small_story)

    assert not {"b", "i", "u", "s", "q", "em", "a", "tt", "dfn"} & Tags(page).names
    assert "&lt;b&gt;x&lt;/b&gt;" in page


def test_the_page_fetches_nothing_and_runs_nothing(small_story):
    tags = Tags(room_page(small_story))

    assert tags.links == ["data:,"]
    assert not {"script", "iframe", "img", "object"} & tags.names


def test_an_answer_without_rows_says_so(small_story):
    assert "No rows." in room_page(small_story)


def test_the_page_says_what_is_not_protected(small_story):
    text = re.sub(r"\s+", " ", room_page(small_story))

    assert (
        "whoever is root on its machine, or acts as the service there, can look into it while it has a table open"
        in text
    )
    assert "do not stop someone who already knows all members of a group but one; noise does" in text


# --- the lift -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("truth", "word"), [(0.03, "holds"), (0.01, "holds"), (0.037, "misses")])
def test_the_figure_says_whether_the_interval_holds_the_truth(truth, word):
    assert f"the interval {word} the truth" in lift_figure(replace(READING, truth=truth)).insight


def test_the_figures_table_holds_all_it_draws():
    assert lift_figure(READING).table.text_rows() == [
        ["Experiment", "2.30", "1.00", "3.60"],
        ["Exposed against not exposed", "7.00", "", ""],
        ["Truth", "3.00", "", ""],
    ]
