"""What an attested worker gets, and what the owner's log says of it."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from cleanroom.broker.allowed_code import CodeRules
from cleanroom.errors import HomeUnusable, KeyRefused, ServiceUnreachable
from cleanroom.rules.analysis_rule import Mode
from cleanroom.worker.key_approval import approval_body, require_approved
from cleanroom.worker.key_exchange import Grant, grant_context, state_key
from cleanroom.worker.statement import template_digest
from privacy.errors import SealBroken, SignatureRefused
from privacy.party_keys import PartyKeys
from tests.cleanroom.broker.broker_room import FOREIGN, IDENTITY_SECRET, REDUCED, BrokerRoom


def test_an_attested_worker_gets_the_keys_of_the_owners_tables(room: BrokerRoom) -> None:
    grant = room.granted(room.statement("visits", "crm"))
    uploaded = room.uploads["visits"]
    assert dict(grant.dataset_keys) == {uploaded.version: uploaded.key}
    assert grant.state_key == state_key(IDENTITY_SECRET, room.collaboration)
    assert grant.committed is None


def test_a_grant_opens_for_that_worker_and_that_statement_only(room: BrokerRoom) -> None:
    statement = room.statement()
    sealed = room.broker.grant(room.request(statement))
    right = grant_context("adv", statement.digest())
    with pytest.raises(SealBroken):
        PartyKeys.generate("enclave").open_message(sealed, right)
    with pytest.raises(SealBroken):
        room.worker.open_message(sealed, grant_context("adv", room.statement().digest()))
    with pytest.raises(SealBroken):
        room.worker.open_message(sealed, grant_context("bea", statement.digest()))
    assert Grant.of(room.worker.open_message(sealed, right)).dataset_keys


def test_a_grant_holds_the_owners_signature_on_this_worker_and_this_statement(room: BrokerRoom) -> None:
    statement = room.statement()
    approval, owner = room.granted(statement).approval, room.keys["adv"].public
    worker = room.worker.public.sealing + room.worker.public.signing
    right = approval_body("adv", statement.digest(), worker)
    require_approved(approval, body=right, public_key=owner.signing)
    other = PartyKeys.generate("enclave").public
    for body in (
        approval_body("adv", statement.digest(), other.sealing + other.signing),
        approval_body("adv", room.statement().digest(), worker),
        approval_body("bea", statement.digest(), worker),
    ):
        with pytest.raises(KeyRefused):
            require_approved(approval, body=body, public_key=owner.signing)
    with pytest.raises(SignatureRefused):
        require_approved(approval, body=right, public_key=room.keys["bea"].public.signing)


def test_the_answer_over_the_wire_is_the_sealed_grant_in_base64(room: BrokerRoom) -> None:
    statement = room.statement()
    answer = room.broker.answer(room.request(statement))
    assert answer is not None
    sealed = base64.b64decode(answer, validate=True)
    assert room.worker.open_message(sealed, grant_context("adv", statement.digest()))
    assert room.broker.answer(room.request(statement)) is None  # its nonce is used


def test_every_release_stands_in_the_owners_log_and_no_key_does(room: BrokerRoom) -> None:
    statement = room.statement()
    grant = room.granted(statement)
    kind, body = room.logged()[-1]
    assert kind == "key released"
    assert (body["asker"], body["query_id"]) == ("dan", statement.query_id)
    assert body["statement"] == statement.digest().hex()
    assert body["stated"] == statement.to_plain()
    assert body["measurement"] == "66" * 48  # what FULL is made of
    assert body["emulated"] is True
    written = (room.folder / "broker" / "log.jsonl").read_text()
    for secret in (*grant.dataset_keys.values(), grant.state_key, grant.confirm_key):
        assert secret.hex() not in written
        assert base64.b64encode(secret).decode() not in written


def test_a_refusal_stands_in_the_owners_log_with_its_reasons(room: BrokerRoom) -> None:
    with pytest.raises(KeyRefused):
        room.broker.grant(room.request(room.statement(asker="eve")))
    kind, body = room.logged()[-1]
    assert (kind, body["asker"]) == ("refused", "eve")
    assert body["reasons"] == [{"code": "asker", "message": "eve is no member who may ask"}]


def test_noise_is_charged_before_the_grant_leaves_and_by_every_grant_anew(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", privacy="dp", dp={"epsilon_budget": 2.0})
    for _ in range(2):
        room.granted(room.statement(mode=Mode.DP))
    with pytest.raises(KeyRefused):
        room.granted(room.statement(mode=Mode.DP))
    assert room.last_reasons() == ["budget"]
    charges = [body["charge"]["micro_epsilon"] for kind, body in room.logged() if kind == "key released"]
    assert charges == [1_000_000, 1_000_000]


def test_a_budget_starts_afresh_when_its_window_does(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", privacy="dp", dp={"epsilon_budget": 1.0, "refresh": "daily"})
    room.granted(room.statement(mode=Mode.DP))
    with pytest.raises(KeyRefused):
        room.granted(room.statement(mode=Mode.DP))
    room.later(days=1)
    room.granted(room.statement(mode=Mode.DP))


def test_a_charge_outlives_the_broker(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", privacy="dp", dp={"epsilon_budget": 1.0})
    room.granted(room.statement(mode=Mode.DP))
    room.restarted()
    with pytest.raises(KeyRefused):
        room.granted(room.statement(mode=Mode.DP))
    assert room.last_reasons() == ["budget"]


def test_cells_presented_anew_cost_nothing_and_open_no_table(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", privacy="dp", dp={"epsilon_budget": 1.0})
    room.granted(room.statement(mode=Mode.DP))
    again = room.granted(room.statement(mode=Mode.DP, reuse=True, epsilon=0.0, delta=0.0))
    assert dict(again.dataset_keys) == {}
    assert again.state_key == state_key(IDENTITY_SECRET, room.collaboration)


def test_another_owners_noise_makes_the_whole_question_noised(room: BrokerRoom) -> None:
    room.put_rules("bea", "crm", privacy="dp")
    room.put_rules("adv", "visits", dp={"epsilon_per_query": 1.0})
    assert room.granted(room.statement("visits", "crm", mode=Mode.DP)).dataset_keys
    with pytest.raises(KeyRefused):
        room.granted(room.statement("visits", "crm"))
    assert room.last_reasons() == ["mode"]


def test_the_same_question_tried_again_counts_once_against_the_day(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", queries_per_day=1)
    statement = room.statement()
    room.granted(statement)
    room.granted(replace(statement, nonces={"adv": room.broker.nonces()[0]}))
    with pytest.raises(KeyRefused):
        room.granted(room.statement())
    assert room.last_reasons() == ["quota"]
    room.later(days=1)
    room.granted(room.statement())


def test_an_approved_template_is_answered(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", query="templates")
    room.approve_template("reach", "SELECT 1", "visits", "crm")
    digest = template_digest("reach", "SELECT 1")
    assert room.granted(room.statement("visits", "crm", template=digest)).dataset_keys


def test_a_rule_that_changed_is_read_anew_at_once(room: BrokerRoom) -> None:
    room.granted(room.statement())
    reads = room.reads
    room.granted(room.statement())
    assert room.reads == reads  # known for a minute
    room.put_rules("adv", "visits", min_group_size=100)
    room.granted(room.statement())
    assert room.reads == reads + 1


def test_a_member_who_left_gets_nothing_within_a_minute(room: BrokerRoom) -> None:
    room.granted(room.statement())
    room.agree("adv", "removal", {"member": "dan"})  # type: ignore[arg-type]
    room.later(seconds=61)
    with pytest.raises(KeyRefused):
        room.granted(room.statement())
    assert room.last_reasons() == ["asker"]


def test_reduced_isolation_gets_keys_where_the_owner_allows_it(room: BrokerRoom) -> None:
    room.home.allow(CodeRules(reduced=True), now=room.now)
    assert room.broker.grant(room.request(room.statement(), measurement=REDUCED))


def test_another_program_gets_keys_where_the_owner_allows_it(room: BrokerRoom) -> None:
    room.home.allow(CodeRules(measurements=(FOREIGN.code,)), now=room.now)
    assert room.broker.grant(room.request(room.statement(), measurement=FOREIGN))


def test_a_pause_ends(room: BrokerRoom) -> None:
    room.home.pause("visits", now=room.now)
    assert room.home.paused == {"visits"}
    room.home.resume("visits", now=room.now)
    assert room.granted(room.statement()).dataset_keys


def test_questions_at_once_never_overspend(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", privacy="dp", dp={"epsilon_budget": 3.0})
    requests = [room.request(room.statement(mode=Mode.DP)) for _ in range(12)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(room.broker.answer, requests))
    assert sum(answer is not None for answer in answers) == 3


def test_a_second_broker_on_one_home_is_refused(room: BrokerRoom) -> None:
    with pytest.raises(HomeUnusable, match="another broker runs"):
        room.opened_broker()
    room.broker.close()
    room.opened_broker().close()


def test_expired_keys_are_destroyed_when_the_rules_in_force_say_so(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", retention_days=7)
    room.later(days=6, hours=23)
    assert room.broker.retire_expired() == ()
    room.later(hours=1)
    (tombstone,) = room.broker.retire_expired()
    assert tombstone.version == room.uploads["visits"].version
    assert room.logged()[-1][0] == "key destroyed"
    assert room.broker.retire_expired() == ()


def test_keys_expire_when_the_service_is_away(room: BrokerRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    room.put_rules("adv", "visits", retention_days=7)
    assert room.broker.retire_expired() == ()

    def unreachable() -> object:
        raise ServiceUnreachable("the service does not answer")

    monkeypatch.setattr(room, "record", unreachable)
    room.restarted()
    room.later(days=7)
    (tombstone,) = room.broker.retire_expired()
    assert tombstone.version == room.uploads["visits"].version


def test_keys_expire_as_the_newest_rules_say_though_an_older_record_is_shown(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", retention_days=30)
    room.put_rules("adv", "visits", retention_days=7)
    assert room.broker.retire_expired() == ()
    del room.events[-1]
    room.later(days=7)
    (tombstone,) = room.broker.retire_expired()
    assert tombstone.version == room.uploads["visits"].version
