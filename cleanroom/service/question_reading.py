"""A question as it is understood: text to plan to the verdict of the rules. Nothing is charged here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cleanroom.errors import NotFound, Reason
from cleanroom.governance.governance import Governance
from cleanroom.governance.principal import Principal
from cleanroom.query.plan import Plan
from cleanroom.query.reader import refused
from cleanroom.query.refusal import Reasons
from cleanroom.release.dp_budget import expected_noise
from cleanroom.rules.analysis_rule import Mode
from cleanroom.rules.rule_check import Question, Verdict, check
from cleanroom.service.read_plans import PlanText, ReadPlans
from cleanroom.worker.job import JobTemplate
from privacy.canonical_json import digest_of
from privacy.errors import InvalidSetting


@dataclass(frozen=True)
class Ask:
    """SQL, or the name of an approved template, with values for its parameters. epsilon 0: the rules' usual."""

    sql: str = ""
    template: str = ""
    parameters: Mapping[str, str | int | float] = field(default_factory=dict)
    epsilon: float = 0.0


@dataclass(frozen=True)
class ReadQuestion:
    """Its text, its plan, the verdict of the rules, and the template that it came from, if from one."""

    text: str
    plan: Plan
    verdict: Verdict
    template: JobTemplate | None


class QuestionReader:
    """Reads questions of members under the rules in force."""

    def __init__(self, governance: Governance) -> None:
        self._room = governance
        self._plans = ReadPlans()

    def read(self, principal: Principal, collaboration: str, ask: Ask) -> ReadQuestion:
        """Raises QueryRefused with every reason; NotFound for a template that is none."""
        text = self._text(principal, collaboration, ask)
        views = self._room.datasets.list(principal, collaboration)
        catalog = {view.name: view.rules for view in views if not view.closed}
        rules = digest_of({view.name: view.rules_digest for view in views if not view.closed})
        plan = self._plans.get(PlanText(text, tuple(sorted(ask.parameters.items())), rules), catalog)
        question = Question(plan, principal.member, bool(ask.template), ask.epsilon)
        verdict = check(question, catalog)
        if verdict.reasons:
            raise refused(Reasons(verdict.reasons))
        _require_possible_noise(verdict)
        template = JobTemplate(ask.template, text, dict(ask.parameters)) if ask.template else None
        return ReadQuestion(text, plan, verdict, template)

    def _text(self, principal: Principal, collaboration: str, ask: Ask) -> str:
        if bool(ask.sql.strip()) == bool(ask.template):
            reason = Reason("question", "give either SQL or the name of a template", "give one of them")
            raise refused(Reasons([reason]))
        if not ask.template:
            return ask.sql
        for template in self._room.proposals.templates(principal, collaboration):
            if template.name == ask.template:
                return str(template.template["sql"])
        raise NotFound(
            "there is no approved template of that name", hint="`mixroom room templates` lists them"
        )


def _require_possible_noise(verdict: Verdict) -> None:
    """Refuse, before anything is charged, what no mechanism can noise within its epsilon and delta."""
    if verdict.mode is not Mode.DP:
        return
    try:
        for terms in verdict.releases:
            expected_noise(terms)
    except InvalidSetting as error:
        reason = Reason(
            "noise", "epsilon and delta are too small for so many numbers", "ask for fewer at once"
        )
        raise refused(Reasons([reason])) from error
