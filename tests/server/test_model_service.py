"""The model service: the numbers of stored runs over HTTP, every refusal by its name, and a real process."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

import mixroom
from mmm_models.planning.answer_json import answer_json
from mmm_models.planning.changes import parse_change
from mmm_models.planning.open_planner import open_planner
from mmm_models.reporting.plain_json import nan_to_null
from server.model_service import create_app, run_directories
from server.model_service_process import AddressUnusable, is_loopback, serve_models
from tests.small_run import CHANNELS, SmallRun, fit_small_run

PEOPLE = 8
CHANGES = {"changes": {"tv": "+20%"}}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    return fit_small_run(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def service(small: SmallRun) -> "Asked":
    return Asked(create_app({"spring": small.run}))


@dataclass(frozen=True)
class Asked:
    """The app, asked without a network."""

    app: FastAPI

    def __call__(self, method: str, path: str, body: Any = None) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://models") as client:
                return await client.request(method, path, json=body)

        return asyncio.run(send())

    def get(self, path: str) -> Any:
        answer = self("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        answer = self("POST", path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, path: str, body: Any = None) -> tuple[int, str, str]:
        """Status, name, and message with hint."""
        answer = self("GET" if body is None else "POST", path, body)
        told = answer.json()
        assert set(told) == {"error", "message", "hint"}
        assert all(told.values())
        return answer.status_code, told["error"], f"{told['message']} / {told['hint']}"


def test_runs_are_listed_and_described(service):
    about = service.get("/runs/spring")

    assert service.get("/health") == {"status": "ok", "runs": 1}
    assert service.get("/runs") == {"runs": ["spring"]}
    assert about["channels"] == list(CHANNELS)
    assert (about["units"], about["private"]) == (8.0, False)


def test_contributions_and_curves_are_those_of_the_runs_results(service, small):
    stored = json.loads((small.run / "results.json").read_text(encoding="utf-8"))

    assert service.get("/runs/spring/contributions")["channels"] == stored["channels"]
    assert service.get("/runs/spring/curves")["curves"] == stored["curves"]


def test_what_if_is_what_python_says(service, small):
    expected = answer_json(mixroom.what_if(small.run, {"tv": "+20%", "search": 40_000}))

    assert service.post("/runs/spring/what-if", {"changes": {"tv": "+20%", "search": 40_000}}) == expected
    assert service.post("/runs/spring/what-if", {"changes": ["tv=+20%", "search=40000"]}) == expected


def test_a_plan_is_what_python_plans(service, small):
    limits = {"change": "30%", "channels": {"tv": {"ceiling": "90%"}}}
    question = {"total": "+5%", "risk": 0.1, "limits": limits, "weeks": 26}

    expected = answer_json(mixroom.plan(small.run, total="+5%", risk=0.1, limits=limits, weeks=26))

    assert service.post("/runs/spring/plan", question) == nan_to_null(expected)


def test_money_is_moved_between_silos_when_asked(service):
    parts = [cell["part"] for cell in service.post("/runs/spring/plan", {"by": "silo"})["cells"]]
    answer = service.post("/runs/spring/what-if", {"by": "silo", "changes": {"silo-1/tv": "-50%"}})

    assert parts == ["silo-1"] * 3 + ["silo-2"] * 3
    assert [row["change"] for row in answer["channels"]] == [-0.5, 0, 0, 0, 0, 0]


def test_a_frontier_is_what_the_planner_says(service, small):
    expected = answer_json(open_planner(small.run).frontier())

    assert service.post("/runs/spring/frontier", {}) == expected


def test_the_description_names_every_path_and_what_answers_hold(service):
    described = service.get("/openapi.json")

    paths = described["paths"]
    assert set(paths) == {
        "/health", "/runs", "/runs/{run}", "/runs/{run}/contributions", "/runs/{run}/curves",
        "/runs/{run}/what-if", "/runs/{run}/plan", "/runs/{run}/frontier",
    }  # fmt: skip
    answer = paths["/runs/{run}/what-if"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert set(answer["properties"]) == set(service.post("/runs/spring/what-if", CHANGES))
    assert "$ref" not in json.dumps(answer)
    examples = described["components"]["schemas"]["PlanQuestion"]["examples"]
    assert [service("POST", "/runs/spring/plan", example).status_code for example in examples] == [200, 200]


@pytest.mark.parametrize(
    ("path", "body", "status", "error", "words"),
    [
        ("/nowhere", None, 404, "NotFound", "openapi.json"),
        ("/runs/autumn", None, 404, "RunUnknown", "the runs are spring"),
        ("/runs/autumn/plan", {}, 404, "RunUnknown", "no run 'autumn'"),
        ("/runs/spring/what-if", {"changes": {"telly": "+1%"}}, 404, "ChannelUnknown", "its channels are tv"),
        ("/runs/spring/what-if", {"changes": {"north/tv": "+1%"}}, 404, "PartUnknown", "its parts are all"),
        ("/runs/spring/what-if", {"changes": {"tv": "a lot"}}, 422, "QuestionInvalid", "write social=+20%"),
        ("/runs/spring/what-if", {"changes": {"tv": -5}}, 422, "QuestionInvalid", "without a sign"),
        ("/runs/spring/what-if", {"changes": {}}, 422, "QuestionUnreadable", "at least 1 item"),
        ("/runs/spring/what-if", {"change": {"tv": "+1%"}}, 422, "QuestionUnreadable", "body.changes"),
        ("/runs/spring/what-if", {**CHANGES, "weeks": 900}, 422, "QuestionInvalid", "ask for 1 to"),
        ("/runs/spring/what-if", {**CHANGES, "by": "unit"}, 422, "QuestionUnreadable", "'all' or 'silo'"),
        ("/runs/spring/plan", {"total": "+1%", "target": "roi=2"}, 422, "GoalsContradict", "contradict"),
        ("/runs/spring/plan", {"total": "much"}, 422, "QuestionInvalid", "write an amount"),
        ("/runs/spring/plan", {"target": "roi=900"}, 422, "TargetUnreachable", "ask for"),
        ("/runs/spring/plan", {"target": "sales=+900%"}, 422, "TargetUnreachable", "raise the ceilings"),
        ("/runs/spring/plan", {"total": "+900%", "limits": {"channels": {"tv": {"ceiling": 1}}}},
         422, "LimitsContradict", "the limits allow"),
        ("/runs/spring/plan", {"limits": {"channels": {"tv": {"floor": 9, "ceiling": 1}}}},
         422, "LimitsContradict", "lower the floor"),
        ("/runs/spring/plan", {"limits": {"channel": {}}}, 422, "LimitsInvalid", "write them as"),
        ("/runs/spring/plan", {"limits": {"channels": {"telly": {"floor": 9}}}}, 404, "ChannelUnknown", "telly"),
        ("/runs/spring/plan", {"risk": 7}, 422, "QuestionInvalid", "a quantile between"),
    ],
)  # fmt: skip
def test_refusals_have_names_and_say_what_would_work(service, path, body, status, error, words):
    found = service.refused(path, body)

    assert found[:2] == (status, error)
    assert words in found[2]


def test_another_method_is_refused_in_the_same_shape(service):
    answer = service("DELETE", "/runs/spring")

    assert (answer.status_code, answer.json()["error"]) == (405, "MethodNotAllowed")


def test_runs_that_know_too_little_say_so(small, tmp_path):
    ask = Asked(
        create_app({"together": small.without_silos(tmp_path / "a"), "unsure": small.unsure(tmp_path / "b")})
    )

    assert ask.refused("/runs/together/plan", {"by": "silo"})[:2] == (422, "SilosNotApart")
    assert ask.refused("/runs/unsure/plan", {"risk": 0.1})[:2] == (422, "RiskUnknown")


@pytest.mark.parametrize(
    ("file", "path", "error"),
    [
        ("results.json", "/runs/spring/curves", "ResultsUnreadable"),
        ("model.json", "/runs/spring/what-if", "StoredModelDamaged"),
        ("planning.json", "/runs/spring/what-if", "PlanningDataDamaged"),
    ],
)
def test_a_damaged_run_is_a_conflict_that_tells_no_directory(small, tmp_path, file, path, error):
    run = small.copied(tmp_path / "hidden-place")
    (run / file).write_text("{}", encoding="utf-8")

    found = Asked(create_app({"spring": run})).refused(path, CHANGES if "what-if" in path else None)

    assert found[:2] == (409, error)
    assert "hidden-place" not in found[2]


def test_a_run_without_planning_data_still_shows_its_results(small, tmp_path):
    run = small.copied(tmp_path / "old")
    (run / "planning.json").unlink()
    ask = Asked(create_app({"old": run}))

    assert ask.get("/runs/old/contributions")["channels"]
    assert ask.refused("/runs/old/what-if", CHANGES)[:2] == (409, "PlanningDataMissing")


def test_a_run_is_read_once_and_again_when_it_changes(small, tmp_path):
    run = small.copied(tmp_path / "run")
    ask = Asked(create_app({"run": run}))
    before = ask.post("/runs/run/what-if", CHANGES)
    text = (run / "planning.json").read_text(encoding="utf-8")

    (run / "planning.json").write_text("{}", encoding="utf-8")
    damaged = ask.refused("/runs/run/what-if", CHANGES)
    (run / "planning.json").write_text(text, encoding="utf-8")

    assert damaged[:2] == (409, "PlanningDataDamaged")
    assert ask.post("/runs/run/what-if", CHANGES) == before


@pytest.mark.parametrize("name", ["..", "%2e%2e", "..%2fspring", "%2fetc", "spring%2f..%2f.."])
def test_no_name_leads_to_another_directory(service, name):
    status, error, _ = service.refused(f"/runs/{name}/curves")

    assert (status, error) in {(404, "NotFound"), (404, "RunUnknown")}


def test_a_folder_of_runs_is_served_by_their_names(small, tmp_path):
    small.copied(tmp_path / "one")
    (tmp_path / "no-run").mkdir()

    assert run_directories(tmp_path) == {"one": tmp_path / "one"}
    assert Asked(create_app(tmp_path)).get("/runs") == {"runs": ["one"]}


def test_what_nobody_foresaw_is_one_constant_sentence(small, monkeypatch, caplog):
    def fail(*_: object) -> None:
        raise RuntimeError("row 17 of north.csv")

    app = create_app({"spring": small.run})
    monkeypatch.setattr("server.model_service.changes_of", fail)

    assert Asked(app).refused("/runs/spring/what-if", CHANGES)[:2] == (500, "ServiceFailed")
    assert "row 17" not in caplog.text


@contextmanager
def process(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "mixroom", "serve", *map(str, arguments)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(30)
        for stream in (running.stdout, running.stderr):
            assert stream is not None
            stream.close()


@pytest.mark.slow
def test_a_real_service_answers_eight_people_at_once_and_ends_when_told(small):
    with process(small.run, "--port", 0) as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip()

        async def ask(client: httpx.AsyncClient, person: int) -> list[Any]:
            change = {"changes": {"tv": f"+{person}%"}}
            return [(await client.post("/runs/run/what-if", json=change)).json() for _ in range(3)]

        async def together() -> list[list[Any]]:
            async with httpx.AsyncClient(base_url=url, timeout=60) as client:
                return await asyncio.gather(*(ask(client, person) for person in range(PEOPLE)))

        found = asyncio.run(together())
    planner = open_planner(small.run)
    expected = [answer_json(planner.what_if([parse_change(f"tv=+{person}%")])) for person in range(PEOPLE)]

    assert url.startswith("http://127.0.0.1:")
    assert found == [[answer] * 3 for answer in expected]
    assert running.returncode == 0


@pytest.mark.parametrize(
    ("host", "alone"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)]
)  # fmt: skip
def test_only_a_loopback_address_is_out_of_others_reach(host, alone):
    assert is_loopback(host) is alone


def test_an_address_that_is_not_ours_is_refused_by_name(small):
    with pytest.raises(AddressUnusable, match=r"203\.0\.113\.1 port 1 cannot be listened on"):
        serve_models({"spring": small.run}, host="203.0.113.1", port=1, opened=lambda url: None)
