"""A coordinator that asks for single weeks of single silos, against their real client apps.

silo-1 has all 60 weeks, the other three lack the first 13.
"""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flwr.app import Message, RecordDict

from mmm_models.network import MediaResponse
from mmm_models.scaling import Scales
from mmm_models.training import get_vector
from mmm_models.week_calendar import Calendar
from mmm_models.weekly_totals import weekly_totals_from
from privacy.update_messages import MaskedUpdateMessage
from privacy.wire import CONTRIBUTE, UNMASK, SumRequest, from_record, to_record
from server.aggregation import ModelState
from server.errors import RoundAborted
from server.run_plan import RunPlan
from server.silo_exchange import SiloSum
from server.sum_questions import report_question
from tests.server.lying_coordinator import ONE, TWO, Coordinator, Files, reason
from tests.small_federation import WEEKS, data_file

MISSING = 13
OUTCOME_SCALE = 100.0


@pytest.fixture
def uneven_files(silo_files: Files) -> Files:
    for path in silo_files[1:]:
        table = pd.read_csv(data_file(path))
        first = sorted(table["week"].unique())[MISSING]
        table[table["week"] >= first].to_csv(data_file(path), index=False)
    return silo_files


@pytest.fixture
def coordinator(uneven_files: Files, tmp_path: Path) -> Coordinator:
    return Coordinator(uneven_files, tmp_path / "out")


def own_weeks(silo_file: Path) -> pd.Series:
    """Sales of each week over all stores."""
    table = pd.read_csv(data_file(silo_file))
    return table.groupby("week")["sales"].sum()


def calendar(coordinator: Coordinator, first: int, weeks: int) -> Calendar:
    start = pd.Timestamp(own_weeks(coordinator.silo_files[0]).index[0]).date()
    return Calendar(start=start + timedelta(weeks=first), weeks=weeks)


def report(plan: RunPlan, asked: Calendar | None, number: int = 1) -> SumRequest:
    ones = np.ones(len(plan.model.channels))
    scales = Scales(plan.model.media_per, ones, 0.05 * ones, 1.0, OUTCOME_SCALE, 1.0)
    response = MediaResponse(plan.model.model, scales.spend_per_revenue.tolist())
    state = ModelState.start(get_vector(response), clip_norm=1.0)
    return replace(report_question(plan, scales, state, asked), round=number)


def weekly_outcome(plan: RunPlan, asked: Calendar, answer: SiloSum) -> np.ndarray:
    groups = plan.model.records(private=False, calendar=asked).split(answer.total)
    return weekly_totals_from(groups["weekly"].reshape(asked.weeks, -1)).outcome * OUTCOME_SCALE


@pytest.mark.parametrize("first, weeks", [(0, MISSING), (0, 1), (MISSING - 1, 1), (0, WEEKS), (5, 40)])
def test_weeks_that_one_silo_alone_has_are_in_no_sum(
    coordinator: Coordinator, first: int, weeks: int
) -> None:
    """Every other silo misses some of the weeks asked for, refuses, and leaves too few for a sum."""
    plan, asked = coordinator.start(), calendar(coordinator, first, weeks)
    with pytest.raises(RoundAborted, match="only 1 of 4 silos answered, 3 are needed") as aborted:
        coordinator.exchange.sum(report(plan, asked))
    assert UNMASK not in coordinator.grid.sent
    assert "WeeksMissing: this silo lacks some of the weeks" in str(aborted.value)


def test_weeks_that_all_silos_have_are_summed_over_all(coordinator: Coordinator) -> None:
    """The control: what the silos refuse above is the weeks, not the question."""
    plan, asked = coordinator.start(), calendar(coordinator, MISSING, WEEKS - MISSING)
    answer = coordinator.exchange.sum(report(plan, asked))

    expected = sum(own_weeks(path).to_numpy()[-asked.weeks :] for path in coordinator.silo_files)
    assert len(answer.silos) == 4
    np.testing.assert_allclose(weekly_outcome(plan, asked, answer), expected, rtol=1e-6)


def test_what_totals_hold_beyond_the_calendar_is_of_those_who_have_more(coordinator: Coordinator) -> None:
    """What is not covered, shown: one silo alone has more weeks, and their sum, not each of them, comes out."""
    plan, asked = coordinator.start(), calendar(coordinator, MISSING, WEEKS - MISSING)
    answer = coordinator.exchange.sum(report(plan, asked))

    groups = plan.model.records(private=False, calendar=asked).split(answer.total)
    beyond = groups["outcome"][0] * OUTCOME_SCALE - weekly_outcome(plan, asked, answer).sum()
    assert beyond == pytest.approx(own_weeks(coordinator.silo_files[0]).to_numpy()[:MISSING].sum(), rel=1e-6)


def test_a_silo_that_alone_is_told_of_its_own_weeks_is_left_out(coordinator: Coordinator) -> None:
    """Two calendars of one length: silo-1 has all weeks of both, but its masks name the one it was told."""
    plan = coordinator.start()
    asked, own = (calendar(coordinator, first, 10) for first in (MISSING, 0))

    def tell_its_own(message: Message) -> RecordDict:
        request = from_record(message.content, SumRequest)
        return to_record(replace(request, values=report(plan, own).values))

    def deny_it(message: Message) -> RecordDict:
        update = from_record(message.content, MaskedUpdateMessage)
        return to_record(replace(update, context=context))

    context = report(plan, asked).masked(coordinator.roster_digest).digest
    coordinator.grid.forged = {(ONE, CONTRIBUTE): tell_its_own}
    coordinator.grid.tampered = {(ONE, CONTRIBUTE): deny_it}
    answer = coordinator.exchange.sum(report(plan, asked))

    assert answer.silos == ("silo-2", "silo-3", "silo-4")
    assert "the masks of silo-1 do not cancel with their peers'" in answer.failures[0].reason
    expected = sum(own_weeks(path).to_numpy()[:10] for path in coordinator.silo_files[1:])
    np.testing.assert_allclose(weekly_outcome(plan, asked, answer), expected, rtol=1e-6)


def test_a_refused_calendar_is_the_only_one_of_its_run(coordinator: Coordinator) -> None:
    """A refusal says that this silo lacks some week: asked again and again, it would say which."""
    plan = coordinator.start()
    refused = coordinator.say(TWO, CONTRIBUTE, report(plan, calendar(coordinator, 0, 1)))
    again = [
        coordinator.say(TWO, CONTRIBUTE, report(plan, calendar(coordinator, first, 1), number))
        for number, first in ((2, 1), (3, MISSING))
    ]

    assert reason(refused).startswith("WeeksMissing")
    for reply in again:
        assert "already answered this run's report in another wording" in reason(reply)


def test_one_silos_week_is_not_searched_for_by_the_range_that_it_fits(coordinator: Coordinator) -> None:
    """A refusal says that some value of this silo is beyond the range, before any mask: asked for the same week in one
    range after another, it would say how large its media were. Scales that make them the largest value of all are the
    coordinator's choice."""
    plan = coordinator.start()
    channels = len(plan.model.channels)
    scales = Scales(plan.model.media_per, np.full(channels, 1e-9), np.full(channels, 0.05), 1.0, 1e5, 1e9)
    response = MediaResponse(plan.model.model, scales.spend_per_revenue.tolist())
    state = ModelState.start(get_vector(response), clip_norm=1.0)
    aired = np.flatnonzero(
        pd.read_csv(data_file(coordinator.silo_files[1])).groupby("week")["tv_spend"].sum()
    )
    week = int(aired[0]) + MISSING
    asked = report_question(plan, scales, state, calendar(coordinator, week, 1))

    refused = coordinator.say(TWO, CONTRIBUTE, replace(asked, round=1, max_abs=2.0**20))
    wider = coordinator.say(TWO, CONTRIBUTE, replace(asked, round=2, max_abs=2.0**34, fraction_bits=20))

    told = "ValueOutOfRange: a value is not finite or exceeds the range asked for; nothing was sent"
    assert reason(refused).startswith(told)
    assert "already answered this run's report in another wording" in reason(wider)
