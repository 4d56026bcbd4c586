"""What happens to any request: limits, one shape for every error, headers, and nothing said that should not be."""

import gc
import json
import logging
import time
from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.errors import RoomError
from cleanroom.service import request_gate
from cleanroom.service.answer_schedule import next_step
from cleanroom.service.error_answers import MOST_REASONS
from cleanroom.service.json_limits import DEEPEST_JSON, LARGEST_JSON, read_json
from tests.cleanroom.room.serving_process import wait_until

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def nobody(service):
    with service.http() as client:
        yield client


def assert_error(response: httpx.Response, status: int, code: str) -> None:
    """The one shape."""
    body = response.json()
    assert (response.status_code, body["ok"], body["status"]) == (status, False, status)
    assert body.keys() == {"ok", "error", "errors", "status"}
    assert body["error"].keys() == {"code", "message", "hint"}
    assert body["error"]["code"] == code
    assert all(reason.keys() == {"code", "message", "fix"} for reason in body["errors"])


@pytest.mark.parametrize(
    ("method", "path", "content", "headers", "status", "code"),
    [
        ("GET", "/nowhere", b"", {}, 404, "not_found"),
        ("POST", "/healthz", b"", {}, 405, "method_not_allowed"),
        ("POST", "/v1/invitations/preview", b"{", JSON, 400, "request_unreadable"),
        ("POST", "/v1/invitations/preview", b'{"code": "\xff"}', JSON, 400, "request_unreadable"),
        ("POST", "/v1/invitations/preview", b'{"code": NaN}', JSON, 400, "request_unreadable"),
        ("POST", "/v1/invitations/preview", b"[" * 200 + b"]" * 200, JSON, 400, "request_unreadable"),
        ("POST", "/v1/invitations/preview", b"{}", JSON, 422, "request_invalid"),
        ("POST", "/v1/invitations/preview", b'{"code": "x"}', {}, 415, "content_type"),
        ("POST", "/v1/invitations/preview", b" " * (LARGEST_JSON + 1), JSON, 413, "request_too_large"),
        ("POST", "/v1/invitations/preview", b'{"code": "x"}', JSON, 401, "not_authorised"),
        ("GET", "/v1/keys", b"", {}, 401, "not_authorised"),
        ("GET", "/v1/keys", b"", {"Authorization": "Bearer mrk_x"}, 401, "not_authorised"),
        ("GET", "/v1/keys", b"", {"Authorization": "Bearer a.b.c"}, 401, "not_authorised"),
        ("GET", "/v1/keys", b"", {"Authorization": "Basic YTpi"}, 401, "not_authorised"),
    ],
)
def test_every_error_has_one_shape(nobody, method, path, content, headers, status, code):
    assert_error(nobody.request(method, path, content=content, headers=headers), status, code)


def test_a_body_in_pieces_of_unknown_length_is_cut_off_at_the_limit(nobody):
    pieces = (b" " * 100_000 for _ in range(20))

    assert_error(
        nobody.post("/v1/invitations/preview", content=pieces, headers=JSON), 413, "request_too_large"
    )


def test_an_invalid_request_names_every_place_and_no_value(nobody):
    response = nobody.post("/v1/invitations/accept", json={"code": "geheim\n", "surplus": "geheim"})

    assert {reason["message"].split(":")[0] for reason in response.json()["errors"]} == {
        "body.code",
        "body.document",
        "body.surplus",
    }
    assert "geheim" not in response.text


def test_answers_carry_no_cache_no_frame_and_no_server_name(nobody):
    headers = nobody.get("/v1/service").headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_a_405_names_all_methods_of_the_path(nobody):
    assert nobody.put("/v1/keys").headers["Allow"] == "GET, POST"


def test_something_unforeseen_says_one_constant_sentence_and_logs_its_type_only(
    service, nobody, monkeypatch, caplog
):
    def fail(*_, **__):
        raise ZeroDivisionError("ann@example.com")

    monkeypatch.setattr(service.parts.governance.invitations, "preview", fail)
    with caplog.at_level(logging.INFO):
        response = nobody.post("/v1/invitations/preview", json={"code": "x"})

    assert_error(response, 500, "service_failed")
    assert "unforeseen ZeroDivisionError" in caplog.text
    assert "ann@example.com" not in response.text + caplog.text


def test_the_log_holds_path_and_caller_but_no_query_no_body_and_no_key(service, tmp_path, caplog):
    home = service.founded(tmp_path)
    with caplog.at_level(logging.INFO, logger="mixroom.room"), service.http(home) as client:
        client.post(f"/v1/collaborations/{home.room.collaboration}/queries", json={"sql": "SELECT secret"})
        client.get("/v1/keys?secret=1")
        wait_until(lambda: "GET /v1/keys" in caplog.text)  # written once the answer is out

    assert (
        f"POST /v1/collaborations/{home.room.collaboration}/queries {home.room.collaboration}/acme 403"
        in caplog.text
    )
    assert "secret" not in caplog.text
    assert home.api_key.reveal() not in caplog.text


def test_a_key_in_the_address_is_not_a_login(service, tmp_path):
    key = service.founded(tmp_path).api_key.reveal()
    with service.http() as client:
        assert client.get(f"/v1/keys?key={key}&authorization={key}").status_code == 401


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_any_small_json_is_read_as_it_is(value):
    assert read_json(json.dumps(value).encode()) == value


@given(depth=st.integers(1, 200), text=st.text())
def test_nesting_is_bounded_whatever_texts_hold(depth, text):
    raw = (b"[" * depth) + json.dumps(text).encode() + (b"]" * depth)

    if depth <= DEEPEST_JSON:
        read_json(raw)
    else:
        with pytest.raises(RoomError):
            read_json(raw)


@given(taken=st.floats(0, 1000), step=st.floats(0.01, 10))
def test_an_answer_leaves_at_a_whole_multiple_of_the_step_and_never_early(taken, step):
    leaves = next_step(taken, step)

    assert leaves >= max(step, taken) * (1 - 1e-9)
    assert leaves - taken <= step * (1 + 1e-9)
    assert leaves / step == pytest.approx(round(leaves / step))


def test_even_a_refused_query_takes_a_whole_step(service, tmp_path):
    home = service.founded(tmp_path)
    with service.http(home) as client:
        took = client.post(
            f"/v1/collaborations/{home.room.collaboration}/queries", json={"sql": "SELECT 1"}
        ).elapsed.total_seconds()

    assert took >= service.parts.settings.answer_step_seconds


def test_a_line_break_in_an_address_forges_no_line_in_the_log(nobody, caplog):
    with caplog.at_level(logging.INFO, logger="mixroom.room"):
        nobody.get("/nowhere%0A2026-01-01%20GET%20/v1/keys%1B[2J")
        wait_until(lambda: "%0A2026" in caplog.text)  # written once the answer is out

    assert "\n2026-01-01" not in caplog.text
    assert "\x1b" not in caplog.text


def test_a_request_with_very_many_problems_names_the_first_and_echoes_no_long_name(nobody):
    body = {"x" * 5000: 1} | {f"surplus{number}": 1 for number in range(5000)}

    answer = nobody.post("/v1/invitations/preview", json=body)

    assert answer.status_code == 422
    assert "5002 problems" in answer.json()["error"]["message"]
    assert len(answer.json()["errors"]) == MOST_REASONS
    assert len(answer.content) < 20_000


def test_a_body_that_never_ends_is_not_waited_for(nobody, monkeypatch):
    monkeypatch.setattr(request_gate, "BODY_SECONDS", 0.2)

    def drip():
        yield b"{"
        time.sleep(1)
        yield b"}"

    assert_error(nobody.post("/v1/invitations/preview", content=drip(), headers=JSON), 408, "request_slow")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": "' + b'\\"' * 500_000 + b'"}',
        b'"' * 1_000_000,
        b"[" + b"[]," * 300_000 + b"[]]",
        b"[" * 1_000_000,
    ],
    ids=["escapes", "quotes", "flat", "deep"],
)
def test_a_strangers_megabyte_costs_milliseconds(raw):
    gc.freeze()  # what other tests left behind is not this request's to collect
    started = time.thread_time()  # brokers of other tests run in threads of this process
    with suppress(RoomError):
        read_json(raw)
    seconds = time.thread_time() - started
    gc.unfreeze()

    assert seconds < 1.0
