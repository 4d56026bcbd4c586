"""How much noise the numbers of a release carry, from the rules that its owners signed. No data anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cleanroom.governance.record import verify_record
from cleanroom.query.plan import Plan
from cleanroom.release.dp_budget import expected_noise
from cleanroom.release.release_terms import MeasureFunction
from cleanroom.rules.analysis_rule import Mode, RuleDocument
from cleanroom.rules.rule_check import Question, Verdict, check
from privacy.canonical_json import digest_of
from simulations.errors import LiftReleaseNoiseUnknown


@dataclass(frozen=True)
class CountNoise:
    """Standard deviation of the noise in a number of people, and in a sum; 0 in threshold mode."""

    count_sd: float = 0.0
    sum_sd: float = 0.0


def count_noise(body: Mapping[str, Any], record: object) -> CountNoise:
    """Of the noisiest count and sum of the release; `record` holds the rules its noise follows from.

    Raises LiftReleaseNoiseUnknown when those are not the rules that were applied.
    """
    if body["protection"]["mode"] != Mode.DP:
        return CountNoise()
    catalog = _rules_applied(body, record)
    plan = Plan.model_validate(body["plan"])
    question = Question(plan, body["asked_by"], from_template=True, epsilon=body["protection"]["epsilon"])
    verdict = check(question, catalog)
    if not verdict.allowed:
        raise _unknown()
    return CountNoise(_largest(verdict, MeasureFunction.COUNT_PEOPLE), _largest(verdict, MeasureFunction.SUM))


def _largest(verdict: Verdict, function: MeasureFunction) -> float:
    found = [
        noise.standard_deviation
        for terms in verdict.releases
        for cells in expected_noise(terms)
        for measure, noise in zip(terms.measures, cells.measures, strict=True)
        if measure.function is function
    ]
    return max(found, default=0.0)


def _rules_applied(body: Mapping[str, Any], record: object) -> dict[str, RuleDocument]:
    if record is None:
        raise _unknown()
    rules = verify_record(record).rules
    catalog = {}
    for policy in body["policies"]:
        owned = rules.get(policy["dataset"])
        if owned is None or digest_of(owned.document.canonical()) != policy["digest"]:
            raise _unknown()
        catalog[policy["dataset"]] = owned.document
    return catalog


def _unknown() -> LiftReleaseNoiseUnknown:
    return LiftReleaseNoiseUnknown(
        "the release's numbers carry noise, and this home does not know the rules that say how much",
        hint="run `mixroom room audit --verify` with its home; if the rules have changed since, ask for it anew",
    )
