"""A release is verified offline: whatever is changed, taken elsewhere, attested or signed otherwise is not genuine."""

import base64
import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.errors import ReleaseUnverified
from cleanroom.governance.proposal_text import ProposalKind
from cleanroom.partner.release_verification import verify_release
from cleanroom.partner.release_words import NOT_PROVED, NOT_PROVED_EMULATED
from cleanroom.partner.room_client import RoomClient
from cleanroom.rules.analysis_rule import Mode
from cleanroom.worker.release_document import unattested_body
from privacy.canonical_json import digest_of
from privacy.enclave.measurement import Measurement
from privacy.party_keys import PartyKeys
from privacy.signed_document import sign_document
from tests.cleanroom.partner.attested_releases import CODE, AttestedWorker, enclosed
from tests.cleanroom.service.running_room import OWNER
from tests.cleanroom.service.small_tables import document

Path_ = tuple[str | int, ...]


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    return AttestedWorker.on_new_platform(tmp_path_factory.mktemp("platform"))


@pytest.fixture
def release(worker):
    return worker.signed(worker.body())


# --- what is genuine ------------------------------------------------------------------------------------


def test_a_genuine_release_says_what_it_proves_and_what_not(worker, release):
    said = verify_release(release, worker.trust)
    proved = "\n".join(said.proved)

    assert worker.platform.root_fingerprint in proved
    assert "that root is an emulated enclave's" in proved
    assert f"measurement {CODE.code[:16]}, this installation's" in proved
    assert "attested for this question alone, with one-time numbers of acme" in proved
    assert f"attested at {datetime.now(UTC):%Y-%m-%d} " in proved
    assert "answers query qry-abcdefgh23456722 of agency" in said.proved
    assert release["body"]["issued_on"] not in proved  # the service's clock said so
    assert "threshold protection, groups of 50 or more; charged: no epsilon" in proved
    assert "made from crm ver-abcdefgh23456722" in proved
    assert f"from nothing to {'8' * 16}" in proved


def test_an_emulated_root_is_never_said_to_protect_from_its_machines_root(worker, release):
    said = verify_release(release, worker.trust)

    assert "does not protect against the root of the machine it ran on" in NOT_PROVED_EMULATED[0]
    assert NOT_PROVED_EMULATED[1:] == NOT_PROVED
    assert said.not_proved[-len(NOT_PROVED_EMULATED) :] == NOT_PROVED_EMULATED


def test_without_the_rooms_record_nothing_is_said_of_the_owners(worker, release):
    """A genuine worker opens whatever somebody seals for it: tables of the service's own making, for one."""
    said = verify_release(release, worker.trust)

    assert said.not_proved[0].startswith("that the owners gave their keys for this")
    assert not any("acme signed" in line for line in said.proved)


def test_numbers_shown_again_say_that_they_cost_nothing_and_on_whose_word_they_stand(worker):
    again = noised(worker, worker.body(worker.statement(mode=Mode.DP, reuse=True)))

    said = verify_release(again, worker.trust)
    proved = "\n".join(said.proved)

    assert "charged: nothing, as its noised numbers were released before" in proved
    assert "record of earlier releases" not in proved
    assert (
        "that its numbers are those of query qry-2222222222222222, released before: that holds as far as every owner "
        "is honest, as all share the room's key"
    ) in said.not_proved


def test_noise_is_not_said_to_keep_groups_of_a_size(worker):
    body = worker.body(worker.statement(mode=Mode.DP, epsilon=0.5, delta=1e-8))
    charge = {"epsilon": 0.5, "delta": 1e-8, "query_id": body["query_id"]}

    said = verify_release(noised(worker, body, charge=charge), worker.trust)

    words = "differential privacy, epsilon 0.5, delta 1e-08; charged: epsilon 0.5, delta 1e-08"
    assert words in said.proved
    assert not any("groups of" in line for line in said.proved)
    assert said.not_proved[1:] == NOT_PROVED_EMULATED


def noised(worker, body, **changes):
    """Signed, as a release with noise."""
    protection = {"mode": "dp", "min_group_size": 50, "largest_share": 0.5, "epsilon": 0.5, "delta": 1e-8}
    history = {"before": "", "after": "", "full": False}
    return worker.signed(body, protection=protection, history=history, **changes)


# --- a file that somebody changed -----------------------------------------------------------------------


def leaves(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Where every text, number, truth and null of a JSON value is, and every empty list or object."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [leaf for key, item in items for leaf in leaves(item, (*path, key))]
    return iter(below or [path])


def changed(value: Any, path: Path_) -> Any:
    """A copy with another leaf there."""
    copied = copy.deepcopy(value)
    place = copied
    for key in path[:-1]:
        place = place[key]
    before = place[path[-1]]
    match before:
        case bool():
            place[path[-1]] = not before
        case int() | float():
            place[path[-1]] = before + 1
        case str() if before:
            place[path[-1]] = ("B" if before[0] == "A" else "A") + before[1:]
        case _:
            place[path[-1]] = "changed"
    return copied


def test_every_single_changed_field_is_noticed(worker, release):
    paths = list(leaves(release))

    assert len(paths) > 60
    for path in paths:
        with pytest.raises(ReleaseUnverified):
            verify_release(changed(release, path), worker.trust)


def test_every_missing_part_is_noticed(worker, release):
    for part in release["body"]:
        less = {name: value for name, value in release["body"].items() if name != part}
        with pytest.raises(ReleaseUnverified):
            verify_release({**release, "body": less}, worker.trust)


@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_of_the_attestation_is_noticed(worker, place, bit):
    body = worker.body()
    document_ = bytearray(base64.b64decode(body["attestation"]["document"]))
    document_[place % len(document_)] ^= 1 << bit

    with pytest.raises(ReleaseUnverified):
        verify_release(worker.signed(body, attestation=enclosed(bytes(document_))), worker.trust)


@pytest.mark.parametrize(
    "other", [None, [], "x", 1, {}, {"kind": "release"}, {"body": None}, {"body": {"attestation": []}}]
)
def test_anything_else_is_not_a_release(worker, other):
    with pytest.raises(ReleaseUnverified):
        verify_release(other, worker.trust)


# --- a worker, or a service, that lies ------------------------------------------------------------------


def from_another_root(worker, folder):
    other = replace(worker, platform=AttestedWorker.on_new_platform(folder).platform)
    return other.signed(other.body())


def with_the_attestation_of_another_worker(worker, folder):
    other = replace(worker, keys=PartyKeys.generate("enclave"))
    return worker.signed(other.body())


def with_the_attestation_of_another_release(worker, folder):
    other = worker.attestation(worker.statement(query_id="qry-2222222222222222"))
    return worker.signed(worker.body(attestation=other))


def with_another_statement(worker, folder):
    body = worker.body()
    other = worker.statement(query_id="qry-2222222222222222")
    return worker.signed(body, statement=other.to_plain())


def in_debug_mode(worker, folder):
    debugged = replace(worker, measurement=Measurement.debug())
    return debugged.signed(debugged.body())


def with_another_measurement_in_words(worker, folder):
    return worker.signed(worker.body(), measurement="9" * 96)


def without_a_signing_key(worker, folder):
    statement = worker.statement()
    return worker.signed(worker.body(statement, worker.attestation(statement, public_key=b"\x01" * 32)))


def signed_by_a_party(worker, folder):
    return sign_document("release", worker.body(), PartyKeys.generate("acme"))


def made_outside_any_enclave(worker, folder):
    return worker.signed(unattested_body(worker.body()))


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        (from_another_root, "the root that was pinned on joining did not attest its worker"),
        (with_the_attestation_of_another_worker, "signature is not that of the attested worker"),
        (with_the_attestation_of_another_release, "attested for something else"),
        (with_another_statement, "attested for something else"),
        (in_debug_mode, "did not attest its worker"),
        (with_another_measurement_in_words, "attested for something else"),
        (without_a_signing_key, "signature is not that of the attested worker"),
        (signed_by_a_party, "signature is not that of the attested worker"),
        (made_outside_any_enclave, "lacks a part"),
    ],
)
def test_no_lie_about_where_it_was_made_passes(
    worker, tmp_path, lie: Callable[..., dict[str, Any]], told: str
):
    with pytest.raises(ReleaseUnverified, match=told):
        verify_release(lie(worker, tmp_path), worker.trust)


@pytest.mark.parametrize(
    "stated",
    [
        {"collaboration": "col-2222222222222222"},
        {"query_id": "qry-2222222222222222"},
        {"asker": "beta"},
        {"plan_digest": "0" * 64},
        {"mode": Mode.DP},
        {"reuse": True},
        {"epsilon": 1.0},
        {"delta": 1e-8},
    ],
    ids=lambda stated: next(iter(stated)),
)
def test_a_worker_that_was_attested_for_something_else_is_noticed(worker, stated):
    """The owners' brokers gave keys for the statement; the release must be what they gave them for."""
    other = worker.signed(worker.body(worker.statement(**stated)), earlier=None)

    with pytest.raises(ReleaseUnverified, match="another question, table, rule or price"):
        verify_release(other, worker.trust)


@pytest.mark.parametrize("part", ["dataset", "owner", "version", "policy_digest"])
def test_a_worker_that_was_attested_for_another_table_or_rule_is_noticed(worker, part):
    statement = worker.statement()
    (table,) = statement.tables
    other = replace(table, **{part: "0" * 64})
    nonces = {other.owner: b"\x07" * 32}

    with pytest.raises(ReleaseUnverified, match="another question, table, rule or price"):
        verify_release(
            worker.signed(worker.body(worker.statement(tables=(other,), nonces=nonces))), worker.trust
        )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": "mixroom-release/1"}, "another format"),
        ({"collaboration": "col-2222222222222222"}, "another collaboration"),
        ({"plan_digest": "0" * 64}, "digest of its plan"),
        ({"result_digest": "0" * 64}, "digest of its result"),
        ({"policies": []}, "other datasets than it names"),
        ({"datasets": []}, "other datasets than it names"),
        ({"plan": {}}, "lacks a part"),
        ({"charge": None}, "lacks a part"),
        ({"statement": {}}, "no statement"),
        ({"statement": None}, "no statement"),
        ({"history": None}, "lacks a part"),
    ],
)
def test_parts_that_do_not_fit_together_are_noticed_whoever_signed(worker, changes, told):
    with pytest.raises(ReleaseUnverified, match=told):
        verify_release(worker.signed(worker.body(), **changes), worker.trust)


def test_a_result_with_other_columns_than_the_plan_is_noticed(worker):
    result = {"columns": [{"name": "people", "type": "bigint"}], "rows": [[1]]}

    with pytest.raises(ReleaseUnverified, match="other columns"):
        verify_release(
            worker.signed(worker.body(), result=result, result_digest=digest_of(result)), worker.trust
        )


def test_a_release_of_another_collaboration_is_not_this_rooms(worker, tmp_path):
    other = replace(worker, collaboration="col-2222222222222222")

    with pytest.raises(ReleaseUnverified, match="another collaboration"):
        verify_release(other.signed(other.body()), worker.trust)


# --- other code -----------------------------------------------------------------------------------------


def test_code_that_nobody_here_knows_is_refused_with_what_to_do(worker):
    """It may be genuine and of another version: that is for the reader to find out, not for the file to say."""
    other = replace(worker, measurement=Measurement({0: b"\x44" * 48}))

    with pytest.raises(ReleaseUnverified, match="neither this installation's nor allowed") as refused:
        verify_release(other.signed(other.body()), worker.trust)

    assert "not genuine" not in str(refused.value)
    assert f"--allow {other.measurement.code}" in refused.value.hint


def test_code_that_is_allowed_is_named_as_such(worker):
    other = replace(worker, measurement=Measurement({0: b"\x44" * 48}))
    trust = replace(worker.trust, measurements={other.measurement.code: "one that you allow"})

    said = verify_release(other.signed(other.body()), trust)

    assert any("one that you allow" in line for line in said.proved)


# --- with the collaboration's record --------------------------------------------------------------------


@pytest.fixture(scope="module")
def acme(service, tmp_path_factory):
    home = service.founded(tmp_path_factory.mktemp("acme"))
    with RoomClient(home) as room:
        room.propose_rules(document())
        room.verify_record()
    return home


@pytest.fixture
def room_worker(worker, acme) -> AttestedWorker:
    """A worker that acme's broker gave keys."""
    return replace(worker, collaboration=acme.room.collaboration, owners={"acme": acme.keys})


def test_the_record_says_that_the_owner_gave_its_keys_and_signed_the_rules(room_worker, acme):
    said = verify_release(room_worker.signed(room_worker.body()), room_worker.trust, record=acme.record)

    assert "acme signed that its broker gave this worker its keys for this question" in said.proved
    assert "acme signed the rules of crm that were applied" in said.proved
    assert said.not_proved == NOT_PROVED_EMULATED


def without_approvals(worker, acme):
    return {}


def by_somebody_else(worker, acme):
    return {"acme": worker.approval("acme", worker.statement(), PartyKeys.generate("acme"))}


def for_another_question(worker, acme):
    other = worker.statement(query_id="qry-2222222222222222")
    return {"acme": worker.approval("acme", other, acme.keys)}


def for_another_worker(worker, acme):
    other = replace(worker, keys=PartyKeys.generate("enclave"))
    return {"acme": other.approval("acme", worker.statement(), acme.keys)}


def of_another_owner(worker, acme):
    return {"acme": worker.approval("beta", worker.statement(), acme.keys)}


def of_another_kind(worker, acme):
    approval = worker.approval("acme", worker.statement(), acme.keys)
    return {"acme": sign_document("proposal", approval["body"], acme.keys)}


@pytest.mark.parametrize(
    "approvals",
    [
        without_approvals,
        by_somebody_else,
        for_another_question,
        for_another_worker,
        of_another_owner,
        of_another_kind,
    ],
)
def test_a_genuine_worker_that_the_owner_gave_no_keys_made_no_release_of_its_table(
    room_worker, acme, approvals
):
    lie = room_worker.signed(room_worker.body(), approvals=approvals(room_worker, acme))

    with pytest.raises(ReleaseUnverified, match="acme did not give its keys to this worker"):
        verify_release(lie, room_worker.trust, record=acme.record)


def test_an_owner_that_never_signed_is_noticed(room_worker, acme):
    statement = room_worker.statement()
    (table,) = statement.tables
    other = room_worker.statement(tables=(replace(table, owner="beta"),), nonces={"beta": b"\x07" * 32})
    policies = [{**room_worker.body()["policies"][0], "owner": "beta"}]
    lie = room_worker.signed(room_worker.body(other), policies=policies)

    with pytest.raises(ReleaseUnverified, match="whose signature the record does not hold"):
        verify_release(lie, room_worker.trust, record=acme.record)


def test_rules_that_changed_later_are_told_apart(room_worker, acme):
    with RoomClient(acme) as room:
        room.propose_rules(document(min_group_size=60))
        room.verify_record()

    said = verify_release(room_worker.signed(room_worker.body()), room_worker.trust, record=acme.record)

    assert said.not_proved[0] == (
        "that acme signed the rules of crm that were applied: others are in force now, or this home's record is older"
    )
    assert not any("signed the rules of crm" in line for line in said.proved)


@pytest.fixture
def left_by_beta(service, worker, tmp_path):
    """A room that beta has left, its record, and a worker that beta's broker had given keys."""
    acme = service.founded(tmp_path)
    beta = service.joined(acme, "beta", OWNER)
    with RoomClient(beta) as room:
        room.propose_rules(document())
    with RoomClient(acme) as room:
        removal = room.propose(ProposalKind.REMOVAL, {"member": "beta"})
    with RoomClient(beta) as room:
        room.approve(removal.id)
    with RoomClient(acme) as room:
        room.verify_record()
    return replace(worker, collaboration=acme.room.collaboration, owners={"beta": beta.keys}), acme.record


def release_of_betas_table(worker, **changes):
    (table,) = worker.statement().tables
    statement = worker.statement(tables=(replace(table, owner="beta"),), nonces={"beta": b"\x07" * 32})
    policies = [{**worker.body()["policies"][0], "owner": "beta"}]
    return worker.signed(worker.body(statement), policies=policies, **changes)


def test_an_owner_that_left_since_had_signed_all_the_same(left_by_beta):
    of_beta, record = left_by_beta

    said = verify_release(release_of_betas_table(of_beta), of_beta.trust, record=record)

    assert "beta signed that its broker gave this worker its keys for this question" in said.proved
    assert said.not_proved == NOT_PROVED_EMULATED


def test_an_owner_that_left_is_not_signed_for_by_others(left_by_beta):
    of_beta, record = left_by_beta

    with pytest.raises(ReleaseUnverified, match="beta did not give its keys to this worker"):
        verify_release(release_of_betas_table(of_beta, approvals={}), of_beta.trust, record=record)
