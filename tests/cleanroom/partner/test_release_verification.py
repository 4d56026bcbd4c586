"""A release is verified offline: whatever is changed, taken elsewhere or signed by somebody else is not genuine."""

import copy

import pytest

from cleanroom.errors import ReleaseUnverified
from cleanroom.partner.release_verification import NOT_PROVED, verify_release
from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.room_questions import QuestionText
from privacy.canonical_json import digest_of
from privacy.party_keys import PartyKeys
from privacy.signed_document import sign_document
from tests.cleanroom.service.small_tables import document, uploaded

SQL = "SELECT region, COUNT(DISTINCT person) AS people FROM crm GROUP BY region"
WORKER = PartyKeys.generate("worker")


@pytest.fixture(scope="module")
def acme(service, tmp_path_factory):
    folder = tmp_path_factory.mktemp("acme")
    home = service.founded(folder)
    uploaded(folder, home)
    return home


@pytest.fixture(scope="module")
def genuine(acme):
    with RoomClient(acme) as room:
        room.verify_record()
        return room.questions.ask(QuestionText(SQL)).release


@pytest.fixture
def release(genuine):
    return copy.deepcopy(genuine)


def verified(acme, release, **changes):
    arguments = {"collaboration": acme.room.collaboration, **changes}
    return verify_release(release, arguments.pop("worker", acme.room.worker_keys), **arguments)


def test_a_genuine_release_says_what_it_proves_and_what_not(acme, release):
    said = verified(acme, release)

    assert any(acme.room.worker_keys.fingerprint in line for line in said.proved)
    assert said.not_proved == NOT_PROVED


@pytest.mark.parametrize("part", ["kind", "signer", "signature", "public_key"])
def test_a_changed_frame_is_not_genuine(acme, release, part):
    release[part] = ("B" if release[part][0] == "A" else "A") + release[part][1:]

    with pytest.raises(ReleaseUnverified, match="signature"):
        verified(acme, release)


@pytest.mark.parametrize(
    "part",
    ["result", "plan", "query_id", "charge", "policies", "datasets", "protection", "notice", "issued_on"],
)
def test_a_changed_part_is_not_genuine(acme, release, part):
    release["body"][part] = "changed"

    with pytest.raises(ReleaseUnverified, match="signature"):
        verified(acme, release)


def signed_by_a_worker(release, **changes):
    """As a worker would sign it that does not do its work."""
    return sign_document("release", {**release["body"], **changes}, WORKER)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": "other"}, "another format"),
        ({"collaboration": "col-2222222222222222"}, "another collaboration"),
        ({"plan_digest": "0" * 64}, "digest of its plan"),
        ({"result_digest": "0" * 64}, "digest of its result"),
        ({"policies": []}, "other datasets than it names"),
        ({"datasets": []}, "other datasets than it names"),
        ({"plan": {}}, "lacks a part"),
        ({"charge": None}, "lacks a part"),
    ],
)
def test_parts_that_do_not_fit_together_are_noticed_whoever_signed(acme, release, changes, told):
    with pytest.raises(ReleaseUnverified, match=told):
        verified(acme, signed_by_a_worker(release, **changes), worker=WORKER.public)


def test_a_result_with_other_columns_than_the_plan_is_noticed(acme, release):
    result = {"columns": [{"name": "people", "type": "bigint"}], "rows": [[1]]}
    changed = signed_by_a_worker(release, result=result, result_digest=digest_of(result))

    with pytest.raises(ReleaseUnverified, match="other columns"):
        verified(acme, changed, worker=WORKER.public)


@pytest.mark.parametrize("document_", [None, [], "x", {}, {"kind": "release"}])
def test_anything_else_is_not_a_release(acme, document_):
    with pytest.raises(ReleaseUnverified):
        verified(acme, document_)


def test_an_owner_that_never_signed_is_noticed(acme, release):
    policies = [{**release["body"]["policies"][0], "owner": "beta"}]

    with pytest.raises(ReleaseUnverified, match="whose signature the record does not hold"):
        verified(
            acme, signed_by_a_worker(release, policies=policies), worker=WORKER.public, record=acme.record
        )


def test_rules_that_changed_later_are_told_apart(acme, release):
    with RoomClient(acme) as room:
        room.propose_rules(document(min_group_size=60))
        room.verify_record()

    assert "the rules of crm have changed since" in verified(acme, release, record=acme.record).proved
