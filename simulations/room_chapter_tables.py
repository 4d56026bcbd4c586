"""First chapter: who is in the room, and what became of each owner's table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmm_models.reporting.figure import Cell, Column, Table
from mmm_models.reporting.number_format import count, size_in_bytes
from privacy.identifier_rules import IdentifierRule
from simulations.room_parties import OWNERS, PARTIES, Party
from simulations.room_stage import Stage
from simulations.room_story import Chapter, Exhibit
from simulations.room_uploads import OwnTable, upload_own_table

_NOTE = (
    "Each owner spells its addresses in one way and hashes them with the collaboration's key, on its own machine. The "
    "service never has the key, an address or an open table."
)


@dataclass(frozen=True)
class TablesTold:
    """The chapter, and the tables it is about."""

    chapter: Chapter
    own: tuple[OwnTable, ...]


def tables_chapter(stage: Stage) -> TablesTold:
    """Owners hash, sign their rules, seal and upload."""
    own = []
    for party in OWNERS:
        with stage.joined.client(party) as room:
            own.append(upload_own_table(room, party, stage.files))
        stage.say(_done(own[-1]))
    columns = (
        Column("Member"),
        Column("Role"),
        Column("Holds"),
        Column("Rows", count),
        Column("Left out", count),
        Column("Spellings joined", count),
        Column("People", count),
    )
    table = Table(columns, tuple(_row(party, own) for party in PARTIES))
    exhibit = stage.shown(Exhibit("Members and their tables", table, _NOTE, is_wide=True))
    return TablesTold(Chapter("Who is in the room", (exhibit,)), tuple(own))


def _done(own: OwnTable) -> str:
    size = size_in_bytes(own.uploaded.sealed_bytes)
    return (
        f"the {own.party.name} hashed {count(own.hashed.hashed)} rows of {own.party.dataset}, left out "
        f"{count(own.left_out)} without a usable address, signed its rules, and uploaded {size}, sealed"
    )


def _row(party: Party, own: Sequence[OwnTable]) -> tuple[Cell, ...]:
    mine = next((item for item in own if item.party == party), None)
    if mine is None:
        return (party.name, party.role.value, party.holds, "", "", "", "")
    report = mine.hashed
    # Meta's rule changes capitals and spaces only: what it tells apart beyond the people are dots and +tags.
    as_written = next(item for item in report.previews if item.rule is IdentifierRule.META).distinct
    numbers = (report.hashed, mine.left_out, as_written - report.distinct_people, report.distinct_people)
    return (party.name, party.role.value, party.holds, *map(float, numbers))
