"""Joining a run: who the silo says it is, what it agrees to, and the charge before any data are read."""

import json
from dataclasses import replace

from clients.errors import TermsRefused
from clients.own_experiments import require_used
from clients.session import Session
from clients.silo_home import SiloHome
from mmm_models.federated_spec import FederatedModel
from mmm_models.intake.silo_spec import SiloSpec
from privacy.masks.key_agreement import join_roster, offer_key
from privacy.masks.mask_state import KeyOffer, SiloMaskState
from privacy.masks.opened_sums import fewest_honest_in_a_sum
from privacy.masks.secure_aggregation import MINIMUM_ROSTER, KeyAdvert
from privacy.paillier.keys import ModulusRule
from privacy.paillier.silo import USUAL_RULE, join_held_roster
from privacy.run_terms import PrivacyMode, PrivacyTerms, SecureAggregation
from privacy.wire import Introduction, Invitation, KeyRosterMessage

CHARGE_PURPOSE, CHARGED_MODEL = "federated training", "marketing mix model"


def introduce(spec: SiloSpec, home: SiloHome) -> Introduction:
    """What the silo's own file declares; no data are read."""
    channels = {name: {"kind": "paid", "unit": item.exposure_unit} for name, item in spec.channels.items()}
    organic = {name: {"kind": "organic", "unit": item.exposure_unit} for name, item in spec.organic.items()}
    schema = {
        "channels": {**channels, **organic},
        "population": bool(spec.columns.population),
        "experiments": spec.lifts_path is not None,
        "frequency": any(bool(item.frequency) for item in spec.all_channels.values()),
        "currency": spec.currency,
        "outcome_unit": spec.columns.outcome_unit,
        "minimum_mode": spec.privacy.minimum_mode,
        "min_silos": spec.privacy.min_silos,
    }
    return Introduction(spec.silo, home.identity.public_key, json.dumps(schema))


def consider(spec: SiloSpec, home: SiloHome, invitation: Invitation) -> tuple[Session, KeyAdvert | None]:
    """Agree to a run, or raise TermsRefused / BudgetExhausted. Nothing is charged yet, no data are read."""
    privacy = invitation.privacy
    _require_own_rules(spec, invitation)
    model = FederatedModel.model_validate_json(invitation.model)
    model.require_known(tuple(spec.all_channels))
    require_used(spec, model, privacy)
    if privacy.private:
        home.ledger.require_affordable(invitation.run_id, CHARGE_PURPOSE, privacy.events)
    # With an enclave no sum is answered twice, so a resumed run does not begin with the scales again.
    units = home.kept_units(invitation.run_id) if invitation.enclave else 0.0
    if invitation.masking is SecureAggregation.NONE:
        return Session(invitation, units=units), None
    offer = offer_key(home.identity, invitation.run_id, min_silos=smallest_sum(spec, privacy))
    return Session(invitation, masking=offer.to_bytes(), units=units), offer.advert


def smallest_sum(spec: SiloSpec, privacy: PrivacyTerms) -> int:
    """The fewest silos in a sum that this one is part of.

    In distributed mode no sum of fewer silos holds the noise that was charged.
    """
    return max(spec.privacy.min_silos, MINIMUM_ROSTER, privacy.survivors)


def start(
    home: SiloHome, session: Session, message: KeyRosterMessage, *, modulus: ModulusRule = USUAL_RULE
) -> Session:
    """Check the roster by this silo's own pins and rules, then charge the whole run to its ledger."""
    invitation = session.invitation
    masking = session.masking
    if invitation.enclave:
        session.trusted_enclave.require_roster(message.roster().digest if message.silos else b"")
    if invitation.masking is SecureAggregation.MASKS:
        state = join_roster(KeyOffer.from_bytes(masking), message.roster(), home.peers)
        _require_enough_noise(state, invitation.privacy)
        masking = state.to_bytes()
    if invitation.masking is SecureAggregation.PAILLIER:
        offer, held = KeyOffer.from_bytes(masking), message.held_roster()
        masking = join_held_roster(offer, held, home.peers, rule=modulus).to_bytes()
    if invitation.privacy.private:
        home.agree_once(invitation.run_id, invitation.digest)
        privacy = invitation.privacy
        home.ledger.charge(
            invitation.run_id,
            CHARGE_PURPOSE,
            privacy.events,
            mode=privacy.mode.value,
            model=CHARGED_MODEL,
        )
    return replace(session, masking=masking, started=True)


def _require_enough_noise(state: SiloMaskState, privacy: PrivacyTerms) -> None:
    """Shared noise must suffice in every sum that even a lying coordinator could open. Raises TermsRefused."""
    if privacy.mode is not PrivacyMode.DISTRIBUTED:
        return
    fewest = fewest_honest_in_a_sum(
        len(state.silos), state.threshold, min_silos=state.min_silos, colluding=privacy.colluding
    )
    if fewest < privacy.shares.honest:
        raise TermsRefused(
            f"with a threshold of {state.threshold} a lying coordinator could open a sum with the noise of {fewest} "
            f"honest silos; the run counts on {privacy.shares.honest}",
            hint="raise the threshold, or plan for fewer dropouts or fewer colluding silos",
        )


def _require_own_rules(spec: SiloSpec, invitation: Invitation) -> None:
    """What the silo's own file insists on. Raises TermsRefused."""
    privacy, rules, masking = invitation.privacy, spec.privacy, invitation.masking
    distributed = privacy.mode is PrivacyMode.DISTRIBUTED
    if not privacy.private and rules.minimum_mode != PrivacyMode.NONE.value:
        raise TermsRefused(
            f"{spec.silo} trains with differential privacy only; the run has none",
            hint=f"run with --privacy {rules.minimum_mode}, or leave {spec.silo} out",
        )
    if distributed and rules.minimum_mode == PrivacyMode.LOCAL.value:
        raise TermsRefused(
            f"{spec.silo} adds all of its noise itself; the run shares it out among the silos",
            hint=f"run with --privacy local, or leave {spec.silo} out",
        )
    if distributed and privacy.colluding < rules.min_colluding:
        raise TermsRefused(
            f"{spec.silo} asks for noise that stands up to {rules.min_colluding} colluding silos; "
            f"the run plans for {privacy.colluding}",
            hint=f"run with --set colluding={rules.min_colluding}, or leave {spec.silo} out",
        )
    if not invitation.enclave and rules.enclave == "required":
        raise TermsRefused(
            f"{spec.silo} sends what an attested enclave alone can open; the run has none",
            hint=f"run with --enclave, or leave {spec.silo} out",
        )
    if masking is SecureAggregation.NONE and (distributed or rules.secure_aggregation == "required"):
        raise TermsRefused(
            f"{spec.silo} sends masked or encrypted vectors only; the run has neither",
            hint=f"run with --secure-aggregation masks, or leave {spec.silo} out",
        )
