"""A request holds the numbers of its kind and not one more, whatever they would be for, in a range wide enough."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clients.errors import OutOfOrder, RequestMalformed
from clients.request_shape import LEAST_INTEGER, LEAST_MAX_ABS, require_shape
from privacy.masks.secure_aggregation import LARGEST_ROSTER
from privacy.quantization import FixedPoint
from privacy.wire import SumRequest, pack_vector
from server.sum_questions import FRACTION_BITS, Uncalibrated, largest_value, report_question
from tests.clients.silo_visits import CALENDAR, Visit, after_scales, agreed_scales, visit
from tests.small_federation import private

Files = tuple[Path, ...]
NUMBER = pack_vector(np.array([1.0]))

Asked = Callable[[Visit], SumRequest]
KINDS: dict[str, tuple[dict[str, Any], Asked]] = {
    "scales": ({}, lambda v: v.scales_request()),
    "scales, with noise": (private(), lambda v: v.scales_request()),
    "gradient": ({}, lambda v: v.round_request(2, agreed_scales(v))),
    "gradient, with noise": (private(strategy="newton"), lambda v: v.round_request(3, agreed_scales(v))),
    "local steps": ({"strategy": "fedavg"}, lambda v: v.round_request(2, agreed_scales(v))),
    "local steps, with noise": (private(), lambda v: v.round_request(2, agreed_scales(v))),
    "curvature": ({}, lambda v: v.curvature_request(2, agreed_scales(v))),
    "curvature, with noise": (
        private(strategy="newton"),
        lambda v: v.curvature_request(2, agreed_scales(v)),
    ),
    "draft": (private(), lambda v: v.draft_request(5, agreed_scales(v))),
    "report": ({}, lambda v: v.report_request(2, agreed_scales(v))),
    "report, with noise": (private(), lambda v: v.report_request(6, agreed_scales(v))),
}


def changed(request: SumRequest, place: int, values: bytes) -> SumRequest:
    return replace(request, values=(*request.values[:place], values, *request.values[place + 1 :]))


def misshapen(request: SumRequest) -> list[SumRequest]:
    """Each group longer, shorter, empty and with half a number; one more and one fewer group; an empty group more."""
    found = [replace(request, values=(*request.values, more)) for more in (NUMBER, b"")]
    for place, values in enumerate(request.values):
        found += [changed(request, place, values + NUMBER), changed(request, place, values + b"\x00")]
        found += [changed(request, place, values[:-8])] if len(values) > 8 else []
    return found + ([replace(request, values=request.values[:-1])] if request.values else [])


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_too_many_or_too_few_are_refused(silo_files: Files, kind: str) -> None:
    settings, asked = KINDS[kind]
    visited = visit(silo_files[0], **settings)
    request, plan = asked(visited), visited.plan

    require_shape(request, plan.model, private=plan.privacy.private)
    for wrong in misshapen(request):
        with pytest.raises(RequestMalformed, match="nothing was sent"):
            require_shape(wrong, plan.model, private=plan.privacy.private)


@pytest.mark.parametrize("place", [2, 3])
def test_units_that_weigh_experiments_come_only_where_experiments_count(
    silo_files: Files, place: int
) -> None:
    """The group of bounds has two numbers then, in rounds and curvature; no other group has room."""
    visited = visit(silo_files[0])
    plan, scales = visited.plan, agreed_scales(visited)
    for request in (visited.round_request(2, scales), visited.curvature_request(2, scales)):
        longer = changed(request, place, request.values[place] + NUMBER)
        calibrated = plan.model.model_copy(update={"calibrated": True})
        with pytest.raises(RequestMalformed):
            require_shape(longer, plan.model, private=False)
        if place == 2:
            require_shape(longer, calibrated, private=False)
        else:
            with pytest.raises(RequestMalformed, match="coordinates"):
                require_shape(longer, calibrated, private=False)


def test_a_model_before_experiments_comes_only_where_experiments_count(silo_files: Files) -> None:
    visited = visit(silo_files[0])
    plan, scales = visited.plan, agreed_scales(visited)
    state = visited.state(scales)
    size = state.parameters.size
    uncalibrated = Uncalibrated(state.parameters, np.eye(size), 8.0)
    calibrated = plan.model.model_copy(update={"calibrated": True})
    request = report_question(plan, scales, state, CALENDAR, uncalibrated)

    require_shape(request, calibrated, private=False)
    for wrong in misshapen(request):
        with pytest.raises(RequestMalformed):
            require_shape(wrong, calibrated, private=False)
    with pytest.raises(RequestMalformed):
        require_shape(request, plan.model, private=False)
    with pytest.raises(RequestMalformed):
        require_shape(report_question(plan, scales, state, CALENDAR), calibrated, private=False)


def test_a_report_of_no_calendar_is_one(silo_files: Files) -> None:
    visited = visit(silo_files[0])
    request = visited.report_request(2, agreed_scales(visited))

    require_shape(changed(request, 2, b""), visited.plan.model, private=False)
    with pytest.raises(RequestMalformed):  # nor is half of one none
        require_shape(changed(request, 2, bytes(8)), visited.plan.model, private=False)


def test_a_draft_is_unknown_to_a_run_without_noise(silo_files: Files) -> None:
    visited = visit(silo_files[0])

    with pytest.raises(OutOfOrder, match="unknown sum, 'draft'"):
        visited.ask(visited.started(), visited.draft_request(2, agreed_scales(visited)))


@pytest.mark.parametrize("settings, number", [(private(), 6), ({}, 2)], ids=["private", "plain"])
def test_a_malformed_request_uses_up_no_answer(
    silo_files: Files, settings: dict[str, Any], number: int
) -> None:
    """Reports are answered in one wording only: a misshapen one does not count as the first."""
    visited = visit(silo_files[0], **settings)
    session = after_scales(visited)
    request = visited.report_request(number, agreed_scales(visited))

    with pytest.raises(RequestMalformed):
        visited.ask(session, replace(request, values=(*request.values, NUMBER)))
    assert visited.ask(session, request).integers.shape == (request.length,)


@pytest.mark.parametrize("settings", [private(), {}], ids=["private", "plain"])
@pytest.mark.parametrize("narrow", [{"max_abs": 4.0}, {"max_abs": 2.0**18}, {"fraction_bits": 0}])
def test_a_range_narrower_than_any_run_needs_is_refused(
    silo_files: Files, settings: dict[str, Any], narrow: dict[str, Any]
) -> None:
    """Asked again and again in narrower ones, a silo would tell its number of units by when it refuses."""
    visited = visit(silo_files[0], **settings)

    with pytest.raises(RequestMalformed, match="narrower range"):
        visited.ask(visited.started(), visited.scales_request(**narrow))


def test_the_largest_roster_is_asked_in_a_range_that_is_wide_enough(silo_files: Files) -> None:
    visited, largest = visit(silo_files[0]), largest_value(LARGEST_ROSTER)

    assert largest == LEAST_MAX_ABS
    assert FixedPoint(FRACTION_BITS, largest).largest_integer == LEAST_INTEGER
    require_shape(visited.scales_request(max_abs=largest), visited.plan.model, private=False)
