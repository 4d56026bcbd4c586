"""Fifty at once: never one charge too many, and one history that all threshold releases stand in, in a row."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cleanroom.room.acme_room import PEOPLE, AcmeRoom, other_question
from tests.cleanroom.room.serving_process import ServingProcess
from tests.cleanroom.room.stored_state import chained, kept_memory

pytestmark = pytest.mark.slow
PARALLEL, AFFORDED = 50, 20


@pytest.fixture
def own_service(tmp_path: Path, database_url: str) -> Iterator[ServingProcess]:
    process = ServingProcess(tmp_path / "service", "--workers", "2", "--database", database_url)
    process.start()
    try:
        yield process
    finally:
        process.end()


def test_fifty_noised_queries_get_no_more_than_the_budget_has(
    own_service: ServingProcess, tmp_path: Path
) -> None:
    room = AcmeRoom.founded(own_service, tmp_path, epsilon_budget=AFFORDED)
    questions = [other_question(number, "panel") for number in range(PARALLEL)]
    with room.broker(), ThreadPoolExecutor(PARALLEL) as pool:
        answers = list(pool.map(room.post, questions))

    assert Counter(answer.status_code for answer in answers) == {200: AFFORDED, 429: PARALLEL - AFFORDED}
    refused = [answer.json()["error"]["code"] for answer in answers if answer.status_code == 429]
    assert refused == ["budget_spent"] * (PARALLEL - AFFORDED)
    with room.client() as client:
        (budget,) = [item for item in client.questions.budget().budgets if item.dataset == "panel"]
        asked = client.questions.asked().queries
        client.verify_audit()
    assert (budget.spent_epsilon, budget.left_epsilon, budget.queries_today) == (AFFORDED, 0.0, AFFORDED)
    assert Counter(query.state for query in asked) == {"released": AFFORDED}


def test_fifty_threshold_queries_are_all_answered_one_after_the_other(
    service: ServingProcess, tmp_path: Path
) -> None:
    room = AcmeRoom.founded(service, tmp_path)
    questions = [other_question(number) for number in range(PARALLEL)]
    with room.broker(), ThreadPoolExecutor(PARALLEL) as pool:
        answers = list(pool.map(room.post, questions))

    assert [answer.status_code for answer in answers] == [200] * PARALLEL
    rows = [answer.json()["release"]["body"]["result"]["rows"] for answer in answers]
    assert rows == [[[PEOPLE]]] * PARALLEL
    states = chained([answer.json()["release"] for answer in answers])
    kept = kept_memory(service.database, room.collaboration)
    assert (len(states), states[-1]) == (PARALLEL, kept.state_id)
    assert kept.pending_id is None
