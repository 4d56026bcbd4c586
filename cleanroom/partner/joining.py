"""How a party gets into a room: it founds one, or accepts an invitation to one."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cleanroom.errors import (
    Conflict,
    HomeUnusable,
    InvitationInvalid,
    NotAuthorised,
    ServiceUntrusted,
    SignatureInvalid,
)
from cleanroom.governance.key_requests import KEY_REQUEST, key_request_body
from cleanroom.governance.party_signatures import open_self_signed
from cleanroom.governance.principal import MemberRole
from cleanroom.governance.record import ACCEPTANCE, TERMS
from cleanroom.governance.room_ids import require_member_name
from cleanroom.governance.secret_text import Secret
from cleanroom.governance.terms import IdentityTerms, Terms, acceptance_body, new_collaboration_id
from cleanroom.partner.invitation_text import Invitation
from cleanroom.partner.party_home import PartyHome, PinnedRoom, read_identity_key
from cleanroom.partner.room_link import RoomLink
from cleanroom.service.audit_bodies import ServiceBody
from cleanroom.service.collaboration_bodies import InvitationPreviewBody, JoinedBody
from cleanroom.service.key_bodies import KeyIssuedBody
from privacy.identifiers import IdentifierKind, IdentifierRule, IdentityKey
from privacy.identity import fingerprint
from privacy.party_keys import PartyKeys, PublicKeys
from privacy.signed_document import sign_document


@dataclass(frozen=True)
class Founding:
    """A collaboration to be founded. People are recognised by `kind` of identifier, spelt by `rule`."""

    name: str
    party: str
    url: str
    kind: IdentifierKind
    rule: IdentifierRule
    roles: frozenset[MemberRole] = frozenset({MemberRole.OWNER})
    insecure: bool = False


@dataclass(frozen=True)
class ShownService:
    """A service's public keys, and the root certificate (DER) under which its workers are attested."""

    service_keys: PublicKeys
    enclave_root: bytes


def found(home: PartyHome, founding: Founding, code: Secret) -> PinnedRoom:
    """Found a collaboration. What the service shows as its keys and its enclave's root is pinned from now on."""
    home.require_new()
    keys = home.ensure_keys(require_member_name(founding.party))
    if (before := _joined_before(home, founding.url, insecure=founding.insecure)) is not None:
        return before
    identity_key = IdentityKey.generate(founding.kind, founding.rule)
    terms = Terms(
        collaboration=new_collaboration_id(),
        name=founding.name,
        founder=founding.party,
        roles=founding.roles,
        keys=keys.public,
        identity=IdentityTerms(founding.kind, founding.rule, identity_key.tag),
    )
    with RoomLink(founding.url, code, insecure=founding.insecure) as link:
        room = _room(terms, founding.party, link.url, shown_service(link))
        home.prepare(room, identity_key)
        document = sign_document(TERMS, terms.body(), keys)
        try:
            return _join(home, link, "/v1/collaborations", document)
        except NotAuthorised as error:
            raise NotAuthorised(
                "the founding code is wrong, used up or expired; nothing was founded",
                hint="ask the service's operator for a new one",
            ) from error


def accept(home: PartyHome, invitation: Invitation, *, insecure: bool = False) -> PinnedRoom:
    """Join. Raises InvitationInvalid or ServiceUntrusted unless service, root and terms are the inviter's."""
    home.require_new()
    if (before := _joined_before(home, invitation.url, insecure=insecure)) is not None:
        _require_same_room(before, invitation)
        return before
    with RoomLink(invitation.url, insecure=insecure) as link:
        service = shown_service(link)
        shown = (service.service_keys, fingerprint(service.enclave_root))
        if shown != (invitation.service_keys, invitation.root_fingerprint):
            raise ServiceUntrusted(
                "the service shows other keys or another root than the invitation names; nothing was joined",
                hint=f"ask {invitation.inviter:.40} over another channel",
            )
        preview = _preview(link, invitation)
        terms = _terms(preview, invitation)
        identity_key = _identity_key(invitation, preview, terms)
        keys = home.ensure_keys(preview.member)
        home.prepare(_room(terms, preview.member, link.url, service), identity_key)
        body = {"code": invitation.code, "document": _acceptance(preview, terms, keys)}
        return _join(home, link, "/v1/invitations/accept", body)


def key_by_signature(
    home: PartyHome, room: PinnedRoom, link: RoomLink, *, end_others: bool = False
) -> Secret:
    """A new API key for who holds a member's signing key. Raises SignatureInvalid for who is no member."""
    body = key_request_body(room.collaboration, room.member, end_others=end_others, now=datetime.now(UTC))
    document = sign_document(KEY_REQUEST, body, home.keys)
    return Secret(link.post("/v1/keys/by-signature", KeyIssuedBody, document).key)


def shown_service(link: RoomLink) -> ShownService:
    """What the service shows now. Raises ServiceUntrusted when its root is no base64, and IdentityUnusable."""
    service = link.get("/v1/service", ServiceBody)
    try:
        root = base64.b64decode(service.enclave.root, validate=True)
    except ValueError as error:
        raise ServiceUntrusted(
            "the service shows no root of its enclave; nothing was joined", hint="check the URL"
        ) from error
    return ShownService(PublicKeys.of(service.service_keys), root)


def _preview(link: RoomLink, invitation: Invitation) -> InvitationPreviewBody:
    try:
        return link.post("/v1/invitations/preview", InvitationPreviewBody, {"code": invitation.code})
    except NotAuthorised as error:
        raise NotAuthorised(
            "the invitation is used up, replaced by a newer one, revoked or expired; nothing was joined",
            hint=f"ask {invitation.inviter:.40} for a new one; if you joined with it before, use that --home",
        ) from error


def _room(terms: Terms, member: str, url: str, service: ShownService) -> PinnedRoom:
    return PinnedRoom(
        url=url,
        collaboration=terms.collaboration,
        member=member,
        identity=terms.identity,
        terms_digest=terms.digest,
        service_keys=service.service_keys,
        enclave_root=service.enclave_root,
    )


def _join(home: PartyHome, link: RoomLink, path: str, body: dict[str, Any]) -> PinnedRoom:
    """Send what joins. When its answer was lost and the second try is refused, the party may be in all the same."""
    try:
        key = Secret(link.post(path, JoinedBody, body).api_key)
    except (NotAuthorised, Conflict) as refused:
        found_in = _joined_before(home, link.url, insecure=True)
        if found_in is None:
            raise refused
        return found_in
    return home.enter(key)


def _joined_before(home: PartyHome, url: str, *, insecure: bool) -> PinnedRoom | None:
    """The room of an earlier attempt, entered now, if that attempt got the party in and only its answer was lost."""
    prepared = home.prepared
    if prepared is None or prepared.url != url.rstrip("/"):
        return None
    with RoomLink(prepared.url, insecure=insecure) as link:
        try:
            return home.enter(key_by_signature(home, prepared, link))
        except SignatureInvalid:  # it did not
            return None


def _terms(preview: InvitationPreviewBody, invitation: Invitation) -> Terms:
    try:
        terms = Terms.of(open_self_signed(preview.terms_document, kind=TERMS))
    except SignatureInvalid as error:
        raise _other_terms(invitation) from error
    if (terms.collaboration, terms.digest) != (invitation.collaboration, invitation.terms_digest):
        raise _other_terms(invitation)
    return terms


def _identity_key(invitation: Invitation, preview: InvitationPreviewBody, terms: Terms) -> IdentityKey | None:
    if MemberRole.OWNER not in preview.roles:
        return None
    try:
        return read_identity_key(invitation.identity_key, terms.identity)
    except ValueError as error:
        raise InvitationInvalid(
            "the invitation holds no identity key that fits the terms; nothing was joined",
            hint=f"ask {invitation.inviter:.40} for a new invitation",
        ) from error


def _acceptance(preview: InvitationPreviewBody, terms: Terms, keys: PartyKeys) -> dict[str, Any]:
    body = acceptance_body(
        terms.digest,
        terms.collaboration,
        member=preview.member,
        roles=frozenset(preview.roles),
        keys=keys.public,
    )
    return sign_document(ACCEPTANCE, body, keys)


def _require_same_room(room: PinnedRoom, invitation: Invitation) -> None:
    if room.collaboration != invitation.collaboration:
        raise HomeUnusable(
            "this home had accepted an earlier invitation, and only its answer was lost; it is in that room now",
            hint="use another --home for this invitation",
        )


def _other_terms(invitation: Invitation) -> InvitationInvalid:
    return InvitationInvalid(
        "the service shows other terms than the invitation names; nothing was joined",
        hint=f"ask {invitation.inviter:.40} over another channel",
    )
