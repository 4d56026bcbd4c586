"""A small HTTP service over stored runs: results, what-if answers and plans, the numbers that commands print.

Guarantee: answers come from run directories alone, which hold totals over all units; no row is read, nothing written.
Not covered: who may ask. There are no keys and no roles here; the operator's proxy decides who reaches it.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from mmm_models.errors import ModelError
from mmm_models.planning.answer_json import FORMATS, Answer, answer_json
from mmm_models.planning.changes import changes_of
from mmm_models.planning.frontier import Frontier
from mmm_models.planning.goal_text import goal_of
from mmm_models.planning.limits import limits_from
from mmm_models.planning.plan import Plan, WhatIf
from mmm_models.planning.planner import Planner
from mmm_models.reporting.plain_json import nan_to_null
from mmm_models.reporting.result_files import RESULTS
from mmm_models.results import Results
from server.model_service_problems import (
    FAILED,
    UNANSWERABLE,
    named_problem,
    protocol_problem,
    status_of,
    unreadable_question,
)
from server.model_service_runs import RunUnknown, StoredRuns
from server.model_service_schemas import (
    FrontierQuestion,
    Health,
    PlanQuestion,
    Problem,
    Question,
    RunNames,
    WhatIfQuestion,
    answer_schema,
)

_LOG = logging.getLogger("mixroom.models")
PLANS_AT_ONCE = 2  # a plan takes a core for a while; what-if questions are answered in between
PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "no such run, channel or silo"},
    409: {
        "model": Problem,
        "description": "the run is damaged, of another version or knows nothing to plan from",
    },
    422: {"model": Problem, "description": "the question cannot be answered"},
}


def create_app(runs: Path | Mapping[str, Path]) -> FastAPI:
    """Over these run directories by name, or over all that a folder holds. Nothing is read before it is asked for."""
    stored = StoredRuns(run_directories(runs) if isinstance(runs, Path) else runs)
    app = FastAPI(
        title="mixroom model service",
        version="1",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        description="Results, what-if answers and plans of stored runs. Questions and limits: docs/planning.md.",
    )
    _add_reading(app, stored)
    _add_asking(app, stored)
    _add_problems(app, stored)
    return app


def run_directories(folder: Path) -> dict[str, Path]:
    """Every finished run right below `folder`, by its directory's name."""
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{RESULTS}"))}


def _add_reading(app: FastAPI, stored: StoredRuns) -> None:
    @app.get("/health")
    def health() -> Health:
        """The service is up."""
        return Health(runs=len(stored.directories))

    @app.get("/runs")
    def runs() -> RunNames:
        """The runs that can be asked about."""
        return RunNames(runs=list(stored.directories))

    @app.get("/runs/{run}", responses=PROBLEMS)
    def summary(run: str) -> Response:
        """What was measured over how much: totals, channels, findings."""
        results = stored.results(run)
        left_out = {"channels", "curves", "holdout", "experiments"}
        totals = {name: value for name, value in asdict(results).items() if name not in left_out}
        return _answer(nan_to_null({**totals, "channels": [channel.channel for channel in results.channels]}))

    @app.get("/runs/{run}/contributions", responses=PROBLEMS)
    def contributions(run: str) -> Response:
        """What each channel contributed and returned, with intervals: as in the run's results.json."""
        return _answer(_part(stored.results(run), "channels"))

    @app.get("/runs/{run}/curves", responses=PROBLEMS)
    def curves(run: str) -> Response:
        """What each channel would contribute at other levels of all its media: as in the run's results.json."""
        return _answer(_part(stored.results(run), "curves"))


def _add_asking(app: FastAPI, stored: StoredRuns) -> None:
    at_once = anyio.CapacityLimiter(PLANS_AT_ONCE)

    async def planner_for(run: str, question: Question) -> Planner:
        ready = stored.ready(run, question.period)
        if ready is not None:
            return ready
        return await anyio.to_thread.run_sync(stored.planner, run, question.period, limiter=at_once)

    async def worked_out(answer: Callable[[], Answer]) -> Response:
        return _answer(answer_json(await anyio.to_thread.run_sync(answer, limiter=at_once)))

    @app.post("/runs/{run}/what-if", responses=_answers(WhatIf))
    async def what_if(run: str, question: WhatIfQuestion) -> Response:
        """What changed media would have brought in the last period."""
        planner = await planner_for(run, question)
        # Right here: it takes milliseconds, and threads that take turns at a core make all answers late.
        return _answer(answer_json(planner.what_if(changes_of(question.changes))))

    @app.post("/runs/{run}/plan", responses=_answers(Plan))
    async def plan(run: str, question: PlanQuestion) -> Response:
        """The best split of next period's money."""
        planner = await planner_for(run, question)
        goal = goal_of(planner, question.total, question.target)
        limits = limits_from(question.limits)
        return await worked_out(
            lambda: planner.plan(goal, limits=limits, risk=question.risk, flight=question.flight)
        )

    @app.post("/runs/{run}/frontier", responses=_answers(Frontier))
    async def frontier(run: str, question: FrontierQuestion) -> Response:
        """The best splits of several totals, and of last period's total at several risks."""
        planner = await planner_for(run, question)
        limits = limits_from(question.limits)
        return await worked_out(lambda: planner.frontier(limits=limits))


def _add_problems(app: FastAPI, stored: StoredRuns) -> None:
    """Every error that leaves a route gets the one shape."""

    def told(status: int, problem: Problem) -> JSONResponse:
        return JSONResponse(problem.model_dump(), status)

    @app.exception_handler(ModelError)
    @app.exception_handler(RunUnknown)
    async def named(request: Request, error: ModelError | RunUnknown) -> JSONResponse:
        return told(status_of(error), named_problem(error, stored.directories))

    @app.exception_handler(RequestValidationError)
    async def unreadable(request: Request, error: RequestValidationError) -> JSONResponse:
        return told(UNANSWERABLE, unreadable_question(error.errors()))

    @app.exception_handler(HTTPException)
    async def protocol(request: Request, error: HTTPException) -> JSONResponse:
        return told(error.status_code, protocol_problem(error.status_code, str(error.detail)))

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        _LOG.error("unforeseen %s", type(error).__name__)  # its text may hold anything
        return told(500, FAILED)


def _part(results: Results, name: str) -> dict[str, Any]:
    """Rows of the results with what they are measured in."""
    stored = asdict(results)
    told = ("model", "currency", "outcome_unit", "interval_level", name)
    return {key: nan_to_null(stored[key]) for key in told}


def _answers(kind: type) -> dict[int | str, dict[str, Any]]:
    schema = answer_schema(kind, FORMATS[kind])
    return {200: {"content": {"application/json": {"schema": schema}}}, **PROBLEMS}


def _answer(plain: dict[str, Any]) -> Response:
    """As it stands: FastAPI's own encoder would walk through it once more."""
    return Response(json.dumps(plain, allow_nan=False), media_type="application/json")
