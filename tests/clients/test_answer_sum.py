"""In a private run a coordinator gets the sums it charged for, each once, and not one more."""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from clients.errors import OutOfOrder, ReplayRefused
from mmm_models.panel_io import load_panel
from mmm_models.scaling import OCTAVES, Scales
from mmm_models.week_calendar import Calendar, CalendarInvalid, calendar_marks
from mmm_models.weekly_totals import weekly_totals_from
from privacy.distributed_noise import read_sum
from privacy.errors import InvalidSetting, ValueOutOfRange
from privacy.run_releases import RunReleases
from privacy.run_terms import Release
from privacy.sum_schedule import Purpose, sum_schedule
from privacy.wire import SumRequest, pack_vector
from server.sum_questions import report_question
from tests.clients.silo_visits import CALENDAR, Visit, after_scales, agreed_scales, in_floats, visit
from tests.small_federation import HOLDOUT_WEEKS, STORES, WEEKS, data_file, private

Files = tuple[Path, ...]
CLIP_NORM = 0.5


@pytest.fixture
def private_visit(silo_files: Files) -> Visit:
    """Three rounds: sum 1 scales, 2 to 4 rounds, 5 the draft, 6 the report."""
    return visit(silo_files[0], **private(), rounds=3)


def answered_numbers(visited: Visit) -> int:
    record = visited.home.run_directory("run-1") / "answered.jsonl"
    return len(record.read_text(encoding="utf-8").splitlines()) - 1  # without the terms


def test_the_same_request_gets_the_same_answer_so_that_asking_again_averages_nothing(
    private_visit: Visit,
) -> None:
    session, request = private_visit.started(), private_visit.scales_request()

    first, again = (private_visit.ask(session, request).integers for _ in range(2))
    resumed = private_visit.ask(private_visit.started(), request).integers

    assert first.tobytes() == again.tobytes() == resumed.tobytes()


@pytest.mark.parametrize("change", [{"length": 3}, {"max_abs": 2.0**20}, {"fraction_bits": 20}])
def test_the_same_number_in_other_words_is_refused(private_visit: Visit, change: dict[str, Any]) -> None:
    session = private_visit.started()
    private_visit.ask(session, private_visit.scales_request())

    with pytest.raises(ReplayRefused):
        private_visit.ask(session, private_visit.scales_request(**change))


def test_a_round_for_two_models_is_refused(private_visit: Visit) -> None:
    session, scales = after_scales(private_visit), agreed_scales(private_visit)
    private_visit.ask(session, private_visit.round_request(2, scales))

    with pytest.raises(ReplayRefused):
        private_visit.ask(session, private_visit.round_request(2, scales, shift=1e-9))


def test_the_same_request_about_changed_data_is_refused(private_visit: Visit) -> None:
    """Same noise on both, so the difference of the answers would be the difference of the data."""
    session, request = private_visit.started(), private_visit.scales_request()
    private_visit.ask(session, request)
    table = data_file(private_visit.silo_file)
    header, first, *rest = table.read_text(encoding="utf-8").splitlines()
    cells = first.split(",")
    place = header.split(",").index("tv_spend")
    cells[place] = "123456.0"
    table.write_text("\n".join([header, ",".join(cells), *rest]) + "\n", encoding="utf-8")
    os.utime(private_visit.silo_file, ns=(1, 1))  # another process would read the file anew anyway

    with pytest.raises(ReplayRefused, match="other data"):
        private_visit.ask(session, request)


def unplanned(visited: Visit, scales: Scales) -> dict[str, SumRequest]:
    return {
        "a second look at the scales": visited.scales_request(round=2),
        "a round in place of the scales": visited.round_request(1, scales),
        "a fourth round": visited.round_request(5, scales),
        "a round after the report": visited.round_request(7, scales),
        "curvature that was not planned": visited.curvature_request(2, scales),
        "an early draft": visited.draft_request(2, scales),
        "a draft in place of the report": visited.draft_request(6, scales),
        "a report without a draft": visited.report_request(5, scales),
        "a second report": visited.report_request(7, scales),
        "a sum numbered zero": visited.scales_request(round=0),
        "a sum below zero": visited.report_request(-1, scales),
        "an unknown sum": visited.scales_request(purpose="everything"),
    }


UNPLANNED = (
    "a second look at the scales", "a round in place of the scales", "a fourth round", "a round after the report",
    "curvature that was not planned", "an early draft", "a draft in place of the report", "a report without a draft",
    "a second report", "a sum numbered zero", "a sum below zero", "an unknown sum",
)  # fmt: skip


@pytest.mark.parametrize("what", UNPLANNED)
def test_a_sum_that_was_not_charged_is_refused(private_visit: Visit, what: str) -> None:
    session = after_scales(private_visit)
    request = unplanned(private_visit, agreed_scales(private_visit))[what]

    with pytest.raises(OutOfOrder, match="nothing was sent"):
        private_visit.ask(session, request)

    assert answered_numbers(private_visit) == 1


def test_a_whole_run_is_answered_as_charged(private_visit: Visit) -> None:
    session, scales = after_scales(private_visit), agreed_scales(private_visit)

    for number in (2, 3, 4):
        private_visit.ask(session, private_visit.round_request(number, scales))
    private_visit.ask(session, private_visit.draft_request(5, scales))
    private_visit.ask(session, private_visit.report_request(6, scales))

    counts = sorted(event.count for event in private_visit.invitation.privacy.events)
    assert counts == [1, 1, 1, 3]  # scales, draft and report once, gradient with clip count three times
    assert answered_numbers(private_visit) == 6


def test_a_whole_run_of_newtons_method_is_answered_as_charged(silo_files: Files) -> None:
    """Three rounds with curvature before the first, and twice before the last: ten sums."""
    visited = visit(silo_files[0], **private(strategy="newton"), rounds=3)
    session, scales = after_scales(visited), agreed_scales(visited)

    for number in (3, 4, 7):
        visited.ask(session, visited.round_request(number, scales))
    for number in (2, 5, 6):
        visited.ask(session, visited.curvature_request(number, scales))
    visited.ask(session, visited.draft_request(8, scales))
    visited.ask(session, visited.report_request(9, scales))

    assert sorted(event.count for event in visited.invitation.privacy.events) == [1, 1, 1, 3, 3]
    assert answered_numbers(visited) == 9


class TestSharedNoise:
    """One silo's share alone protects little, so no sum of it leaves twice."""

    def test_the_same_sum_is_refused_the_second_time(self, private_visit: Visit) -> None:
        session, request = private_visit.sharing_noise(), private_visit.scales_request()
        private_visit.ask(session, request)

        with pytest.raises(ReplayRefused, match="no sum is answered twice"):
            private_visit.ask(session, request)

    def test_neither_after_a_restart_nor_in_other_words(self, private_visit: Visit) -> None:
        private_visit.ask(private_visit.sharing_noise(), private_visit.scales_request())

        for changes in ({}, {"max_abs": 2.0**20}, {"fraction_bits": 20}):
            with pytest.raises(ReplayRefused):
                private_visit.ask(private_visit.sharing_noise(), private_visit.scales_request(**changes))

    def test_a_share_is_smaller_than_the_noise_of_the_whole(self, silo_files: Files) -> None:
        """Two honest shares make what was planned: one has 1 / sqrt(2) of it, on the grid of the sum."""
        visited = visit(silo_files[0], **private(strategy="newton", rounds=60))
        session, scales = visited.sharing_noise(), agreed_scales(visited)
        terms = session.invitation.privacy
        release = RunReleases(terms).gradient(visited.state(scales).parameters.size, CLIP_NORM)
        drawn = []
        for number in (n for n, p in enumerate(sum_schedule(60, 3, private=True), 1) if p is Purpose.ROUND):
            asked = visited.round_request(number, scales)
            values = (*asked.values[:2], pack_vector(np.array([CLIP_NORM])), asked.values[3])
            read = read_sum(visited.ask(session, replace(asked, values=values)).integers, release)
            drawn.append(read[:-1] / (CLIP_NORM * terms.gradient_noise_multiplier))

        # The same question each round, so records are the same and only noise differs: 60 draws of 10 values.
        assert np.var(drawn, axis=0, ddof=1).mean() ** 0.5 == pytest.approx(2**-0.5, rel=0.15)

    def test_no_units_of_its_own_are_kept_from_a_share_of_noise(self, private_visit: Visit) -> None:
        answer = private_visit.ask(private_visit.sharing_noise(), private_visit.scales_request())

        assert answer.session.units == 0.0


def test_every_local_step_counts_as_a_release(silo_files: Files) -> None:
    """Six releases at two steps a round are three rounds: a fourth would be the draft."""
    visited = visit(silo_files[0], **private(), rounds=3, local_steps=2)
    session = after_scales(visited)

    assert visited.invitation.privacy.steps == 6
    with pytest.raises(OutOfOrder):
        visited.ask(session, visited.round_request(5, agreed_scales(visited)))


def test_a_charge_that_is_no_whole_number_of_rounds_answers_nothing(silo_files: Files) -> None:
    visited = visit(silo_files[0], **private(), rounds=3, local_steps=2)
    session = replace(visited.started(), invitation=replace(visited.invitation, steps=5))

    with pytest.raises(OutOfOrder):
        visited.ask(session, visited.scales_request())


@pytest.mark.parametrize("settings", [{"strategy": "fedadam"}, private()], ids=["plain", "private"])
def test_a_round_before_the_scales_is_refused(silo_files: Files, settings: dict[str, Any]) -> None:
    visited = visit(silo_files[0], **settings)

    with pytest.raises(OutOfOrder, match="scales"):
        visited.ask(visited.started(), visited.round_request(2, agreed_scales(visited)))


def test_scales_are_the_counts_of_units_per_octave(silo_files: Files) -> None:
    visited = visit(silo_files[0])

    answer = visited.ask(visited.started(), visited.scales_request())

    panel = load_panel(silo_files[0]).panel
    vector = in_floats(answer)
    layout = visited.plan.model.scales_sum(private=False)
    counts, marks = layout.octaves(vector), layout.marks(vector)
    tv = panel.media[:, : WEEKS - HOLDOUT_WEEKS, 0]  # nothing is read of held-out weeks
    typical = tv.sum(axis=1) / (tv > 0).sum(axis=1) / panel.population
    by_hand = np.zeros(OCTAVES)
    for value in typical:
        by_hand[int(np.floor(np.log2(value))) + 40] += 1
    assert vector[-1] == answer.session.units == STORES
    assert counts[0].tolist() == by_hand.tolist()
    assert counts.sum(axis=1).tolist() == [STORES] * len(counts)
    assert marks.tolist() == calendar_marks(panel).tolist()


def test_private_scales_hide_the_number_of_units(private_visit: Visit) -> None:
    answer = private_visit.ask(private_visit.started(), private_visit.scales_request())

    terms, model = private_visit.plan.privacy, private_visit.plan.model
    release = RunReleases(terms).scales(model.scale_quantities, model.scales_sum(private=True).length)
    read = read_sum(answer.integers, release)
    deviation = terms.noise_multiplier(Release.SCALES) * release.blocks[0].bound
    assert answer.session.units == max(read[-1], 1.0)
    assert np.count_nonzero(read == np.round(read)) <= 2  # every count is noised, the empty ones too
    assert stats.kstest(read[:-1] / deviation, "norm").pvalue > 1e-6  # almost all octaves are empty


def test_the_report_is_the_sum_over_stores(silo_files: Files) -> None:
    visited = visit(silo_files[0])
    session = after_scales(visited)

    answer = visited.ask(session, visited.report_request(2, agreed_scales(visited)))

    panel = load_panel(silo_files[0]).panel
    layout = visited.plan.model.records(private=False, calendar=CALENDAR)
    groups = layout.split(in_floats(answer))
    assert groups["units"].tolist() == [STORES]
    assert groups["outcome"][0] == pytest.approx(panel.outcome.sum() / 100.0)  # in multiples of the scale
    assert groups["spend"] == pytest.approx(panel.spend.sum(axis=(0, 1)) / 100.0)


def test_the_report_says_each_week_of_the_calendar_that_was_sent(silo_files: Files) -> None:
    visited = visit(silo_files[0])
    later = Calendar(start=CALENDAR.start + timedelta(weeks=4), weeks=13)
    question = report_question(
        visited.plan, agreed_scales(visited), visited.state(agreed_scales(visited)), later
    )

    answer = visited.ask(after_scales(visited), question)

    panel = load_panel(silo_files[0]).panel
    groups = visited.plan.model.records(private=False, calendar=later).split(in_floats(answer))
    found = weekly_totals_from(groups["weekly"].reshape(13, -1))
    assert found.outcome == pytest.approx(panel.outcome.sum(axis=0)[4:17] / 100.0)
    assert found.spend == pytest.approx(panel.spend.sum(axis=0)[4:17] / 100.0)


@pytest.mark.parametrize(
    "days, weeks",
    [(0.0, 261.0), (0.0, 0.0), (-7.0, 4.0), (1e9, 4.0), (np.nan, 4.0), (0.0, np.inf), (0.5, 4.0), (0.0, 4.5)],
)
def test_a_calendar_that_is_none_is_refused(silo_files: Files, days: float, weeks: float) -> None:
    visited = visit(silo_files[0])
    request = visited.report_request(2, agreed_scales(visited))
    values = (*request.values[:2], np.array([days, weeks]).tobytes())

    with pytest.raises(CalendarInvalid, match="1 to 260 weeks"):
        visited.ask(after_scales(visited), replace(request, values=values))


def test_fits_of_single_stores_stay_on_the_silos_disk(silo_files: Files) -> None:
    visited = visit(silo_files[0])
    visited.ask(after_scales(visited), visited.report_request(2, agreed_scales(visited)))

    table = visited.home.run_directory("run-1") / "holdout_units.csv"

    assert len(table.read_text(encoding="utf-8").splitlines()) == 1 + STORES


def test_a_sum_of_another_length_is_refused(silo_files: Files) -> None:
    visited = visit(silo_files[0])

    with pytest.raises(OutOfOrder, match="agreed length"):
        visited.ask(visited.started(), visited.scales_request(length=WEEKS))


def test_an_unknown_sum_is_refused_without_privacy_too(silo_files: Files) -> None:
    visited = visit(silo_files[0])

    with pytest.raises(OutOfOrder, match="'everything'"):
        visited.ask(visited.started(), visited.scales_request(purpose="everything"))


@pytest.mark.parametrize("clip_norm", [0.0, -1.0, np.nan, np.inf])
def test_a_clip_norm_that_bounds_nothing_gets_no_answer(silo_files: Files, clip_norm: float) -> None:
    visited = visit(silo_files[0], **private(strategy="newton"))
    session, request = after_scales(visited), visited.round_request(3, agreed_scales(visited))
    values = (*request.values[:2], pack_vector(np.array([clip_norm])), request.values[3])

    with pytest.raises(InvalidSetting, match="bound is"):
        visited.ask(session, replace(request, values=values))


@pytest.mark.parametrize("strategy", ["fedadam", "newton"])
def test_an_exact_sum_that_is_not_finite_is_refused_and_not_told(silo_files: Files, strategy: str) -> None:
    """A model at which effects overflow: nobody but the owner learns which number it was."""
    visited = visit(silo_files[0], strategy=strategy)
    session, scales = after_scales(visited), agreed_scales(visited)

    with pytest.raises(ValueOutOfRange, match="nothing was sent") as refused:
        visited.ask(session, visited.round_request(3, scales, shift=200.0))

    assert "inf" not in str(refused.value)
    assert "nan" not in str(refused.value)
