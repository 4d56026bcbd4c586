"""`mixroom room demo`: transcripts. The story itself is tested with the simulations."""

import json
from pathlib import Path

import pytest

import simulations.room_demo
from mixroom.cli_room_demo import text_table
from mmm_models.reporting.figure import Column, Table
from mmm_models.reporting.number_format import count
from simulations.room_story import Chapter, Exhibit, RoomStory

SEGMENTS = Exhibit("Customers", Table((Column("Segment"), Column("People", count)), (("loyal", 1234.0),)))
NOTHING = Exhibit("All customers", Table((Column("People", count),), ()))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The demo with a story of two tables; holds the seeds it was told with."""
    seeds: list[int] = []

    def story(directory: Path, spec, *, say, show) -> RoomStory:
        seeds.append(spec.seed)
        say("asked: customers")
        for exhibit in (SEGMENTS, NOTHING):
            show(exhibit)
        return RoomStory(
            directory, spec.seed, "None saw another's table", (), (Chapter("One", (SEGMENTS, NOTHING)),)
        )

    monkeypatch.setattr(simulations.room_demo, "run_room_demo", story)
    return seeds


def test_tables_go_to_stdout_and_the_story_to_stderr(terminal, told, tmp_path):
    out = tmp_path / "demo"

    seen = terminal("room", "demo", "--out", out, "--seed", "4")

    assert (seen.code, told) == (0, [4])
    assert seen.out == "\nCustomers\nSegment  People\nloyal     1 234\n\nAll customers\nno rows\n"
    assert seen.err.splitlines() == [
        "mixroom: asked: customers",
        f"mixroom: the report: {out / 'room.html'}",
        "mixroom: next, a room of your own: mixroom room serve --data room-service (docs/clean-room.md)",
    ]


def test_as_json_the_whole_story_is_one_document(terminal, told, tmp_path):
    seen = terminal("room", "demo", "--out", tmp_path / "demo", "--json")

    printed = json.loads(seen.out)
    assert printed["report"] == str(tmp_path / "demo" / "room.html")
    first, second = printed["chapters"][0]["exhibits"]
    assert (first["columns"], first["rows"][0][0], second["rows"]) == (["Segment", "People"], "loyal", [])


def test_other_peoples_files_are_left_alone(terminal, told, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")

    error, hint = terminal.refused("room", "demo", "--out", tmp_path, code=1)

    assert error == f"{tmp_path} holds files that no demo wrote; nothing was changed"
    assert hint == "choose another --out"
    assert told == []


def test_ctrl_c_says_how_to_go_on(terminal, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(simulations.room_demo, "run_room_demo", interrupted)

    said = terminal("room", "demo", "--out", tmp_path / "demo")

    assert (said.code, said.refusal) == (
        130,
        ("interrupted; there is no report", "run the same command again"),
    )


def test_long_texts_go_on_in_the_next_line():
    table = Table((Column("No", count), Column("Text")), ((1.0, "word " * 20),))

    assert text_table(table).splitlines() == [
        "No  Text",
        " 1  " + " ".join(["word"] * 12),
        "    " + " ".join(["word"] * 8),
    ]
