"""A plan under the rules of every owner it touches: may it be asked, and on what terms would it be released?

Pure: the service asks before charging, the worker asks again before opening a table, a dry run asks for nothing.
The strictest of all involved owners holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cleanroom.errors import Reason
from cleanroom.query.plan import Plan, datasets_of
from cleanroom.query.plan_limits import require_bounded
from cleanroom.query.refusal import Reasons, Refused
from cleanroom.query.relation_schema import schema_of
from cleanroom.query.schema import Catalog
from cleanroom.release.release_terms import ReleaseTerms
from cleanroom.rules.allowed_parts import check_release
from cleanroom.rules.analysis_rule import ANY, Mode, Rule
from cleanroom.rules.release_protection import Protection, release_terms


@dataclass(frozen=True)
class Question:
    """A plan, who asks it, whether it comes from an approved template, and the epsilon wished for (0: usual)."""

    plan: Plan
    asker: str
    from_template: bool = False
    epsilon: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """Whether a question may be asked, and how each of its releases would be protected."""

    reasons: tuple[Reason, ...]
    mode: Mode = Mode.THRESHOLD
    min_group_size: int = 0
    datasets: tuple[str, ...] = ()
    releases: tuple[ReleaseTerms, ...] = ()
    epsilon: float = 0.0
    delta: float = 0.0

    @property
    def allowed(self) -> bool:
        """Whether there is no reason against it."""
        return not self.reasons


def check(question: Question, catalog: Catalog) -> Verdict:
    """The verdict on a question. Never raises; whatever is wrong is a reason."""
    reasons = Reasons()
    plan = question.plan
    try:
        require_bounded(plan)
    except Refused as error:
        return Verdict((error.reason,))
    datasets = datasets_of(plan)
    if any(name not in catalog for name in datasets):
        unknown = Reason("unknown_table", "the plan reads something that is no dataset here", "ask anew")
        return Verdict((unknown,))
    rules = [catalog[name].rule for name in datasets]
    _check_asker(question, rules, reasons)
    mode = Mode.DP if any(rule.privacy is Mode.DP for rule in rules) else Mode.THRESHOLD
    if mode is Mode.DP:
        _check_noise(catalog, datasets, reasons)
    epsilon, delta = _price(question, rules, mode, reasons)
    share = 1 / len(plan.releases)
    terms = []
    for release in plan.releases:
        try:
            schema = schema_of(release.source, catalog)
            involved = [catalog[name].rule for name in sorted(set(schema.scans.values()))]
            protection = Protection(catalog, involved, mode, epsilon * share, delta * share)
            check_release(release, schema, catalog, reasons)
            terms.append(release_terms(release, schema, protection))
        except Refused as error:
            reasons.add(error.reason)
    return Verdict(
        reasons.found,
        mode,
        max(rule.min_group_size for rule in rules),
        datasets,
        tuple(terms),
        epsilon,
        delta,
    )


def _check_asker(question: Question, rules: Sequence[Rule], reasons: Reasons) -> None:
    if any(ANY not in rule.receivers and question.asker not in rule.receivers for rule in rules):
        reasons.add(
            Reason(
                "receiver",
                "an owner does not let you receive results",
                "ask the owner to list you in receivers",
            )
        )
    if not question.from_template and any(rule.query == "templates" for rule in rules):
        reasons.add(
            Reason(
                "templates_only",
                "an owner allows approved templates only",
                "`mixroom room templates` lists them; propose a new one",
            )
        )


def _check_noise(catalog: Catalog, datasets: Sequence[str], reasons: Reasons) -> None:
    """Noise takes the place of thresholds, so every owner must have agreed to it and said what it may cost."""
    for name in datasets:
        if not catalog[name].rule.allows_noise:
            reasons.add(
                Reason(
                    "noise_not_allowed",
                    f"{name} may not be part of a noised question",
                    "ask its owner to add [rule.dp] to its rules, or leave out the dataset with noise",
                )
            )


def _price(question: Question, rules: Sequence[Rule], mode: Mode, reasons: Reasons) -> tuple[float, float]:
    """Epsilon and delta of the whole question; zero in threshold mode."""
    if mode is Mode.THRESHOLD:
        if question.epsilon:
            reasons.add(Reason("epsilon", "no owner asks for noise, so epsilon buys nothing", "leave it out"))
        return 0.0, 0.0
    terms = [rule.dp_terms for rule in rules]
    most = min(dp.epsilon_per_query for dp in terms)
    if not 0 <= question.epsilon <= most:
        reasons.add(
            Reason("epsilon", f"epsilon lies outside what one query may spend, {most:g}", "ask for less")
        )
    return min(question.epsilon or most, most), min(dp.delta_per_query for dp in terms)
