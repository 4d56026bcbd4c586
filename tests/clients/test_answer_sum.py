"""In a private run a coordinator gets the sums it charged for, each once, and not one more."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clients.errors import OutOfOrder, ReplayRefused
from clients.session import Session
from mmm_models.panel_io import load_panel
from mmm_models.scaling import OCTAVES, Scales
from privacy.wire import SumRequest
from tests.clients.silo_visits import Visit, visit
from tests.small_federation import STORES, WEEKS, data_file, private

Files = tuple[Path, ...]


def agreed_scales(visited: Visit) -> Scales:
    channels = len(visited.plan.model.channels)
    ones = np.ones(channels)
    return Scales(visited.plan.model.media_per, ones, 0.05 * ones, 1.0, 100.0, 1.0)


def after_scales(visited: Visit) -> Session:
    return visited.ask(visited.started(), visited.scales_request()).session


@pytest.fixture
def private_visit(silo_files: Files) -> Visit:
    """Three rounds: sum 1 scales, 2 to 4 rounds, 5 the report."""
    return visit(silo_files[0], **private(), rounds=3)


def answered_numbers(visited: Visit) -> int:
    record = visited.home.run_directory("run-1") / "answered.jsonl"
    return len(record.read_text(encoding="utf-8").splitlines()) - 1  # without the terms


def test_the_same_request_gets_the_same_answer_so_that_asking_again_averages_nothing(
    private_visit: Visit,
) -> None:
    session, request = private_visit.started(), private_visit.scales_request()

    first, again = (private_visit.ask(session, request).vector for _ in range(2))
    resumed = private_visit.ask(private_visit.started(), request).vector

    assert first.tobytes() == again.tobytes() == resumed.tobytes()


@pytest.mark.parametrize(
    "change", [{"values": (b"",)}, {"length": 3}, {"max_abs": 2.0**20}, {"fraction_bits": 8}]
)
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
        "a round after the report": visited.round_request(6, scales),
        "an early report": visited.report_request(2, scales),
        "a second report": visited.report_request(6, scales),
        "a sum numbered zero": visited.scales_request(round=0),
        "an unknown sum": visited.scales_request(purpose="everything"),
    }


UNPLANNED = (
    "a second look at the scales", "a round in place of the scales", "a fourth round", "a round after the report",
    "an early report", "a second report", "a sum numbered zero", "an unknown sum",
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
    private_visit.ask(session, private_visit.report_request(5, scales))

    counts = {event.count for event in private_visit.invitation.privacy.events}
    assert counts == {1, 3}  # scales and report once, gradients and clip counts three times
    assert answered_numbers(private_visit) == 5


def test_every_local_step_counts_as_a_release(silo_files: Files) -> None:
    """Six releases at two steps a round are three rounds: a fourth would be the report."""
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


@pytest.mark.parametrize("settings", [{}, private()], ids=["plain", "private"])
def test_a_round_before_the_scales_is_refused(silo_files: Files, settings: dict[str, Any]) -> None:
    visited = visit(silo_files[0], **settings)

    with pytest.raises(OutOfOrder, match="scales"):
        visited.ask(visited.started(), visited.round_request(2, agreed_scales(visited)))


def test_scales_are_the_counts_of_units_per_octave(silo_files: Files) -> None:
    visited = visit(silo_files[0])

    answer = visited.ask(visited.started(), visited.scales_request())

    panel = load_panel(silo_files[0]).panel
    counts = answer.vector[:-1].reshape(-1, OCTAVES)
    tv = panel.media[..., 0]
    typical = tv.sum(axis=1) / (tv > 0).sum(axis=1) / panel.population
    by_hand = np.zeros(OCTAVES)
    for value in typical:
        by_hand[int(np.floor(np.log2(value))) + 40] += 1
    assert answer.vector[-1] == answer.session.units == STORES
    assert counts[0].tolist() == by_hand.tolist()
    assert counts.sum(axis=1).tolist() == [STORES] * len(counts)


def test_private_scales_hide_the_number_of_units(private_visit: Visit) -> None:
    answer = private_visit.ask(private_visit.started(), private_visit.scales_request())

    assert answer.vector[-1] != round(answer.vector[-1])
    assert answer.session.units == max(answer.vector[-1], 1.0)
    assert not np.any(answer.vector == np.round(answer.vector))  # every count is noised, the empty ones too


def test_the_report_is_the_sum_over_stores(silo_files: Files) -> None:
    visited = visit(silo_files[0])
    session = after_scales(visited)

    answer = visited.ask(session, visited.report_request(2, agreed_scales(visited)))

    panel = load_panel(silo_files[0]).panel
    groups = visited.plan.model.records(private=False).split(answer.vector)
    assert groups["units"].tolist() == [STORES]
    assert groups["outcome"][0] == pytest.approx(panel.outcome.sum() / 100.0)  # in multiples of the scale
    assert groups["spend"] == pytest.approx(panel.spend.sum(axis=(0, 1)) / 100.0)


def test_fits_of_single_stores_stay_on_the_silos_disk(silo_files: Files) -> None:
    visited = visit(silo_files[0])
    visited.ask(after_scales(visited), visited.report_request(2, agreed_scales(visited)))

    table = visited.home.run_directory("run-1") / "holdout_units.csv"

    assert len(table.read_text(encoding="utf-8").splitlines()) == 1 + STORES


def test_a_sum_of_another_length_is_refused(silo_files: Files) -> None:
    visited = visit(silo_files[0])

    with pytest.raises(OutOfOrder, match="agreed length"):
        visited.ask(visited.started(), visited.scales_request(length=WEEKS))


def test_a_model_of_another_size_is_refused(silo_files: Files) -> None:
    visited = visit(silo_files[0])
    request = visited.round_request(2, agreed_scales(visited))
    shorter = (request.values[0][:-8], *request.values[1:])

    with pytest.raises(OutOfOrder, match="agreed shape"):
        visited.ask(after_scales(visited), replace(request, values=shorter))


def test_an_unknown_sum_is_refused_without_privacy_too(silo_files: Files) -> None:
    visited = visit(silo_files[0])

    with pytest.raises(OutOfOrder, match="'everything'"):
        visited.ask(visited.started(), visited.scales_request(purpose="everything"))
