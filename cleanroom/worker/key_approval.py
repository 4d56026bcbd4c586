"""An owner's signed word that it gave one worker keys for one statement. It travels in the grant, into the release.

Anybody can seal a grant for a worker's public key: a service that was taken over could run a worker on tables, keys
and cells of its own making. What it cannot make is the owners' signature over this worker's attested key, which
whoever verifies the release finds in it, and compares with the keys in the collaboration's record.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from cleanroom.worker.key_exchange import Grant, grant_refused
from privacy.errors import PrivacyError
from privacy.party_keys import PublicKeys
from privacy.signed_document import open_document

APPROVAL_KIND = "key approval"


def approval_body(owner: str, statement: bytes, worker: bytes) -> dict[str, str]:
    """What an owner signs. `statement`: `Statement.digest()`. `worker`: the attested public key, 64 bytes."""
    return {"owner": owner, "statement": statement.hex(), "worker": worker.hex()}


def require_approved(document: object, *, body: Mapping[str, Any], public_key: bytes) -> None:
    """Raises SignatureRefused or KeyRefused unless the owner of the Ed25519 key signed exactly this body."""
    if open_document(document, kind=APPROVAL_KIND, public_key=public_key) != dict(body):
        raise grant_refused()


def approvals_in(
    grants: Mapping[str, Grant], statement: bytes, worker: PublicKeys
) -> dict[str, Mapping[str, Any]]:
    """owner -> its approval, as a release names them.

    A worker knows no owner's key, so it only sees that each says what it should under the key that it names. Raises
    KeyRefused.
    """
    approvals = {}
    for owner, grant in grants.items():
        body = approval_body(owner, statement, worker.sealing + worker.signing)
        try:
            named = base64.b64decode(grant.approval["public_key"], validate=True)
            require_approved(grant.approval, body=body, public_key=named)
        except (PrivacyError, KeyError, ValueError, TypeError) as error:
            raise grant_refused() from error
        approvals[owner] = grant.approval
    return approvals
