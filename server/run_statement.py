"""What a finished run states about itself: its model and its privacy."""

from mmm_models.reporting.report_files import About, write_about, write_privacy
from mmm_models.reporting.report_input import PrivacyBox
from mmm_models.stored_model import StoredModel
from privacy.accountant import epsilon_replace_one
from privacy.run_terms import Release, SecureAggregation
from server.rounds import Finished
from server.run_store import RunStore
from server.settings import RunSettings

LEFT_SILO = (
    "Only sums over all silos: counts of units per octave, model changes, and the totals of this report."
)
NOT_COVERED_ALWAYS = (
    "A silo that lies about its own data.",
    "Who takes part, when, and the number of rounds.",
)


def write_statement(finished: Finished, settings: RunSettings, store: RunStore, *, seconds: float) -> None:
    """Write model.json, privacy.json and about.json. The page itself is drawn where people read it."""
    agreed = finished.agreed
    StoredModel(agreed.plan.model, agreed.scales, finished.state.model).save(store.directory)
    write_privacy(privacy_box(finished, settings), store.directory)
    write_about(_about(finished, settings, seconds), store.directory)


def privacy_box(finished: Finished, settings: RunSettings) -> PrivacyBox:
    """The privacy statement of a run: every guarantee with its unit, neighbours and bound."""
    terms = finished.agreed.plan.privacy
    masked = settings.secure_aggregation is SecureAggregation.MASKS
    sums = (
        "pairwise masks; the coordinator sees sums only"
        if masked
        else "none; the coordinator sees each silo's vector"
    )
    if not terms.private:
        return PrivacyBox(
            mode="none",
            silos=finished.silos,
            secure_aggregation=sums,
            left_silo=(LEFT_SILO,) if masked else ("Each silo's own sums, in clear.",),
            not_covered=(
                "What the sums themselves reveal about single units: there is no noise.",
                *NOT_COVERED_ALWAYS,
            ),
        )
    cost = terms.plan.cost
    return PrivacyBox(
        mode="local",
        silos=finished.silos,
        secure_aggregation=sums,
        unit="one unit's whole series (a store, geo or region)",
        neighbours="one unit added or removed",
        epsilon=cost.epsilon,
        delta=cost.delta,
        epsilon_replace_one=epsilon_replace_one(terms.events, cost.delta),
        accountant=f"{cost.accountant.value}, over all {settings.planned_rounds} rounds and released totals",
        noise="Gaussian, added in each silo from a cryptographic generator before anything leaves it",
        noise_multiplier=terms.noise_multiplier(Release.GRADIENT),
        clip_norm=finished.state.clip_norm,
        left_silo=(LEFT_SILO,),
        not_covered=(
            "People behind a unit: the promise is per unit, not per customer.",
            "Rounding of floating-point noise (values are fixed-point rounded after noising).",
            *NOT_COVERED_ALWAYS,
        ),
    )


def _about(finished: Finished, settings: RunSettings, seconds: float) -> About:
    silos = f"{finished.silos} silos trained one model in {finished.state.round} rounds ({seconds:.0f} s)"
    pairs = (
        ("strategy", settings.strategy.value),
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
            "no other setting was tuned on these data.",
        )
    return About("Marketing mix across silos", silos, pairs, notes)
