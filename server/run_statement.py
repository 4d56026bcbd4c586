"""What a finished run states about itself: its model and its privacy."""

from mmm_models.federated_spec import LocalOptimizer
from mmm_models.planning.stored_basis import save_basis
from mmm_models.reporting.report_files import About, write_about, write_privacy
from mmm_models.reporting.report_input import PrivacyBox
from mmm_models.stored_model import StoredModel
from privacy.accountant import epsilon_of, epsilon_replace_one
from privacy.distributed_noise import events_with_honest
from privacy.run_terms import PrivacyMode, PrivacyTerms, SecureAggregation
from server.rounds import Finished
from server.run_attestations import KeptAttestation, newest_attestation
from server.run_store import RunStore
from server.settings import RunSettings

LEFT_SILO = (
    "Only sums over all silos: counts of units per octave, model changes, and the totals of this report."
)
LEFT_SILO_BY_WEEK = (
    "Only sums over all silos: counts of units per octave, of silos with data in each week, model changes and "
    "curvature, numbers of experiments, and the totals of this report, also by the weeks that all silos have."
)
SUMS_ARE_INSIDE = {
    SecureAggregation.MASKS: "pairwise masks, taken off in",
    SecureAggregation.NONE: "vectors sealed to and added up in",
}
SUMS_ARE = {
    SecureAggregation.MASKS: "pairwise masks; the coordinator sees sums only",
    SecureAggregation.PAILLIER: "Paillier encryption; coordinator and key holder see sums only, unless they collude",
    SecureAggregation.NONE: "none; the coordinator sees each silo's vector",
}
LEFT_SILO_SEALED = (
    "Each silo's own sums, sealed to an emulated enclave, which gives out sums over silos only."
)
NOT_COVERED_EMULATED = (
    "Whoever controls the coordinator's process or its account, or reads its folder or a backup of it, while the "
    "enclave is emulated: they hold its root and can attest anything. They need not be root on the machine."
)
NOT_COVERED_ALWAYS = (
    "A silo that lies about its own data.",
    "Who takes part, when, and the number of rounds.",
)


def write_statement(finished: Finished, settings: RunSettings, store: RunStore, *, seconds: float) -> None:
    """Write model.json, planning.json, privacy.json and about.json. The page itself is drawn where people read it."""
    agreed = finished.agreed
    StoredModel(agreed.plan.model, agreed.scales, finished.state.model, finished.covariance).save(
        store.directory
    )
    save_basis(finished.basis, store.directory)
    enclave = newest_attestation(store) if settings.enclave else None
    write_privacy(privacy_box(finished, settings, enclave), store.directory)
    write_about(_about(finished, settings, seconds), store.directory)


def privacy_box(
    finished: Finished, settings: RunSettings, enclave: KeptAttestation | None = None
) -> PrivacyBox:
    """The privacy statement of a run: every guarantee with its unit, neighbours and bound."""
    terms = finished.agreed.plan.privacy
    sums = _sums(settings, enclave)
    emulated = (NOT_COVERED_EMULATED,) if enclave is not None and enclave.is_emulated else ()
    never_covered = (*emulated, *NOT_COVERED_ALWAYS)
    if not terms.private:
        return PrivacyBox(
            mode="none",
            silos=finished.silos,
            secure_aggregation=sums,
            left_silo=(
                _left_silo(
                    settings,
                    enclave,
                    otherwise="Each silo's own sums, in clear, those of the report also week by week.",
                ),
            ),
            not_covered=(
                "What the sums themselves reveal about single units: there is no noise.",
                *never_covered,
            ),
        )
    cost = terms.plan.cost
    return PrivacyBox(
        mode="distributed" if settings.distributed else "local",
        silos=finished.silos,
        secure_aggregation=sums,
        unit="one unit's whole series (a store, geo or region)",
        neighbours="one unit added or removed",
        epsilon=cost.epsilon,
        delta=cost.delta,
        epsilon_replace_one=epsilon_replace_one(terms.events, cost.delta),
        accountant=f"{cost.accountant.value}, over all {settings.planned_rounds} rounds and released totals",
        noise=_noise(terms),
        noise_multiplier=terms.gradient_noise_multiplier,
        clip_norm=finished.state.clip_norm,
        colluding=_by_colluding(terms),
        left_silo=(_left_silo(settings, enclave, otherwise="Each silo's own sums, noised."),),
        not_covered=(
            "People behind a unit: the promise is per unit, not per customer.",
            *_not_covered(terms, settings),
            *never_covered,
        ),
    )


def _left_silo(settings: RunSettings, enclave: KeptAttestation | None, *, otherwise: str) -> str:
    sums_only = LEFT_SILO if settings.private else LEFT_SILO_BY_WEEK
    if settings.secure_aggregation is not SecureAggregation.NONE:
        return sums_only
    if enclave is None:
        return otherwise
    return LEFT_SILO_SEALED if enclave.is_emulated else sums_only


def _sums(settings: RunSettings, enclave: KeptAttestation | None) -> str:
    if enclave is None:
        return SUMS_ARE[settings.secure_aggregation]
    kind = "an emulated enclave" if enclave.is_emulated else "an enclave"
    return (
        f"{SUMS_ARE_INSIDE[settings.secure_aggregation]} {kind} that every silo checked; sums only "
        f"leave it (measurement {enclave.measurement[:16]}…, root {enclave.root_fingerprint})"
    )


def _noise(terms: PrivacyTerms) -> str:
    if terms.mode is PrivacyMode.DISTRIBUTED:
        shares = terms.shares
        return (
            f"discrete Gaussian, shared out among the silos: enough with {shares.survivors} silos in a sum, "
            f"{shares.colluding} of them colluding with the coordinator"
        )
    return "Gaussian, added in full in each silo from a cryptographic generator before anything leaves it"


def _not_covered(terms: PrivacyTerms, settings: RunSettings) -> tuple[str, ...]:
    if terms.mode is PrivacyMode.DISTRIBUTED:
        return (
            "More colluding silos than planned for: epsilon grows as stated, and without an honest silo nothing holds.",
            "A silo that adds no noise; it counts as a colluding one.",
        )
    if settings.local.optimizer is LocalOptimizer.NONE:
        return ()
    return (
        "Gaps between floating-point numbers in the gradients' noise (rounded to fixed point afterwards).",
    )


def _by_colluding(terms: PrivacyTerms) -> tuple[tuple[int, float], ...]:
    """Epsilon for none, the planned number and one more of colluding silos; only where noise is shared."""
    if terms.mode is not PrivacyMode.DISTRIBUTED:
        return ()
    shares, delta = terms.shares, terms.delta
    numbers = sorted({0, shares.colluding, min(shares.colluding + 1, shares.survivors - 1)})
    events = (events_with_honest(terms.events, shares, shares.survivors - number) for number in numbers)
    return tuple((n, epsilon_of(found, delta)) for n, found in zip(numbers, events, strict=True))


def _about(finished: Finished, settings: RunSettings, seconds: float) -> About:
    silos = f"{finished.silos} silos trained one model in {finished.state.round} rounds ({seconds:.0f} s)"
    pairs = (
        ("strategy", settings.chosen_strategy.value),
        ("rounds", str(finished.state.round)),
        ("local steps per round", str(settings.local.steps)),
        ("held-out weeks", str(settings.holdout_weeks)),
        ("seed", str(settings.seed)),
    )
    notes: tuple[str, ...] = ()
    if finished.agreed.plan.privacy.private:
        notes = (
            "Totals carry noise; curves are the shared response at steady typical media.",
            f"The clip norm followed the {settings.clip_quantile:.0%} quantile of gradient norms, at a charged cost; "
            "its start and every other setting come from simulated worlds; nothing was tuned on these data.",
        )
    return About("Marketing mix across silos", silos, pairs, notes)
