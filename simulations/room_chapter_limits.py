"""Third chapter: a refused question, a group too small to be shown, and an attempt to get at it by subtraction."""

from __future__ import annotations

from simulations import room_questions as questions
from simulations.partner_people import SEGMENTS
from simulations.room_desk import Released
from simulations.room_stage import Stage
from simulations.room_story import Chapter, Exhibit


def limits_chapter(stage: Stage) -> Chapter:
    """What does not come out, and how little that tells."""
    exhibits = (_refused(stage), _too_small(stage), _difference(stage))
    return Chapter("What does not come out", exhibits)


def _refused(stage: Stage) -> Exhibit:
    question = questions.ONE_PERSON
    reasons = stage.desk.refusal(question)
    stage.say(f"a question about one person was refused, with all {len(reasons.rows)} reasons at once")
    note = "Refused before any data were touched; nothing was charged."
    return stage.shown(Exhibit(question.title, reasons, note, question.sql, is_wide=True))


def _too_small(stage: Stage) -> Exhibit:
    released = stage.desk.ask(questions.SEGMENTS)
    missing = [name for name in SEGMENTS if name not in released.values("segment")]
    stage.say(f"every answer says the same of what it leaves out: “{released.notice}”")
    note = f"Every answer says: “{released.notice}”."
    if missing:
        note = (
            f"The CRM has one more segment, {', '.join(missing)}, with too few people. Whether a group is too small or "
            f"not there at all looks the same, since every answer says: “{released.notice}”."
        )
    return stage.shown(Exhibit(released.question.title, released.table, note, released.question.sql))


def _difference(stage: Stage) -> Exhibit:
    released = stage.desk.ask(questions.TOTAL)
    verdict = (
        "withheld" if _is_empty(released) else "released: it leaves nothing to subtract for so few people"
    )
    stage.say(f"the total, from which the small segment could be had by subtraction, was {verdict}")
    note = (
        f"The agency asks for the total, to subtract the segments it has got. It was {verdict}. Every number is "
        "compared with all that were ever released in this collaboration, to anybody."
    )
    return stage.shown(Exhibit(released.question.title, released.table, note, released.question.sql))


def _is_empty(released: Released) -> bool:
    return not any(value is not None for row in released.rows for value in row)
