"""Everything the service governs, on one database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cleanroom.governance.api_keys import ApiKeys
from cleanroom.governance.audit_log import AuditLog
from cleanroom.governance.collaborations import Collaborations
from cleanroom.governance.datasets import Datasets
from cleanroom.governance.idempotency import Idempotency
from cleanroom.governance.invitations import Invitations
from cleanroom.governance.key_requests import KeyRequests
from cleanroom.governance.ledger import Ledger
from cleanroom.governance.pepper import Pepper
from cleanroom.governance.proposals import Proposals
from cleanroom.governance.queries import Queries
from cleanroom.governance.retention import Retention
from cleanroom.governance.state_cover import StateCover
from cleanroom.governance.store import Store
from privacy.party_keys import PartyKeys


@dataclass(frozen=True)
class Governance:
    """One object for the routes to call."""

    store: Store
    audit: AuditLog
    api_keys: ApiKeys
    key_requests: KeyRequests
    collaborations: Collaborations
    invitations: Invitations
    proposals: Proposals
    datasets: Datasets
    retention: Retention
    ledger: Ledger
    queries: Queries
    idempotency: Idempotency

    @classmethod
    def of(
        cls, store: Store, *, pepper: Pepper, service_keys: PartyKeys, checkpoint_every: int = 100
    ) -> Governance:
        """All parts. `service_keys` sign the audit logs' checkpoints."""
        audit = AuditLog(store, service_keys, checkpoint_every=checkpoint_every)
        return cls(
            store=store,
            audit=audit,
            api_keys=ApiKeys(store, pepper, audit),
            key_requests=KeyRequests(store, pepper, audit),
            collaborations=Collaborations(store, pepper, audit),
            invitations=Invitations(store, pepper, audit),
            proposals=Proposals(store, audit),
            datasets=Datasets(store, audit),
            retention=Retention(store, audit),
            ledger=Ledger(store),
            queries=Queries(store, audit, StateCover.of(pepper)),
            idempotency=Idempotency(store),
        )

    def recover(self, *, now: datetime) -> tuple[str, ...]:
        """On start, before the first request: fail what a dead process left. Gives the failed queries' ids."""
        self.idempotency.release_all()
        return self.queries.recover(now=now)
