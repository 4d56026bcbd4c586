"""A party's client: everything its home lets it do in its room, as typed results.

Signatures are made here, over what this machine read and checked; tables are sealed here; releases and logs are
verified here, under the keys that were pinned on joining.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from cleanroom.broker.broker_home import BrokerHome
from cleanroom.errors import Conflict, Forbidden, NotFound
from cleanroom.governance.audit_chain import VerifiedLog, verify_log
from cleanroom.governance.principal import MemberRole
from cleanroom.governance.proposal_text import ProposalKind, ProposalState, proposal_body
from cleanroom.governance.record import PROPOSAL
from cleanroom.governance.room_state import RoomState
from cleanroom.governance.secret_text import Secret
from cleanroom.partner.invitation_text import Invitation
from cleanroom.partner.joining import key_by_signature
from cleanroom.partner.party_home import PartyHome, identity_text
from cleanroom.partner.room_link import RoomLink
from cleanroom.partner.room_questions import RoomQuestions
from cleanroom.partner.room_record import RoomRecord
from cleanroom.partner.table_upload import Progress, UploadedTable, say_nothing, upload_table
from cleanroom.rules.analysis_rule import RuleDocument
from cleanroom.service.audit_bodies import AuditBody, AuditExportBody
from cleanroom.service.collaboration_bodies import CollaborationBody, InvitationIssuedBody
from cleanroom.service.dataset_bodies import DatasetBody, DatasetsBody, DestroyedBody, VersionsBody
from cleanroom.service.key_bodies import KeyIssuedBody, KeysBody
from cleanroom.service.proposal_bodies import ProposalBody, ProposalsBody
from cleanroom.service.template_check import datasets_in
from privacy.signed_document import sign_document

_SIGNING_TRIES = 5


@dataclass(frozen=True)
class Invited:
    """What became of an invitation: its text, or the proposal that other owners must sign first."""

    proposal: str
    waiting_for: tuple[str, ...]
    text: Secret | None


class RoomClient:
    """`with RoomClient(PartyHome(folder)) as room: ...`"""

    def __init__(self, home: PartyHome) -> None:
        """Raises HomeUnusable. Nothing is sent yet."""
        self.home = home
        self.room = home.room
        self.link = RoomLink(self.room.url, home.api_key, insecure=True)  # the URL was allowed on joining
        self.questions = RoomQuestions(self.link, self.room.collaboration)
        self._record = RoomRecord(self.link, home)
        self._here = f"/v1/collaborations/{self.room.collaboration}"

    def __enter__(self) -> RoomClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.link.close()

    def collaboration(self) -> CollaborationBody:
        """The collaboration and its members."""
        return self.link.get(self._here, CollaborationBody)

    def verify_record(self) -> RoomState:
        """Members and rules as the signed documents prove them; kept in the home, and obeyed by its broker from now on.

        Raises SignatureInvalid; ServiceUntrusted when they are not those of the room that was joined, or older than
        they were.
        """
        return self._record.verified().state

    def proposals(self, state: ProposalState | None = None) -> ProposalsBody:
        """All proposals, or those in one state. Raises ServiceUntrusted when one is said to be in force and is not."""
        chosen = {} if state is None else {"state": str(state)}
        found = self.link.get(f"{self._here}/proposals", ProposalsBody, **chosen)
        self._record.require_listed(found)
        return found

    def proposal(self, proposal: str) -> ProposalBody:
        """One proposal with its whole text."""
        return self.link.get(f"{self._here}/proposals/{proposal}", ProposalBody)

    def propose(self, kind: ProposalKind, content: Mapping[str, Any]) -> ProposalBody:
        """Sign and propose; signed anew when another proposal came in between.

        What is in force at once, the home's broker obeys from now on. Raises ServiceUntrusted when it is only said so.
        """
        for _ in range(_SIGNING_TRIES - 1):
            try:
                return self._propose(kind, content)
            except Conflict as error:
                if error.code != Conflict.code:
                    raise
        return self._propose(kind, content)

    def approve(self, proposal: str) -> ProposalBody:
        """Sign another member's proposal, over the text as this machine reads it; otherwise like `propose`."""
        view = self.proposal(proposal)
        document = self._signed(view.kind, view.content, view.sequence)
        signed = self.link.post(f"{self._here}/proposals/{proposal}/signatures", ProposalBody, document)
        self._record.require_signed(signed, view.kind, view.content, document["body"])
        return signed

    def decline(self, proposal: str) -> ProposalBody:
        """End a proposal for good."""
        return self.link.post(f"{self._here}/proposals/{proposal}/decline", ProposalBody)

    def invite(self, member: str, roles: frozenset[MemberRole], *, fingerprint: str = "") -> Invited:
        """Propose a member, or take up an earlier proposal; with the invitation once every owner has signed."""
        content = {"member": member, "roles": sorted(roles), "fingerprint": fingerprint}
        proposal = self._membership(content) or self.propose(ProposalKind.MEMBERSHIP, content)
        if proposal.state is not ProposalState.EFFECTIVE:
            return Invited(proposal.id, tuple(proposal.waiting_for), None)
        self._record.require_agreed(member, roles)
        issued = self.link.post(f"{self._here}/invitations", InvitationIssuedBody, {"proposal": proposal.id})
        return Invited(proposal.id, (), Secret(self._invitation(issued.code, roles).text()))

    def propose_rules(self, document: RuleDocument) -> ProposalBody:
        """Sign the document of an own dataset."""
        return self.propose(ProposalKind.RULES, {"document": document.canonical()})

    def propose_template(self, name: str, template: Mapping[str, Any]) -> ProposalBody:
        """Propose a query with parameters; every owner of a dataset in it must sign."""
        known = frozenset(item.name for item in self.datasets().datasets)
        datasets = datasets_in(str(template.get("sql", "")), known)
        content = {"name": name, "template": dict(template), "datasets": list(datasets)}
        return self.propose(ProposalKind.TEMPLATE, content)

    def datasets(self) -> DatasetsBody:
        """All datasets with their rules in force."""
        return self.link.get(f"{self._here}/datasets", DatasetsBody)

    def dataset(self, name: str) -> DatasetBody:
        """One dataset."""
        return self.link.get(f"{self._here}/datasets/{name}", DatasetBody)

    def upload(self, source: Path, dataset: str, *, progress: Progress = say_nothing) -> UploadedTable:
        """Check, seal and send a table of hashed people, under the rules that the owner is proved to have signed."""
        document = self._own_rules(dataset)
        return upload_table(self.link, self.home, document, source, progress=progress)

    def versions(self, dataset: str) -> VersionsBody:
        """All uploads of a dataset."""
        return self.link.get(f"{self._here}/datasets/{dataset}/versions", VersionsBody)

    def destroy(self, dataset: str, version: str) -> DestroyedBody:
        """Destroy the key of an upload of an own dataset, here first, then end the upload in the room.

        From then on its sealed file opens nowhere, also when the service does not answer. Without the key at hand,
        as on another machine than the one that uploaded, only the service is told.
        """
        with suppress(NotFound):
            BrokerHome(self.home.broker).destroy_key(
                version, now=datetime.now(UTC), why="its owner deleted it"
            )
        return self.link.delete(f"{self._here}/datasets/{dataset}/versions/{version}", DestroyedBody)

    def has_had_key(self, version: str) -> bool:
        """Whether the key of an upload is, or was before it was destroyed, in this home."""
        keys = BrokerHome(self.home.broker).keys
        held = {one.version for one in keys.all_held()}
        return version in held or any(one.version == version for one in keys.destroyed())

    def audit(self, *, after: int = 0, limit: int = 500) -> AuditBody:
        """Entries that the caller may read."""
        return self.link.get(f"{self._here}/audit", AuditBody, after=after, limit=limit)

    def verify_audit(self) -> VerifiedLog:
        """The whole log, verified under the pinned key of the service and from where it ended the last time.

        Raises LogBroken.
        """
        export = self.link.get(f"{self._here}/audit/export", AuditExportBody)
        keys, known = self.room.service_keys, self.home.audit_head
        verified = verify_log(export.lines, export.checkpoints, keys.signing, known_head=known)
        self.home.keep_audit_head(verified.head)
        return verified

    def keys(self) -> KeysBody:
        """The party's API keys, without their secrets."""
        return self.link.get("/v1/keys", KeysBody)

    def rotate_key(self, *, days: int = 90) -> KeyIssuedBody:
        """Another API key from now on; the old one ends at once."""
        issued = self.link.post("/v1/keys/rotate", KeyIssuedBody, {"days": days})
        self.home.replace_api_key(Secret(issued.key))
        return issued

    def recover_key(self, *, end_others: bool) -> None:
        """Another API key for a lost, stolen or expired one, by the party's signature."""
        self.home.replace_api_key(key_by_signature(self.home, self.room, self.link, end_others=end_others))

    def _propose(self, kind: ProposalKind, content: Mapping[str, Any]) -> ProposalBody:
        document = self._signed(kind, content, self.collaboration().next_sequence)
        asked = {"kind": str(kind), "content": dict(content), "document": document}
        proposed = self.link.post(f"{self._here}/proposals", ProposalBody, asked)
        self._record.require_signed(proposed, kind, content, document["body"])
        return proposed

    def _signed(self, kind: ProposalKind, content: Mapping[str, Any], sequence: int) -> dict[str, Any]:
        body = proposal_body(self.room.collaboration, kind, content, sequence)
        return sign_document(PROPOSAL, body, self.home.keys)

    def _own_rules(self, dataset: str) -> RuleDocument:
        """Not as the service tells them: looser rules would be sealed for. Raises NotFound, Forbidden."""
        owned = self.verify_record().rules.get(dataset)
        if owned is None or owned.closed:
            raise NotFound(
                f"dataset {dataset:.40} has no rules in this room; nothing was sealed",
                hint="sign its rules first: mixroom room rules FILE",
            )
        if owned.owner != self.room.member:
            raise Forbidden(
                f"dataset {dataset} is {owned.owner}'s; nothing was sealed",
                hint="upload to a dataset of your own",
            )
        return owned.document

    def _membership(self, content: Mapping[str, Any]) -> ProposalBody | None:
        """An own proposal of the same membership that waits, or is in force and not yet accepted."""
        joined = {member.name for member in self.collaboration().members}
        for proposal in reversed(self.proposals().proposals):
            alive = proposal.state in (ProposalState.WAITING, ProposalState.EFFECTIVE)
            same = proposal.kind is ProposalKind.MEMBERSHIP and dict(proposal.content) == dict(content)
            if alive and same and proposal.proposer == self.room.member and content["member"] not in joined:
                return ProposalBody(**proposal.model_dump())
        return None

    def _invitation(self, code: str, roles: frozenset[MemberRole]) -> Invitation:
        for_owner = MemberRole.OWNER in roles  # as this party proposed it, whatever the service says
        return Invitation(
            url=self.room.url,
            collaboration=self.room.collaboration,
            code=code,
            inviter=self.room.member,
            inviter_fingerprint=self.home.keys.public.fingerprint,
            terms_digest=self.room.terms_digest,
            service_keys=self.room.service_keys,
            root_fingerprint=self.room.root_fingerprint,
            identity_key=identity_text(self.home.identity_key) if for_owner else "",
        )


def ready_version(dataset: DatasetBody) -> str:
    """The id of the version that queries read. Raises NotFound."""
    if dataset.current is None:
        raise NotFound(f"dataset {dataset.name} has no table", hint="upload one")
    return dataset.current.id
