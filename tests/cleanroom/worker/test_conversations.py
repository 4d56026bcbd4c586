"""Jobs that go well: what leaves the enclave, in which order, and that it belongs together."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace

import pytest

from cleanroom.errors import QueryFailed
from cleanroom.worker.job import JobTemplate
from cleanroom.worker.statement import Statement, nonce_of, template_digest
from privacy.canonical_json import digest_of
from privacy.signed_document import open_document
from tests.cleanroom.worker.conftest import Room
from tests.cleanroom.worker.enclave_thread import MEASUREMENT
from tests.cleanroom.worker.two_owners import (
    BOTH,
    CRM_ALONE,
    ONE_REGION,
    OWNERS,
    PANEL_ALONE,
    document,
    vouched_for,
)


def test_a_threshold_release_holds_the_numbers_and_everything_that_vouches_for_it(room: Room) -> None:
    outcome = room.ask(BOTH)

    (enclave,) = room.backend.started
    body = open_document(outcome.release, kind="release", public_key=enclave.keys.public.signing)
    assert body["result"]["rows"] == [["north", 200], ["south", 100]]
    attestation = base64.b64decode(body["attestation"]["document"])
    assert body["attestation"]["sha256"] == hashlib.sha256(attestation).hexdigest()
    vouched, statement = vouched_for(attestation), Statement.of(body["statement"])
    assert vouched.user_data == statement.digest()
    assert vouched.nonce == nonce_of(statement.nonces)
    assert vouched.public_key == enclave.keys.public.sealing + enclave.keys.public.signing
    assert body["measurement"] == MEASUREMENT.code
    assert sorted(body["approvals"]) == ["advertiser", "publisher"]
    assert outcome.state is not None
    assert body["history"] == {"before": "", "after": outcome.state.id, "full": False}
    assert (body["cells"], body["cells_mac"], body["earlier"]) == (None, None, None)


def test_the_statement_names_the_question_the_rules_and_the_tables_and_nothing_of_the_data(
    room: Room,
) -> None:
    job = room.tables.job(BOTH)
    room.run(job)

    plain = room.brokers.asked[0].statement
    assert {**plain, "nonces": sorted(plain["nonces"])} == {
        "format": "mixroom-statement/1",
        "collaboration": "col-a",
        "query_id": "qry-a",
        "asker": "analyst",
        "plan_digest": job.plan.digest(),
        "mode": "threshold",
        "template": None,
        "reuse": False,
        "charge": {"epsilon": 0.0, "delta": 0.0},
        "tables": [
            {
                "dataset": dataset,
                "owner": OWNERS[dataset],
                "version": f"ver-{dataset}",
                "manifest_digest": digest_of(room.tables.sealed[dataset].manifest.to_plain()),
                "policy_digest": digest_of(document(dataset).canonical()),
            }
            for dataset in ("crm", "panel")
        ],
        "nonces": ["advertiser", "publisher"],
    }


def test_a_release_leaves_last_and_only_statement_state_and_release_leave(room: Room) -> None:
    room.ask(BOTH)

    (enclave,) = room.backend.started
    parts = [sorted(json.loads(frame[1:])) for frame in enclave.sent]
    assert parts == [["attestation", "statement"], ["commit", "state"], ["release"]]


def test_every_release_goes_on_from_the_one_before(room: Room) -> None:
    bodies = [room.ask(sql).release["body"] for sql in (BOTH, CRM_ALONE, PANEL_ALONE, BOTH)]

    moves = [body["history"] for body in bodies]
    assert moves[0]["before"] == ""
    assert [move["before"] for move in moves[1:]] == [move["after"] for move in moves[:-1]]
    assert len({move["after"] for move in moves}) == 4


def test_an_owner_is_asked_to_commit_only_to_states_that_its_data_took_part_in(room: Room) -> None:
    room.ask(BOTH)
    first = room.brokers.commits[0].next
    room.ask(PANEL_ALONE)

    assert room.brokers.commits[1].previous == {"publisher": first}
    assert room.brokers.committed == {"advertiser": first, "publisher": room.brokers.commits[1].next}


def test_a_number_that_differs_by_few_people_from_an_earlier_one_is_withheld(room: Room) -> None:
    """The history has its effect across enclaves: 319 people and 309 of them tell 10."""
    everybody = "SELECT COUNT(DISTINCT person) AS people FROM crm"
    nearly = "SELECT COUNT(DISTINCT person) AS people FROM crm WHERE segment = 'many'"
    assert room.ask(everybody).release["body"]["result"]["rows"] == [[319]]

    assert room.ask(nearly).release["body"]["result"]["rows"] in ([], [[None]])


def test_a_noised_release_keeps_no_state_and_asks_nobody_to_commit(room: Room) -> None:
    outcome = room.ask(BOTH, noised=True)

    assert outcome.state is None
    assert room.brokers.commits == []
    body = outcome.release["body"]
    assert body["statement"]["charge"] == {"epsilon": 1.0, "delta": body["charge"]["delta"]}
    assert body["statement"]["mode"] == "dp"
    assert body["history"] == {"before": "", "after": "", "full": False}
    assert len(body["cells_mac"]) == 64


def test_cells_are_presented_anew_without_tables_and_at_no_charge(room: Room) -> None:
    first = room.ask(BOTH, noised=True).release
    doubled = f"SELECT region, people * 2 AS twice FROM ({BOTH}) AS counted"
    second = room.ask(doubled, noised=True, reuse=first).release

    rows, again = (release["body"]["result"]["rows"] for release in (first, second))
    assert sorted(again) == sorted([region, people * 2] for region, people in rows)
    assert second["body"]["statement"]["reuse"] is True
    assert second["body"]["charge"] == {"epsilon": 0.0, "delta": 0.0, "query_id": "qry-a"}
    assert second["body"]["earlier"] == {"query_id": "qry-a", "release_digest": digest_of(first)}
    assert room.backend.started[1].files == []
    assert room.ask(BOTH, noised=True, reuse=second).release["body"]["result"]["rows"] == rows


def test_a_template_s_digest_is_stated_and_opens_what_only_templates_may(room: Room) -> None:
    template = JobTemplate("one region", ONE_REGION, {"region": "north"})
    outcome = room.ask(ONE_REGION, template=template, rule={"query": "templates"})

    assert outcome.release["body"]["result"]["rows"] == [[200]]
    assert outcome.release["body"]["statement"]["template"] == template_digest("one region", ONE_REGION)


def test_without_a_template_what_only_templates_may_stays_closed(room: Room) -> None:
    with pytest.raises(QueryFailed, match="against the rules"):
        room.ask(CRM_ALONE, rule={"query": "templates"})
    assert room.brokers.asked == []


def test_rules_that_changed_since_the_upload_are_those_that_hold(room: Room) -> None:
    job = room.tables.job(CRM_ALONE, rule={"min_group_size": 150})

    body = room.run(replace(job, candidates=())).release["body"]
    assert body["result"]["rows"] == [["north", 200]]
    assert body["policies"][0]["digest"] == digest_of(document("crm", min_group_size=150).canonical())
