"""Fourth chapter: the retailer turns to differential privacy; one question before, after, and once more."""

from __future__ import annotations

from cleanroom.partner.room_questions import QuestionText
from cleanroom.service.query_bodies import DryRunBody
from mmm_models.reporting.figure import Column, Table
from mmm_models.reporting.number_format import count
from simulations import room_questions as questions
from simulations.room_desk import Released
from simulations.room_parties import RETAILER
from simulations.room_stage import Stage
from simulations.room_story import Chapter, Exhibit
from simulations.room_uploads import rules_of


def noise_chapter(stage: Stage) -> Chapter:
    """Noise, what it costs in accuracy and budget, and that a repeated question costs nothing."""
    exact = stage.desk.ask(questions.BUYERS)
    _change_rules(stage)
    expected = _expected(stage.desk.room.questions.dry_run(QuestionText(questions.BUYERS.sql)))
    stage.say(f"a dry run tells the noise beforehand: 19 of 20 numbers will lie within {expected}")
    noisy, again = stage.desk.ask(questions.BUYERS), stage.desk.ask(questions.BUYERS)
    note = f"Beforehand, a dry run said: 19 of 20 numbers will lie within {expected} of the true ones."
    if again.cached and again.rows == noisy.rows:
        note += " Asked once more, the same numbers came back, at no further charge."
        stage.say("the same question again: the same numbers, at no further charge")
    title = f"{questions.BUYERS.title}, without and with noise"
    noised = stage.shown(Exhibit(title, _side_by_side(exact, noisy), note, questions.BUYERS.sql))
    return Chapter("Noise and its budget", (noised, _budget(stage)))


def _change_rules(stage: Stage) -> None:
    with stage.joined.client(RETAILER) as room:
        proposal = room.propose_rules(rules_of(stage.files.rules("conversions-dp")))
    stage.sign_by_all(proposal)
    stage.say("the retailer changed its rules: what touches its table carries noise from now on")


def _expected(preview: DryRunBody) -> str:
    buyers, revenue = (line.half_width_95 for line in preview.expected_noise[:2])
    return f"{count(buyers)} buyers and {count(revenue)} EUR (epsilon {preview.epsilon:g})"


def _side_by_side(exact: Released, noisy: Released) -> Table:
    region, buyers, revenue = exact.question.columns.values()
    columns = (
        region,
        Column("Buyers", buyers.show),
        Column("with noise", buyers.show),
        Column("Revenue", revenue.show),
        Column("with noise", revenue.show),
    )
    with_noise = {row[0]: row for row in noisy.rows}
    rows = [
        (row[0], row[1], with_noise[row[0]][1], row[2], with_noise[row[0]][2])
        for row in exact.rows
        if row[0] in with_noise
    ]
    return Table(columns, tuple(rows))


def _budget(stage: Stage) -> Exhibit:
    budgets = stage.desk.room.questions.budget().budgets
    rows = tuple((item.dataset, item.owner, item.mode.value, item.words) for item in budgets)
    table = Table((Column("Dataset"), Column("Owner"), Column("Privacy"), Column("What is left")), rows)
    left = next(item.words for item in budgets if item.dataset == RETAILER.dataset)
    stage.say(f"the retailer's budget has {left}")
    return stage.shown(Exhibit("The budget", table))
