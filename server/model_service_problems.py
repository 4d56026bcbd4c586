"""Errors of the model service as answers: each by its name, with what would make the question work."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmm_models.errors import ModelError, StoredModelDamaged
from mmm_models.planning.open_planner import RunMissing
from mmm_models.planning.planning_errors import ChannelUnknown, PartUnknown, PlanningError
from mmm_models.planning.stored_basis import PlanningDataDamaged, PlanningDataMissing
from server.model_service_runs import RunUnknown
from server.model_service_schemas import Problem

MOST_PROBLEMS = 10  # of a request that has the wrong shape
NOT_FOUND, CONFLICT, UNANSWERABLE = 404, 409, 422
DAMAGED = (StoredModelDamaged, PlanningDataDamaged, PlanningDataMissing, RunMissing)
UNKNOWN = (ChannelUnknown, PartUnknown, RunUnknown)
SCHEMA_HINT = "GET /openapi.json describes every path and question"
FAILED = Problem(
    error="ServiceFailed",
    message="the service failed; nothing was changed",
    hint="tell the operator the time",
)


def status_of(error: Exception) -> int:
    """404: no such thing; 422: the question; 409: what the run's files hold."""
    if isinstance(error, UNKNOWN):
        return NOT_FOUND
    if isinstance(error, PlanningError) and not isinstance(error, DAMAGED):
        return UNANSWERABLE
    return CONFLICT


def named_problem(error: ModelError | RunUnknown, directories: Mapping[str, Path]) -> Problem:
    """In the error's own words, runs called by their names: where they are stored is nobody's business."""
    message, hint = str(error), error.hint
    for name, directory in sorted(directories.items(), key=lambda item: -len(str(item[1]))):
        message, hint = message.replace(str(directory), name), hint.replace(str(directory), name)
    return Problem(error=type(error).__name__, message=message, hint=hint)


def unreadable_question(problems: Sequence[Any]) -> Problem:
    """Names places and expectations, never the values that were sent."""
    told = [
        f"{'.'.join(f'{place:.60}' for place in map(str, problem['loc']))}: {problem['msg']:.300}"
        for problem in problems[:MOST_PROBLEMS]
    ]
    return Problem(error="QuestionUnreadable", message="; ".join(told), hint=SCHEMA_HINT)


def protocol_problem(status: int, detail: str) -> Problem:
    """No such path, or not with this method."""
    name = {404: "NotFound", 405: "MethodNotAllowed"}.get(status, "RequestRefused")
    return Problem(error=name, message=detail, hint=SCHEMA_HINT)
