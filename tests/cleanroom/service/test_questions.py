"""Questions over HTTP: releases, verdicts, quotas, templates; withheld and absent groups look alike."""

import pytest

from cleanroom.errors import BudgetSpent, Conflict, Forbidden, NotFound, ProposalInvalid, QueryRefused
from cleanroom.governance.proposal_text import ProposalKind
from cleanroom.partner.release_verification import verify_release
from cleanroom.partner.room_client import RoomClient, ready_version
from cleanroom.partner.room_questions import QuestionText
from tests.cleanroom.owners_brokers import trust_of
from tests.cleanroom.service.running_room import ANALYST, AUDITOR, OWNER
from tests.cleanroom.service.small_tables import PEOPLE, document, uploaded

EVERYBODY = QuestionText("SELECT COUNT(DISTINCT person) AS people FROM crm")
IN_REGION = "SELECT COUNT(DISTINCT person) AS people FROM crm WHERE region = '{}'"


def rows(answer):
    return answer.release["body"]["result"]["rows"]


@pytest.fixture
def acme(service, tmp_path, broker):
    home = service.founded(tmp_path)
    uploaded(tmp_path, home)
    return broker(home)


def test_a_release_counts_people_and_is_verified_with_the_record(acme):
    with RoomClient(acme) as room:
        answer = room.questions.ask(EVERYBODY)
        room.verify_record()

    verified = verify_release(answer.release, trust_of(acme), record=acme.record)
    assert rows(answer) == [[PEOPLE]]
    assert "acme signed the rules of crm that were applied" in verified.proved


def test_a_refusal_has_every_reason_with_a_fix_and_charges_nothing(acme):
    with RoomClient(acme) as room:
        with pytest.raises(QueryRefused) as refused:
            room.questions.ask(QuestionText("SELECT person, secret FROM crm"))
        assert refused.value.reasons
        assert all(reason.fix for reason in refused.value.reasons)
        assert room.questions.asked().queries == []


def test_a_dry_run_gives_the_same_reasons(acme):
    question = QuestionText("SELECT person, secret FROM crm")
    with RoomClient(acme) as room:
        verdict = room.questions.dry_run(question)
        with pytest.raises(QueryRefused) as refused:
            room.questions.ask(question)

    assert not verdict.allowed
    assert [reason.code for reason in verdict.reasons] == [reason.code for reason in refused.value.reasons]


def test_the_days_quota_is_told_in_headers_and_words_and_then_holds(service, tmp_path, broker):
    home = broker(service.founded(tmp_path))
    uploaded(tmp_path, home, queries_per_day=2)
    queries = f"/v1/collaborations/{home.room.collaboration}/queries"

    with service.http(home) as client:
        first, second, third = (client.post(queries, json={"sql": EVERYBODY.sql}) for _ in range(3))

    assert [first.headers["X-Quota-Queries-Left"], second.headers["RateLimit-Remaining"]] == ["1", "0"]
    assert first.headers["RateLimit-Limit"] == "2"
    assert 0 < int(first.headers["RateLimit-Reset"]) <= 24 * 3600
    assert (third.status_code, third.json()["error"]["code"]) == (429, "budget_spent")
    assert "nothing was charged" in third.json()["error"]["message"]


def test_a_noised_question_is_free_the_second_time_and_the_budget_is_told(service, tmp_path, broker):
    home = broker(service.founded(tmp_path))
    uploaded(tmp_path, home, privacy="dp", dp={"epsilon_per_query": 1.0, "epsilon_budget": 1.5})
    queries = f"/v1/collaborations/{home.room.collaboration}/queries"

    with service.http(home) as client:
        first, second = (client.post(queries, json={"sql": EVERYBODY.sql}) for _ in range(2))
        assert first.json()["release"] == second.json()["release"]
        assert (first.json()["cached"], second.json()["cached"]) == (False, True)
        assert first.headers["X-Budget-Epsilon-Left"] == second.headers["X-Budget-Epsilon-Left"] == "0.5"
    with RoomClient(home) as room, pytest.raises(BudgetSpent):
        room.questions.ask(QuestionText("SELECT region, COUNT(DISTINCT person) FROM crm GROUP BY region"))


def test_a_small_and_an_absent_group_answer_alike(service, tmp_path, broker):
    """80 people are too few, nowhere has nobody: nothing but the question itself may differ."""
    home = broker(service.founded(tmp_path))
    uploaded(tmp_path, home, min_group_size=81)  # 80 people in the south
    queries = f"/v1/collaborations/{home.room.collaboration}/queries"

    with service.http(home) as client:
        small, absent = (
            client.post(queries, json={"sql": IN_REGION.format(region)}) for region in ("south", "nowhere")
        )

    assert small.status_code == absent.status_code == 200
    # The history moves with every answer, and every worker is attested for its own question.
    varying = {
        "query_id",
        "plan",
        "plan_digest",
        "charge",
        "history",
        "statement",
        "attestation",
        "approvals",
    }
    bodies = [answer.json()["release"]["body"] for answer in (small, absent)]
    assert {k: v for k, v in bodies[0].items() if k not in varying} == {
        k: v for k, v in bodies[1].items() if k not in varying
    }
    for history in (body["history"] for body in bodies):
        assert history["before"] != history["after"]
        assert history["full"] is False
    changing = {"date", "content-length"}  # the question's own text is in the plan
    headers = [{k: v for k, v in answer.headers.items() if k not in changing} for answer in (small, absent)]
    assert headers[0] == headers[1]


def test_a_template_is_asked_once_every_owner_in_it_has_signed(service, tmp_path, broker):
    acme = broker(service.founded(tmp_path))
    uploaded(tmp_path, acme, query="templates")
    ana = service.joined(acme, "ana", ANALYST)
    template = {"title": "People in a region", "sql": IN_REGION.format("x").replace("'x'", ":region")}
    question = QuestionText(template="in_region", parameters={"region": "north"})

    with RoomClient(ana) as of_ana, RoomClient(acme) as of_acme:
        proposal = of_ana.propose_template("in_region", template)
        assert proposal.waiting_for == ["acme"]
        with pytest.raises(NotFound):
            of_ana.questions.ask(question)
        of_acme.approve(proposal.id)

        assert rows(of_ana.questions.ask(question)) == [[160]]
        assert [item.name for item in of_ana.questions.templates().templates] == ["in_region"]
        with pytest.raises(QueryRefused, match="reason"):
            of_ana.questions.ask(EVERYBODY)


def test_a_template_that_hides_one_of_its_datasets_is_not_taken(service, acme, tmp_path):
    """Otherwise its owner would never be asked to sign."""
    beta = service.joined(acme, "beta", OWNER)
    uploaded(tmp_path, beta, "visits")
    sql = "SELECT COUNT(DISTINCT a.person) FROM crm a JOIN visits b ON a.person = b.person"
    content = {"name": "overlap", "template": {"sql": sql}, "datasets": ["visits"]}

    with RoomClient(beta) as room, pytest.raises(ProposalInvalid, match="it reads crm, visits"):
        room.propose(ProposalKind.TEMPLATE, content)


@pytest.mark.parametrize("template", [{}, {"sql": 1}, {"sql": "DROP TABLE crm"}, {"sql": "SELECT"}])
def test_a_template_without_a_query_is_not_taken(acme, template):
    with RoomClient(acme) as room, pytest.raises(ProposalInvalid):
        room.propose(ProposalKind.TEMPLATE, {"name": "t", "template": template, "datasets": ["crm"]})


def test_a_question_about_a_destroyed_table_says_so_at_no_charge(acme):
    with RoomClient(acme) as room:
        room.destroy("crm", ready_version(room.dataset("crm")))
        with pytest.raises(Conflict, match="no table at the moment"):
            room.questions.ask(EVERYBODY)
        assert room.questions.asked().queries == []


def test_a_question_about_a_removed_members_table_is_refused(service, acme, tmp_path):
    beta = service.joined(acme, "beta", OWNER)
    uploaded(tmp_path, beta, "visits")
    with RoomClient(acme) as room:
        proposal = room.propose(ProposalKind.REMOVAL, {"member": "beta"})
        with RoomClient(beta) as leaving:
            leaving.approve(proposal.id)
        with pytest.raises(QueryRefused):
            room.questions.ask(QuestionText("SELECT COUNT(DISTINCT person) AS people FROM visits"))


def test_a_release_is_read_again_by_receivers_only(service, acme, tmp_path):
    auditor = service.joined(acme, "audrey", AUDITOR)
    with RoomClient(acme) as room, RoomClient(auditor) as other:
        room.propose_rules(document(receivers=["acme"]))
        asked = room.questions.ask(EVERYBODY)
        assert [query.id for query in other.questions.asked().queries] == [asked.query_id]
        with pytest.raises(Forbidden, match="receive"):
            other.questions.release(asked.query_id)
        assert room.questions.release(asked.query_id).release == asked.release
