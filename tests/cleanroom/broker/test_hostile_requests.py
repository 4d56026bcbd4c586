"""Whatever is wrong with a request for keys, nothing leaves but one sentence; why stands in the owner's log."""

from __future__ import annotations

import base64
import math
import os
from dataclasses import replace
from typing import Any

import pytest

from cleanroom.broker.allowed_code import CodeRules
from cleanroom.broker.broker_home import RECORD_HEAD
from cleanroom.broker.verified_record import verified_record
from cleanroom.errors import (
    HomeUnusable,
    KeyRefused,
    LogBroken,
    RoomError,
    ServiceUnreachable,
    StateRolledBack,
)
from cleanroom.governance.principal import MemberRole
from cleanroom.governance.proposal_text import ProposalKind
from cleanroom.governance.room_ids import new_version_id
from cleanroom.governance.terms import new_collaboration_id
from cleanroom.rules.analysis_rule import Mode
from cleanroom.worker.statement import plain_nonces, template_digest
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.measurement import Measurement
from tests.cleanroom.broker.broker_room import FOREIGN, REDUCED, REFUSAL, BrokerRoom


def refuse(room: BrokerRoom, request: object, *codes: str) -> None:
    """The request is refused with the one sentence, for these reasons, and no key was released."""
    before = [kind for kind, _ in room.logged()].count("key released")
    with pytest.raises(KeyRefused) as refusal:
        room.broker.grant(request)
    assert (str(refusal.value), refusal.value.reasons) == (REFUSAL, ())
    assert refusal.value.__cause__ is None
    assert room.last_reasons() == list(codes)
    assert [kind for kind, _ in room.logged()].count("key released") == before


def test_a_nonce_that_was_not_given_out(room: BrokerRoom) -> None:
    refuse(room, room.request(room.statement(nonces={"adv": os.urandom(32)})), "nonce")


def test_a_nonce_that_was_used(room: BrokerRoom) -> None:
    statement = room.statement()
    room.granted(statement)
    refuse(room, room.request(replace(statement, query_id="qry-other")), "nonce")


def test_a_request_that_is_replayed(room: BrokerRoom) -> None:
    request = room.request(room.statement())
    room.broker.grant(request)
    refuse(room, request, "nonce")


def test_a_nonce_is_used_up_by_a_refusal_too(room: BrokerRoom) -> None:
    statement = room.statement()
    refuse(room, room.request(statement, measurement=FOREIGN), "code")
    refuse(room, room.request(statement), "nonce")


def test_a_nonce_of_before_the_broker_was_started_again(room: BrokerRoom) -> None:
    request = room.request(room.statement())
    room.restarted()
    refuse(room, request, "nonce")


def test_an_attestation_that_was_made_for_another_nonce(room: BrokerRoom) -> None:
    refuse(room, room.request(room.statement(), nonce=os.urandom(32)), "attestation")


def test_a_statement_that_names_other_nonces_than_the_attestation(room: BrokerRoom) -> None:
    statement = room.statement("visits", "crm")
    request = room.request(statement)
    other = replace(statement, nonces={**statement.nonces, "bea": os.urandom(32)})
    refuse(room, {**request, "statement": other.to_plain()}, "nonce")


def test_an_old_attestation(room: BrokerRoom) -> None:
    request = room.request(room.statement())
    room.later(seconds=301)
    refuse(room, request, "attestation")


def test_another_program(room: BrokerRoom) -> None:
    refuse(room, room.request(room.statement(), measurement=FOREIGN), "code")


def test_reduced_isolation_that_is_not_allowed(room: BrokerRoom) -> None:
    refuse(room, room.request(room.statement(), measurement=REDUCED), "isolation")


def test_debug_mode(room: BrokerRoom) -> None:
    refuse(room, room.request(room.statement(), measurement=Measurement.debug()), "attestation")


def test_another_root(room: BrokerRoom) -> None:
    foreign = EmulatedPlatform.open(room.folder / "foreign", clock=lambda: room.now)
    refuse(room, room.request(room.statement(), platform=foreign), "attestation")


def test_an_emulated_root_in_production(room: BrokerRoom) -> None:
    room.home.allow(CodeRules(production=True), now=room.now)
    refuse(room, room.request(room.statement()), "attestation")


def test_an_attestation_with_a_flipped_bit(room: BrokerRoom) -> None:
    document = bytearray(room.attest(statement := room.statement()))
    document[len(document) // 2] ^= 1
    changed = base64.b64encode(document).decode()
    refuse(room, {**room.request(statement), "attestation": changed}, "attestation")


def test_an_attestation_without_both_public_keys(room: BrokerRoom) -> None:
    refuse(room, room.request(room.statement(), public_key=room.worker.public.sealing), "attestation")


def test_an_attested_key_that_nothing_can_be_sealed_for(room: BrokerRoom) -> None:
    small_order = bytes(32) + room.worker.public.signing
    refuse(room, room.request(room.statement(), public_key=small_order), "attestation")


def test_a_statement_that_is_not_the_attested_one(room: BrokerRoom) -> None:
    statement = room.statement()
    request = room.request(statement)
    for other in (
        replace(statement, asker="adv"),
        replace(statement, plan_digest=os.urandom(32).hex()),
        replace(statement, tables=(room.stated("visits", version=new_version_id()),)),
    ):
        fresh = replace(other, nonces={"adv": room.broker.nonces()[0]})
        attested = replace(statement, nonces=fresh.nonces)
        request = {**room.request(attested), "statement": fresh.to_plain()}
        refuse(room, request, "statement")


def test_another_collaboration(room: BrokerRoom) -> None:
    refuse(room, room.request(room.statement(collaboration=new_collaboration_id())), "collaboration")


def test_other_rules_than_those_in_force(room: BrokerRoom) -> None:
    tables = (room.stated("visits", policy_digest=os.urandom(32).hex()),)
    refuse(room, room.request(room.statement(tables=tables)), "policy")


def test_rules_that_were_in_force_before(room: BrokerRoom) -> None:
    old = room.stated("visits")
    room.put_rules("adv", "visits", min_group_size=100)
    refuse(room, room.request(room.statement(tables=(old,))), "policy")


def test_other_rules_of_another_owners_table(room: BrokerRoom) -> None:
    tables = (room.stated("visits"), room.stated("crm", policy_digest=os.urandom(32).hex()))
    refuse(room, room.request(room.statement("visits", "crm", tables=tables)), "policy")


def test_an_unknown_member_as_a_tables_owner(room: BrokerRoom) -> None:
    tables = (room.stated("visits"), room.stated("crm", owner="eve"))
    nonces = {"adv": room.broker.nonces()[0], "eve": os.urandom(32)}
    refuse(room, room.request(room.statement(tables=tables, nonces=nonces)), "owner")


def test_another_owners_table_as_ones_own(room: BrokerRoom) -> None:
    refuse(room, room.request(room.statement(tables=(room.stated("crm", owner="adv"),))), "owner")


def test_a_dataset_that_nobody_signed_rules_for(room: BrokerRoom) -> None:
    tables = (room.stated("visits"), replace(room.stated("visits"), dataset="wisits"))
    refuse(room, room.request(room.statement(tables=tables)), "dataset")


def test_a_dataset_of_an_owner_who_left(room: BrokerRoom) -> None:
    statement = room.statement("visits", "crm")
    room.agree("bea", "removal", {"member": "bea"})  # type: ignore[arg-type]
    refuse(room, room.request(statement), "dataset")


def test_a_question_on_none_of_the_owners_tables(room: BrokerRoom) -> None:
    """The nonce is missing from its statement, since nothing of it is asked for."""
    refuse(room, room.request(room.statement("crm")), "nonce")


def test_a_foreign_manifest(room: BrokerRoom) -> None:
    tables = (room.stated("visits", manifest_digest=os.urandom(32).hex()),)
    refuse(room, room.request(room.statement(tables=tables)), "manifest")


def test_a_version_of_another_dataset(room: BrokerRoom) -> None:
    room.put_rules("adv", "clicks")
    room.uploads["clicks"] = room.upload("adv", "clicks")
    room.keep("clicks")
    mixed = replace(
        room.stated("clicks"), dataset="visits", policy_digest=room.stated("visits").policy_digest
    )
    refuse(room, room.request(room.statement(tables=(mixed,))), "manifest")


@pytest.mark.parametrize("version", ["ver-aaaaaaaaaaaaaaaa", "../wrapping/kek-000001", "ver-x", "."])
def test_a_version_that_was_never_kept(room: BrokerRoom, version: str) -> None:
    refuse(room, room.request(room.statement(tables=(room.stated("visits", version=version),))), "version")


def test_a_destroyed_version(room: BrokerRoom) -> None:
    room.home.destroy_key(room.uploads["visits"].version, now=room.now, why="asked for")
    refuse(room, room.request(room.statement()), "version")


def test_an_expired_version(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", retention_days=7)
    room.later(days=7)
    refuse(room, room.request(room.statement()), "expired")


def test_another_owners_noise_in_the_place_of_thresholds(room: BrokerRoom) -> None:
    room.put_rules("bea", "crm", privacy="dp", dp={"epsilon_per_query": 100.0})
    refuse(room, room.request(room.statement("visits", "crm", mode=Mode.DP, epsilon=0.1)), "noise")
    room.put_rules("adv", "visits", dp={"epsilon_per_query": 0.5})
    room.later(minutes=2)
    refuse(room, room.request(room.statement("visits", "crm", mode=Mode.DP, epsilon=0.6)), "price")
    room.granted(room.statement("visits", "crm", mode=Mode.DP, epsilon=0.5))


def test_more_epsilon_than_the_budget_has_left(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", privacy="dp", dp={"epsilon_budget": 1.5})
    room.granted(room.statement(mode=Mode.DP))
    refuse(room, room.request(room.statement(mode=Mode.DP)), "budget")


def test_more_questions_than_the_day_allows(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", queries_per_day=2)
    for _ in range(2):
        room.granted(room.statement())
    refuse(room, room.request(room.statement()), "quota")


def test_more_epsilon_or_delta_than_one_question_may_spend(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", privacy="dp")
    refuse(room, room.request(room.statement(mode=Mode.DP, epsilon=1.5)), "price")
    refuse(room, room.request(room.statement(mode=Mode.DP, delta=1e-6)), "price")


def test_noise_for_nothing(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", privacy="dp")
    refuse(room, room.request(room.statement(mode=Mode.DP, epsilon=0.0)), "charge")


def test_thresholds_where_the_rules_ask_for_noise(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", privacy="dp")
    refuse(room, room.request(room.statement()), "mode")


def test_noise_where_no_rule_asks_for_it(room: BrokerRoom) -> None:
    refuse(room, room.request(room.statement(mode=Mode.DP)), "mode", "noise")


def test_cells_presented_anew_without_noise(room: BrokerRoom) -> None:
    refuse(room, room.request(room.statement(reuse=True)), "charge")


@pytest.mark.parametrize("dataset", ["visits", "*"])
def test_a_paused_dataset(room: BrokerRoom, dataset: str) -> None:
    room.home.pause(dataset, now=room.now)
    refuse(room, room.request(room.statement()), "paused")


def test_a_question_of_its_own_where_only_templates_are_answered(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", query="templates")
    refuse(room, room.request(room.statement()), "template")


def test_a_template_that_nobody_approved(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", query="templates")
    room.approve_template("reach", "SELECT 1", "visits")
    for name, sql in (("reach", "SELECT 2"), ("other", "SELECT 1")):
        refuse(room, room.request(room.statement(template=template_digest(name, sql))), "template")


def test_a_template_that_was_approved_for_fewer_tables(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", query="templates")
    room.approve_template("reach", "SELECT 1", "visits")
    digest = template_digest("reach", "SELECT 1")
    refuse(room, room.request(room.statement("visits", "crm", template=digest)), "template")


@pytest.mark.parametrize("asker", ["eve", "tom"])
def test_an_asker_who_may_not_ask(room: BrokerRoom, asker: str) -> None:
    room.add("tom", MemberRole.AUDITOR)
    refuse(room, room.request(room.statement(asker=asker)), "asker")


def test_an_asker_whom_the_owner_does_not_list(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", receivers=["bea"])
    refuse(room, room.request(room.statement()), "receiver")


def test_an_older_record_than_was_seen_before(room: BrokerRoom) -> None:
    room.granted(room.statement())
    old = len(room.events)
    room.put_rules("adv", "visits", min_group_size=100)
    room.granted(room.statement())
    del room.events[old:]
    room.later(seconds=61)
    refuse(room, room.request(room.statement()), "record")
    room.restarted()
    refuse(room, room.request(room.statement()), "record")


def seen_by_the_client(room: BrokerRoom) -> None:
    """The owner's other commands read the record and note how far it goes."""
    keys, digest = room.keys["adv"].public, room.terms.digest
    verified_record(room.folder / "broker" / RECORD_HEAD, room.record, keys=keys, terms_digest=digest)


def test_an_older_record_than_the_owners_client_has_seen(room: BrokerRoom) -> None:
    room.granted(room.statement())
    room.agree("adv", ProposalKind.REMOVAL, {"member": "dan"})
    seen_by_the_client(room)
    del room.events[-1]
    refuse(room, room.request(room.statement()), "record")


def test_rules_that_the_owners_client_saw_end_within_the_minute(room: BrokerRoom) -> None:
    room.granted(room.statement())
    looser = room.stated("visits")
    room.put_rules("adv", "visits", min_group_size=100)
    seen_by_the_client(room)
    refuse(room, room.request(room.statement(tables=(looser,))), "policy")


def test_a_record_that_another_process_saw_longer_meanwhile_is_read_again(room: BrokerRoom) -> None:
    old = room.record()
    room.put_rules("adv", "visits", min_group_size=100)
    answers = [old]

    def read() -> object:
        if not answers:
            return room.record()
        seen_by_the_client(room)
        return answers.pop()

    path, keys = room.folder / "broker" / RECORD_HEAD, room.keys["adv"].public
    found = verified_record(path, read, keys=keys, terms_digest=room.terms.digest)
    assert found.state.rules["visits"].document == room.rules["visits"]


def test_a_record_with_another_past(room: BrokerRoom) -> None:
    room.granted(room.statement())
    room.put_rules("adv", "visits", min_group_size=100)
    room.granted(room.statement())
    del room.events[-1]
    room.put_rules("adv", "visits", min_group_size=2)
    room.later(seconds=61)
    refuse(room, room.request(room.statement()), "record")


def test_a_record_of_another_room(room: BrokerRoom, tmp_path: Any) -> None:
    other = BrokerRoom(tmp_path / "other")
    room.events, room.terms, room.keys["adv"] = other.events, other.terms, other.keys["adv"]
    refuse(room, room.request(room.statement()), "record")
    other.broker.close()


@pytest.mark.parametrize("more", ["\ud800", math.nan, {1: 2}, {"nested": {"half": "\udfff"}}])
def test_a_record_with_something_beside_what_is_signed_that_has_no_digest(
    room: BrokerRoom, more: object
) -> None:
    room.events[-1] = {**room.events[-1], "more": more}
    refuse(room, room.request(room.statement()), "record")


@pytest.mark.parametrize("kind", [ServiceUnreachable, HomeUnusable, LogBroken, StateRolledBack])
def test_a_record_that_cannot_be_read(
    room: BrokerRoom, monkeypatch: pytest.MonkeyPatch, kind: type[RoomError]
) -> None:
    """Whatever the service answers in its place, it does not end the broker."""

    def refusing() -> object:
        raise kind("no record")

    monkeypatch.setattr(room, "record", refusing)
    room.restarted()
    refuse(room, room.request(room.statement()), "record")


@pytest.mark.parametrize("change", ["nothing", "attestation", "nonces", "statement", "extra", "order"])
def test_what_is_no_request(room: BrokerRoom, change: str) -> None:
    good = room.request(room.statement("visits", "crm"))
    statement: dict[str, Any] = good["statement"]
    wrong: dict[str, Any] = {
        "nothing": None,
        "attestation": {**good, "attestation": "*"},
        "nonces": {**good, "nonces": {"adv": "00"}},
        "statement": {**good, "statement": None},
        "extra": {**good, "statement": {**statement, "more": 1}},
        "order": {**good, "statement": {**statement, "tables": statement["tables"][::-1]}},
    }
    refuse(room, wrong[change], "request")


def test_an_attested_statement_needs_every_owners_nonce(room: BrokerRoom) -> None:
    statement = room.statement("visits", "crm")
    request = room.request(statement)
    alone = {**request, "nonces": plain_nonces({"adv": statement.nonces["adv"]})}
    refuse(room, alone, "attestation")


def test_every_reason_is_logged_at_once(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", receivers=["bea"], queries_per_day=1, query="templates")
    room.home.pause(now=room.now)
    refuse(room, room.request(room.statement(asker="eve")), "asker", "template", "paused", "receiver")
