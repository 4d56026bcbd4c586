"""Who must sign what, and that nothing takes effect without it."""

from __future__ import annotations

import pytest

from cleanroom.errors import Conflict, Forbidden, NotAuthorised, NotFound, ProposalInvalid, SignatureInvalid
from cleanroom.governance.proposal_text import ProposalKind, ProposalState
from cleanroom.governance.proposals import Draft
from cleanroom.governance.record import verify_record
from privacy.signed_document import sign_document
from tests.cleanroom.governance.example_room import ANALYST, NOON, ExampleRoom, rules

RULES, TEMPLATE = ProposalKind.RULES, ProposalKind.TEMPLATE
MEMBERSHIP, REMOVAL = ProposalKind.MEMBERSHIP, ProposalKind.REMOVAL


@pytest.fixture
def three(room: ExampleRoom) -> ExampleRoom:
    """Owners adv, bea and cyd with a dataset each; bea's joins nothing but adv's, cyd's nothing at all."""
    room.add("bea")
    room.add("cyd")
    room.put_rules("adv", "visits", joins=["crm"])
    room.put_rules("bea", "crm", joins=["visits"])
    room.put_rules("cyd", "shops", joins=[])
    return room


def test_a_founder_alone_is_in_force_at_once(room: ExampleRoom) -> None:
    proposal = room.propose("adv", MEMBERSHIP, {"member": "bea", "roles": ["owner"]})
    assert proposal.state is ProposalState.EFFECTIVE


def test_membership_waits_for_every_owner_and_no_analyst(three: ExampleRoom) -> None:
    three.add("dan", ANALYST)
    proposal = three.propose("bea", MEMBERSHIP, {"member": "eve", "roles": ["analyst"]})
    assert proposal.waiting_for == ("adv", "cyd")
    assert three.sign("adv", proposal).state is ProposalState.WAITING
    assert three.sign("cyd", proposal).state is ProposalState.EFFECTIVE
    with pytest.raises(Forbidden):
        three.propose("dan", MEMBERSHIP, {"member": "eve", "roles": ["owner"]})


def test_the_first_rules_of_a_dataset_need_only_their_owner(three: ExampleRoom) -> None:
    assert three.propose("adv", RULES, rules("clicks")).state is ProposalState.EFFECTIVE


def test_a_change_of_rules_needs_every_owner_whose_dataset_may_be_joined_with_it(three: ExampleRoom) -> None:
    changed = three.propose("adv", RULES, rules("visits", joins=["crm"], min_group_size=20))
    assert changed.waiting_for == ("bea",)
    # cyd's document names no join, but the new one of adv names every dataset
    opened = three.propose("adv", RULES, rules("visits", joins=["*"]))
    assert opened.waiting_for == ("bea", "cyd")
    # what was joined until now counts too, else a change could begin by cutting others off
    closed = three.propose("adv", RULES, rules("visits", joins=[]))
    assert closed.waiting_for == ("bea",)


def test_rules_in_force_are_the_ones_every_owner_signed(three: ExampleRoom) -> None:
    adv = three.principals["adv"]
    proposal = three.propose("adv", RULES, rules("visits", joins=["crm"], min_group_size=20))
    before = three.governance.datasets.view(adv, three.collaboration, "visits")
    assert before.rules.rule.min_group_size == 50
    three.sign("bea", proposal)
    after = three.governance.datasets.view(adv, three.collaboration, "visits")
    assert after.rules.rule.min_group_size == 20
    assert after.rules_proposal == proposal.id


def test_an_older_document_that_waited_does_not_undo_a_newer_one(three: ExampleRoom) -> None:
    loose = three.propose("adv", RULES, rules("visits", joins=["crm"], min_group_size=10))
    three.agree("adv", RULES, rules("visits", joins=["crm"], min_group_size=100))
    with pytest.raises(Conflict, match="superseded"):
        three.sign("bea", loose)


def test_nobody_writes_rules_for_anothers_dataset(three: ExampleRoom) -> None:
    with pytest.raises(Conflict, match="another owner's"):
        three.propose("bea", RULES, rules("visits"))
    three.add("dan", ANALYST)
    with pytest.raises(Forbidden):
        three.propose("dan", RULES, rules("mine"))


def test_a_template_needs_the_owners_of_all_its_datasets_and_no_other(three: ExampleRoom) -> None:
    three.add("dan", ANALYST)
    content = {"name": "overlap", "template": {"sql": "SELECT 1"}, "datasets": ["visits", "crm"]}
    proposal = three.propose("dan", TEMPLATE, content)
    assert proposal.waiting_for == ("adv", "bea")
    assert three.governance.proposals.templates(three.principals["dan"], three.collaboration) == ()
    three.sign("adv", proposal)
    three.sign("bea", proposal)
    (template,) = three.governance.proposals.templates(three.principals["dan"], three.collaboration)
    assert (template.name, template.template, template.datasets) == (
        "overlap",
        {"sql": "SELECT 1"},
        ("crm", "visits"),
    )
    with pytest.raises(NotFound):
        three.propose("dan", TEMPLATE, {**content, "datasets": ["nothing"]})


def test_a_signature_fits_one_collaboration_one_place_and_one_content(three: ExampleRoom) -> None:
    one, two = (
        three.propose("adv", MEMBERSHIP, {"member": name, "roles": ["analyst"]}) for name in ("eve", "fay")
    )
    proposals, bea = three.governance.proposals, three.principals["bea"]
    right = three.signature("bea", MEMBERSHIP, dict(one.content), one.sequence)
    wrong = {
        "another content": three.signature("bea", MEMBERSHIP, dict(two.content), one.sequence),
        "another place": three.signature("bea", MEMBERSHIP, dict(one.content), two.sequence),
        "another collaboration": sign_document(
            "proposal", {**right["body"], "collaboration": "col-" + "a" * 16}, three.keys["bea"]
        ),
        "another kind of document": sign_document("terms", right["body"], three.keys["bea"]),
        "another signer": three.signature("cyd", MEMBERSHIP, dict(one.content), one.sequence),
        "another signer's name": {**right, "signer": "cyd"},
        "no document": {},
    }
    for document in wrong.values():
        with pytest.raises(SignatureInvalid):
            proposals.sign(bea, three.collaboration, one.id, document, now=NOON)
    assert proposals.view(bea, three.collaboration, one.id).signed_by == ("adv",)
    proposals.sign(bea, three.collaboration, one.id, right, now=NOON)
    again = proposals.sign(bea, three.collaboration, one.id, right, now=NOON)
    assert again.waiting_for == ("cyd",)


def test_a_proposal_signed_for_a_place_that_is_taken_is_a_conflict(room: ExampleRoom) -> None:
    content = {"member": "bea", "roles": ["owner"]}
    document = room.signature("adv", MEMBERSHIP, content, 1)
    room.propose("adv", MEMBERSHIP, content)
    with pytest.raises(Conflict, match="number 2"):
        room.governance.proposals.propose(
            room.principals["adv"], Draft(room.collaboration, MEMBERSHIP, content, document), now=NOON
        )


def test_a_declined_proposal_stays_declined(three: ExampleRoom) -> None:
    proposal = three.propose("adv", MEMBERSHIP, {"member": "eve", "roles": ["analyst"]})
    declined = three.governance.proposals.decline(
        three.principals["bea"], three.collaboration, proposal.id, now=NOON
    )
    assert declined.state is ProposalState.DECLINED
    with pytest.raises(Conflict):
        three.sign("cyd", proposal)


def test_a_removed_member_has_no_key_no_dataset_and_no_name_any_more(three: ExampleRoom) -> None:
    proposal = three.propose("adv", REMOVAL, {"member": "cyd"})
    assert proposal.waiting_for == ("bea", "cyd")
    three.sign("bea", proposal)
    three.sign("cyd", proposal)
    with pytest.raises(NotAuthorised):
        three.governance.api_keys.authenticate(three.api_keys["cyd"], now=NOON)
    adv = three.principals["adv"]
    names = [dataset.name for dataset in three.governance.datasets.list(adv, three.collaboration)]
    assert names == ["crm", "visits"]
    with pytest.raises(Conflict):
        three.propose("adv", MEMBERSHIP, {"member": "cyd", "roles": ["owner"]})
    with pytest.raises(Conflict):
        three.propose("adv", RULES, rules("shops"))


def test_the_last_owner_stays(room: ExampleRoom) -> None:
    with pytest.raises(Conflict, match="at least one owner"):
        room.propose("adv", REMOVAL, {"member": "adv"})
    with pytest.raises(Conflict, match="at least one owner"):
        room.propose("adv", MEMBERSHIP, {"member": "adv", "roles": ["analyst"]})


def test_a_members_roles_change_with_every_owners_signature(three: ExampleRoom) -> None:
    three.add("dan", ANALYST)
    three.agree("adv", MEMBERSHIP, {"member": "dan", "roles": ["auditor"]})
    dan = three.governance.api_keys.authenticate(three.api_keys["dan"], now=NOON)
    assert dan.roles == {"auditor"}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (MEMBERSHIP, {"member": "Bea", "roles": ["owner"]}),
        (MEMBERSHIP, {"member": "service", "roles": ["owner"]}),
        (MEMBERSHIP, {"member": "bea", "roles": []}),
        (MEMBERSHIP, {"member": "bea", "roles": ["king"]}),
        (TEMPLATE, {"name": "x", "template": {}, "datasets": []}),
        (REMOVAL, {}),
        (REMOVAL, []),
    ],
)
def test_a_content_that_is_none_is_refused(room: ExampleRoom, kind: ProposalKind, content: dict) -> None:
    with pytest.raises(ProposalInvalid):
        room.propose("adv", kind, content)


def test_a_template_of_a_dataset_that_is_gone_can_only_be_declined(three: ExampleRoom) -> None:
    content = {"name": "overlap", "template": {"sql": "SELECT 1"}, "datasets": ["visits", "shops"]}
    proposal = three.propose("adv", TEMPLATE, content)
    three.agree("adv", REMOVAL, {"member": "cyd"})
    with pytest.raises(NotFound):
        three.sign("adv", proposal)
    (waiting,) = three.governance.proposals.list(
        three.principals["adv"], three.collaboration, state=ProposalState.WAITING
    )
    assert waiting.waiting_for == ()
    declined = three.governance.proposals.decline(
        three.principals["adv"], three.collaboration, proposal.id, now=NOON
    )
    assert declined.state is ProposalState.DECLINED


def test_a_template_is_replaced_only_with_those_who_signed_the_earlier_one(three: ExampleRoom) -> None:
    """Otherwise an owner could put another question under a name that the others trust."""
    agreed = {"name": "overlap", "template": {"sql": "SELECT 1"}, "datasets": ["visits", "crm"]}
    three.agree("adv", TEMPLATE, agreed)
    other = {"name": "overlap", "template": {"sql": "SELECT 2"}, "datasets": ["visits"]}
    proposal = three.propose("adv", TEMPLATE, other)
    assert len(proposal.waiting_for) == 1
    three.sign(proposal.waiting_for[0], proposal)
    (template,) = three.governance.proposals.templates(three.principals["adv"], three.collaboration)
    assert template.template == {"sql": "SELECT 2"}
    verify_record(three.governance.collaborations.record(three.principals["adv"], three.collaboration))
