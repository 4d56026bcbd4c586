"""Joining a run: who the silo says it is, what it agrees to, and the charge before any data are read."""

import json

from clients.errors import TermsRefused
from clients.session import Session
from clients.silo_home import SiloHome
from mmm_models.federated_spec import FederatedModel
from mmm_models.intake.silo_spec import SiloSpec
from privacy.key_agreement import join_roster, offer_key
from privacy.mask_state import KeyOffer
from privacy.run_terms import PrivacyMode, SecureAggregation
from privacy.secure_aggregation import KeyAdvert
from privacy.wire import Introduction, Invitation, KeyRosterMessage

CHARGE_PURPOSE = "federated training"


def introduce(spec: SiloSpec, home: SiloHome) -> Introduction:
    """What the silo's own file declares; no data are read."""
    channels = {name: {"kind": "paid", "unit": item.exposure_unit} for name, item in spec.channels.items()}
    organic = {name: {"kind": "organic", "unit": item.exposure_unit} for name, item in spec.organic.items()}
    schema = {
        "channels": {**channels, **organic},
        "population": bool(spec.columns.population),
        "currency": spec.currency,
        "outcome_unit": spec.columns.outcome_unit,
        "minimum_mode": spec.privacy.minimum_mode,
        "min_silos": spec.privacy.min_silos,
    }
    return Introduction(spec.silo, home.identity.public_key, json.dumps(schema))


def consider(spec: SiloSpec, home: SiloHome, invitation: Invitation) -> tuple[Session, KeyAdvert | None]:
    """Agree to a run, or raise TermsRefused / BudgetExhausted. Nothing is charged yet, no data are read."""
    privacy = invitation.privacy
    if spec.privacy.minimum_mode == PrivacyMode.LOCAL.value and not privacy.private:
        raise TermsRefused(
            f"{spec.silo} trains with differential privacy only; the run has none",
            hint=f"run with --privacy local, or leave {spec.silo} out",
        )
    if spec.privacy.secure_aggregation == "required" and invitation.masking is SecureAggregation.NONE:
        raise TermsRefused(
            f"{spec.silo} sends masked sums only; the run has none",
            hint=f"run with --secure-aggregation masks, or leave {spec.silo} out",
        )
    FederatedModel.model_validate_json(invitation.model).require_known(tuple(spec.all_channels))
    if privacy.private:
        home.ledger.require_affordable(invitation.run_id, CHARGE_PURPOSE, privacy.events)
    if invitation.masking is SecureAggregation.NONE:
        return Session(invitation), None
    offer = offer_key(home.identity, invitation.run_id, min_silos=max(spec.privacy.min_silos, 3))
    return Session(invitation, masking=offer.to_bytes()), offer.advert


def start(home: SiloHome, session: Session, message: KeyRosterMessage) -> Session:
    """Check the roster by this silo's own pins and rules, then charge the whole run to its ledger."""
    invitation = session.invitation
    masking = session.masking
    if invitation.masking is SecureAggregation.MASKS:
        masking = join_roster(KeyOffer.from_bytes(masking), message.roster(), home.peers).to_bytes()
    if invitation.privacy.private:
        home.agree_once(invitation.run_id, invitation.digest)
        home.ledger.charge(invitation.run_id, CHARGE_PURPOSE, invitation.privacy.events)
    return Session(invitation, masking=masking, started=True)
