"""The clean room's story: three partners and an agency, a real service, from first invitation to proof."""

from __future__ import annotations

from pathlib import Path

from mmm_models.reporting.number_format import count, decimal
from simulations.partner_files import write_partner_world
from simulations.partner_world import PartnerWorld, PartnerWorldSpec, make_partner_world
from simulations.room_brokers import demo_isolation, running_brokers
from simulations.room_chapter_answers import AnswersTold, answers_chapter
from simulations.room_chapter_limits import limits_chapter
from simulations.room_chapter_noise import noise_chapter
from simulations.room_chapter_proof import proof_chapter
from simulations.room_chapter_tables import TablesTold, tables_chapter
from simulations.room_desk import AnalystDesk
from simulations.room_page import room_page
from simulations.room_parties import ANALYST, OWNERS, PARTIES, join_all
from simulations.room_service import running_service
from simulations.room_stage import Say, Show, Stage
from simulations.room_story import Fact, RoomStory


def run_room_demo(directory: Path, spec: PartnerWorldSpec, *, say: Say, show: Show) -> RoomStory:
    """The story, all of it in `directory`, which is there and empty. The page is written last.

    say: told each step. show: told each table when it is there.
    """
    world = make_partner_world(spec)
    files = write_partner_world(world, directory / "partners")
    say(f"three partners know {count(spec.people)} people between them; their tables are in {files.folder}")
    isolation = demo_isolation()
    log = directory / "service.log"
    with running_service(directory / "service", log, isolation=isolation) as service:
        say(f"the service runs at {service.url}, its worker in emulated enclaves with {isolation} isolation")
        joined = join_all(service, directory / "homes", say)
        with running_brokers(joined.owners, isolation), joined.client(ANALYST) as analyst:
            say("each owner's key broker is connected: without it nobody opens that owner's table")
            stage = Stage(joined, AnalystDesk(analyst, directory), files, world.truth, say, show)
            story = _story(stage, world, directory)
    story.report.write_text(room_page(story), encoding="utf-8")
    return story


def _story(stage: Stage, world: PartnerWorld, directory: Path) -> RoomStory:
    tables = tables_chapter(stage)
    answers = answers_chapter(stage)
    rest = (limits_chapter(stage), noise_chapter(stage), proof_chapter(stage, directory))
    headline = (
        f"Three partners measured together that the campaign made {decimal(100 * answers.lift.lift)} of 100 "
        "people buy; none saw another's table"
    )
    facts = _facts(tables, answers, stage.desk.asked)
    return RoomStory(directory, world.spec.seed, headline, facts, (tables.chapter, answers.chapter, *rest))


def _facts(tables: TablesTold, answers: AnswersTold, asked: int) -> tuple[Fact, ...]:
    rows = sum(item.hashed.hashed for item in tables.own)
    left_out = sum(item.left_out for item in tables.own)
    lift = answers.lift
    interval = f"{decimal(100 * lift.low)} to {decimal(100 * lift.high)}"
    return (
        Fact("Members", count(len(PARTIES)), f"{len(OWNERS)} of them own a table"),
        Fact("Rows sealed", count(rows), f"{count(left_out)} had no usable address"),
        Fact("Questions", count(asked), "one of them refused"),
        Fact("Measured lift, points", decimal(100 * lift.lift), interval),
        Fact("True lift, points", decimal(100 * lift.truth), "the world is invented"),
    )
