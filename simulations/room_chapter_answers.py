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
    first = [stage.asked(item) for item in (questions.REACH, questions.CONTACTS, questions.OVERLAP)]
    _agree_on_template(stage)
    released = stage.desk.ask_template(questions.LIFT, {"z": questions.CONFIDENCE_95})
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


def _agree_on_template(stage: Stage) -> None:
    """The agency proposes the template; the owners of the tables it reads sign it."""
    name = questions.LIFT.name
    template = {"title": questions.LIFT.title, "sql": questions.LIFT.sql}
    proposal = stage.desk.room.propose_template(name, template)
    stage.sign_by_all(proposal)
    signed = " and the ".join(proposal.waiting_for)
    stage.say(f"the agency proposed a template, {name}; the {signed} read and signed it")


def _reading(released: Released, exposed: Released, truth: PartnerTruth) -> LiftReading:
    _, _, lift, low, high = (float(value) for value in released.rows[0])
    shares = {str(row[0]): float(row[3]) for row in exposed.rows}
    naive = shares[questions.SAW_IT] - shares[questions.DID_NOT]
    return LiftReading(lift, low, high, naive, truth.incremental_conversion_rate)
