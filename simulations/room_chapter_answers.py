"""Second chapter: reach, frequency and overlap; lift by an approved template, beside the truth; last touch."""

from __future__ import annotations

from dataclasses import dataclass

from simulations import room_questions as questions
from simulations.lift_figure import LiftReading, lift_figure
from simulations.partner_truth import PartnerTruth
from simulations.room_desk import Released
from simulations.room_stage import Stage
from simulations.room_story import Chapter, Exhibit


@dataclass(frozen=True)
class AnswersTold:
    """The chapter, and the lift it is about."""

    chapter: Chapter
    lift: LiftReading


def answers_chapter(stage: Stage) -> AnswersTold:
    """Everything an agency usually asks."""
    reach = stage.asked(questions.REACH)
    _agree_on_templates(stage)
    first = (reach, *map(stage.asked, (questions.FREQUENCY, questions.OVERLAP)))
    released = stage.desk.ask(questions.LIFT)
    exposed = stage.desk.ask(questions.EXPOSED)
    reading = _reading(released, exposed, stage.truth)
    figure = lift_figure(reading)
    stage.say(figure.insight)
    lift = Exhibit(
        questions.LIFT.title, released.table, figure.insight, questions.LIFT.sql, figure=figure, is_wide=True
    )
    naive = Exhibit(questions.EXPOSED.title, exposed.table, sql=questions.EXPOSED.sql)
    middle = [stage.shown(exhibit) for exhibit in (lift, naive)]
    exhibits = (*first, *middle, stage.asked(questions.LAST_TOUCH))
    return AnswersTold(Chapter("What the agency asked", exhibits), reading)


def _agree_on_templates(stage: Stage) -> None:
    """The agency proposes templates; the owners of the tables that each reads sign it."""
    for question in questions.TEMPLATES:
        template = {"title": question.title, "sql": question.sql}
        stage.sign_by_all(stage.desk.room.propose_template(question.name, template))
    names = ", ".join(question.name for question in questions.TEMPLATES)
    stage.say(f"the agency proposed templates: {names}; the owners of the tables in each read and signed it")


def _reading(released: Released, exposed: Released, truth: PartnerTruth) -> LiftReading:
    ((lift, low, high),) = zip(*(released.values(name) for name in ("lift", "low", "high")), strict=True)
    shares = dict(zip(exposed.values("spring"), exposed.values("share"), strict=True))
    naive = shares[questions.SAW_IT] - shares[questions.DID_NOT]
    return LiftReading(lift, low, high, naive, truth.incremental_conversion_rate)
