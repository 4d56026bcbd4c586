"""A room to test with: a clock's moment, parties with keys, and the steps by which they come together."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cleanroom.governance.dataset_views import CompletedUpload, NewVersion, VersionView
from cleanroom.governance.governance import Governance
from cleanroom.governance.ledger import Cost
from cleanroom.governance.pepper import Pepper
from cleanroom.governance.principal import MemberRole, Principal
from cleanroom.governance.proposal_text import ProposalKind, proposal_body
from cleanroom.governance.proposals import Draft, ProposalView
from cleanroom.governance.query_views import NewQuery
from cleanroom.governance.room_ids import new_query_id, new_version_id
from cleanroom.governance.store import open_store
from cleanroom.governance.terms import IdentityTerms, Terms, acceptance_body, new_collaboration_id
from cleanroom.rules.analysis_rule import Mode, RuleDocument
from privacy.party_keys import PartyKeys
from privacy.signed_document import sign_document

COMMITMENT = "c0" * 32
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)  # a Thursday
PEPPER = Pepper(bytes(range(32)))
OWNER = frozenset({MemberRole.OWNER})
ANALYST = frozenset({MemberRole.ANALYST})
AUDITOR = frozenset({MemberRole.AUDITOR})


@dataclass
class ExampleRoom:
    """A collaboration that `adv` founded, and its parties as they join."""

    governance: Governance
    service_keys: PartyKeys
    collaboration: str = ""
    keys: dict[str, PartyKeys] = field(default_factory=dict)
    principals: dict[str, Principal] = field(default_factory=dict)
    api_keys: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, url: str, *, checkpoint_every: int = 100) -> ExampleRoom:
        """Only the service: nobody is in it."""
        keys = PartyKeys.generate("service")
        store = open_store(url)
        governance = Governance.of(store, pepper=PEPPER, service_keys=keys, checkpoint_every=checkpoint_every)
        return cls(governance, keys)

    @classmethod
    def founded(cls, url: str, **options: Any) -> ExampleRoom:
        """With its founder `adv`."""
        room = cls.open(url, **options)
        operator = room.operator()
        room.keys["adv"] = PartyKeys.generate("adv")
        terms = room.terms()
        room.collaboration = terms.collaboration
        joined = room.governance.collaborations.found(
            operator, sign_document("terms", terms.body(), room.keys["adv"]), now=NOON
        )
        room._remember("adv", joined.api_key.key.reveal())
        return room

    def operator(self) -> Principal:
        """With a key of its own."""
        key = self.governance.api_keys.create_operator(now=NOON).key.reveal()
        return self.governance.api_keys.authenticate(key, now=NOON)

    def terms(self) -> Terms:
        """New terms of `adv`."""
        return Terms(
            collaboration=new_collaboration_id(),
            name="Autumn campaign",
            founder="adv",
            roles=OWNER,
            keys=self.keys["adv"].public,
            identity=IdentityTerms("email", "uid2", "1a2b3c4d"),
        )

    def add(self, name: str, roles: frozenset[MemberRole] = OWNER) -> Principal:
        """`adv` proposes, every owner signs, the party accepts."""
        proposal = self.agree("adv", ProposalKind.MEMBERSHIP, {"member": name, "roles": sorted(roles)})
        invitation = self.governance.invitations.issue(
            self.principals["adv"], self.collaboration, proposal.id, now=NOON
        )
        self.keys[name] = PartyKeys.generate(name)
        document = self.acceptance(name, roles, invitation.code.reveal())
        joined = self.governance.invitations.accept(invitation.code.reveal(), document, now=NOON)
        return self._remember(name, joined.api_key.key.reveal())

    def acceptance(self, name: str, roles: frozenset[MemberRole], code: str) -> dict[str, Any]:
        """The party's signed acceptance of what the code's preview shows."""
        preview = self.governance.invitations.preview(code, now=NOON)
        keys = self.keys[name]
        body = acceptance_body(
            preview.terms_digest, preview.collaboration, member=name, roles=roles, keys=keys.public
        )
        return sign_document("acceptance", body, keys)

    def propose(self, name: str, kind: ProposalKind, content: dict[str, Any]) -> ProposalView:
        """Signed by its proposer only."""
        place = self.governance.collaborations.view(self.principals[name], self.collaboration).next_sequence
        document = self.signature(name, kind, content, place)
        draft = Draft(self.collaboration, kind, content, document)
        return self.governance.proposals.propose(self.principals[name], draft, now=NOON)

    def sign(self, name: str, proposal: ProposalView) -> ProposalView:
        """One more signature."""
        document = self.signature(name, proposal.kind, dict(proposal.content), proposal.sequence)
        return self.governance.proposals.sign(
            self.principals[name], self.collaboration, proposal.id, document, now=NOON
        )

    def agree(self, name: str, kind: ProposalKind, content: dict[str, Any]) -> ProposalView:
        """Signed by everybody it waits for."""
        proposal = self.propose(name, kind, content)
        for waiting in proposal.waiting_for:
            proposal = self.sign(waiting, proposal)
        return proposal

    def signature(
        self, name: str, kind: ProposalKind, content: dict[str, Any], sequence: int
    ) -> dict[str, Any]:
        """A member's signed document on a proposal."""
        body = proposal_body(self.collaboration, kind, content, sequence)
        return sign_document("proposal", body, self.keys[name])

    def put_rules(self, owner: str, dataset: str, **rule: Any) -> ProposalView:
        """Rules for a dataset, signed by everybody they need."""
        return self.agree(owner, ProposalKind.RULES, rules(dataset, **rule))

    def query(self, *datasets: str, member: str = "adv", mode: Mode = Mode.DP, **changes: Any) -> NewQuery:
        """A query on the datasets; epsilon 1 in dp mode, 0 in threshold mode."""
        query_id = new_query_id()
        epsilon = changes.pop("epsilon", 1.0 if mode is Mode.DP else 0.0)
        cost = Cost(self.collaboration, datasets, epsilon, 1e-8 if epsilon else 0.0)
        return NewQuery(
            id=query_id,
            member=member,
            question="SELECT COUNT(*) FROM visits",
            plan_digest=changes.pop("plan_digest", f"plan of {query_id}"),
            basis_digest=self.governance.queries.basis(cost),
            mode=mode,
            cost=cost,
            **changes,
        )

    def _remember(self, name: str, key: str) -> Principal:
        self.api_keys[name] = key
        self.principals[name] = self.governance.api_keys.authenticate(key, now=NOON)
        return self.principals[name]


def upload(room: ExampleRoom, owner: str, dataset: str, now: datetime = NOON) -> VersionView:
    """A version that is ready and current."""
    datasets, principal = room.governance.datasets, room.principals[owner]
    version = new_version_id()
    datasets.begin_upload(principal, NewVersion(room.collaboration, dataset, version), now=now)
    completed = CompletedUpload(
        room.collaboration, version, {"version": version}, f"vault/{version}", COMMITMENT
    )
    return datasets.complete_upload(principal, completed, now=now)


def rules(dataset: str, **rule: Any) -> dict[str, Any]:
    """The content of a proposal of rules; `dp` and every other setting of the rule can be given."""
    columns = {"person": {"role": "identity"}, "channel": {"role": "dimension"}}
    document = RuleDocument.of({"dataset": dataset, "columns": columns, "rule": rule})
    return {"document": document.canonical()}


def later(**span: float) -> datetime:
    """So long after noon."""
    return NOON + timedelta(**span)
