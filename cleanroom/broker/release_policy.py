"""Whether an owner's keys are released for a statement: every reason against it, from values alone.

The statement says what a worker is about to do. Its code is allowed and does what it says, so what remains is whether
the owner wants that done: these tables, by this asker, under these rules, at this price, now. What the worker cannot
know is decided here: which rules the members signed, what the owner spent before, what it deleted or paused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from cleanroom.broker.charge_book import Charge, ChargeBook
from cleanroom.broker.held_keys import HeldKey
from cleanroom.errors import Reason
from cleanroom.governance.budget_windows import micro_budget, plain
from cleanroom.governance.principal import MemberRole
from cleanroom.governance.room_state import OwnedRules, RoomState
from cleanroom.rules.analysis_rule import ANY, Mode, Rule
from cleanroom.worker.statement import StatedTable, Statement
from privacy.canonical_json import digest_of

ALL = "*"


@dataclass(frozen=True)
class BrokerFacts:
    """What the owner `member` knows. held: by version, without destroyed ones."""

    member: str
    collaboration: str
    room: RoomState
    held: Mapping[str, HeldKey]
    book: ChargeBook
    now: datetime


def reasons_against(statement: Statement, user_data: bytes, facts: BrokerFacts) -> tuple[Reason, ...]:
    """Empty when the keys may be released. `user_data`: what the attestation vouches for."""
    if statement.digest() != user_data:
        return (Reason("statement", "the statement is not the one that was attested"),)
    if statement.collaboration != facts.collaboration or facts.room.collaboration != facts.collaboration:
        return (Reason("collaboration", "the statement is of another collaboration"),)
    rules, reasons = _rules_in_force(statement, facts.room)
    if reasons:
        return reasons
    return (
        *_asker(statement, facts.room),
        *_mode(statement, rules),
        *_template(statement, facts, rules),
        *_own_tables(statement, facts, rules),
    )


def _rules_in_force(
    statement: Statement, room: RoomState
) -> tuple[dict[str, OwnedRules], tuple[Reason, ...]]:
    """The rules of every stated table, if the members signed for exactly what the statement says of it."""
    rules, reasons = {}, []
    for table in statement.tables:
        owned = room.rules.get(table.dataset)
        if owned is None or owned.closed:
            reasons.append(Reason("dataset", f"{table.dataset:.40} is no open dataset of this collaboration"))
        elif owned.owner != table.owner or table.owner not in room.owners:
            reasons.append(Reason("owner", f"{table.dataset:.40} is not owned by {table.owner:.40}"))
        elif digest_of(owned.document.canonical()) != table.policy_digest:
            reasons.append(Reason("policy", f"the rules of {table.dataset:.40} are not those in force"))
        else:
            rules[table.dataset] = owned
    return rules, tuple(reasons)


def _asker(statement: Statement, room: RoomState) -> Iterator[Reason]:
    standing = room.members.get(statement.asker)
    if standing is None or standing.roles.isdisjoint({MemberRole.ANALYST, MemberRole.OWNER}):
        yield Reason("asker", f"{statement.asker:.40} is no member who may ask")


def _mode(statement: Statement, rules: Mapping[str, OwnedRules]) -> Iterator[Reason]:
    modes = {owned.document.rule.privacy for owned in rules.values()}
    mode = Mode.DP if Mode.DP in modes else Mode.THRESHOLD
    if statement.mode is not mode:
        yield Reason("mode", f"under these rules the mode is {mode}, and {statement.mode} was stated")
    if statement.mode is Mode.THRESHOLD and (statement.reuse or statement.epsilon or statement.delta):
        yield Reason("charge", "without noise nothing is charged and nothing presented anew")
    if statement.mode is Mode.DP and not statement.reuse and not statement.epsilon > 0:
        yield Reason("charge", "noise that costs nothing protects nothing")


def _template(statement: Statement, facts: BrokerFacts, rules: Mapping[str, OwnedRules]) -> Iterator[Reason]:
    if statement.template is None:
        for table in _own(statement, facts):
            if rules[table.dataset].document.rule.query == "templates":
                yield Reason("template", f"{table.dataset} answers approved templates only")
        return
    approved = facts.room.template_datasets(statement.template)
    if not {table.dataset for table in statement.tables} <= set(approved):
        yield Reason("template", "no such template was approved for these tables")


def _own_tables(
    statement: Statement, facts: BrokerFacts, rules: Mapping[str, OwnedRules]
) -> Iterator[Reason]:
    own, charge = _own(statement, facts), Charge.of(statement, facts.member)
    if not own:
        yield Reason("owner", "none of this party's tables is stated")
    for table in own:
        rule = rules[table.dataset].document.rule
        yield from _consent(table, facts)
        yield from _version(table, rule, facts)
        if ANY not in rule.receivers and statement.asker not in rule.receivers:
            yield Reason("receiver", f"{statement.asker:.40} may not receive results of {table.dataset}")
        if not statement.reuse:
            yield from _budget(table.dataset, rule, charge, facts)
            yield from _price(table.dataset, rule, statement)


def _own(statement: Statement, facts: BrokerFacts) -> tuple[StatedTable, ...]:
    return tuple(table for table in statement.tables if table.owner == facts.member)


def _consent(table: StatedTable, facts: BrokerFacts) -> Iterator[Reason]:
    if facts.book.paused & {ALL, table.dataset}:
        yield Reason("paused", f"this party has paused {table.dataset}")


def _version(table: StatedTable, rule: Rule, facts: BrokerFacts) -> Iterator[Reason]:
    held = facts.held.get(table.version)
    if held is None:
        yield Reason("version", f"no key of {table.version:.40} is kept here, or it was destroyed")
    elif (held.collaboration, held.dataset, held.owner, held.manifest_digest) != (
        facts.collaboration,
        table.dataset,
        table.owner,
        table.manifest_digest,
    ):
        yield Reason("manifest", f"{table.version:.40} is another table than the one stated")
    elif held.is_expired(rule.retention_days, facts.now):
        yield Reason("expired", f"the retention of {table.version:.40} has ended")


def _budget(dataset: str, rule: Rule, charge: Charge, facts: BrokerFacts) -> Iterator[Reason]:
    spent = facts.book.spent_micro(dataset, rule.dp_terms.refresh, facts.now)
    budget = micro_budget(rule.dp_terms.epsilon_budget)
    if charge.micro_epsilon and spent + charge.micro_epsilon > budget:
        yield Reason(
            "budget",
            f"{dataset} has spent {plain(spent)} of {plain(budget)}; {plain(charge.micro_epsilon)} is asked",
        )
    if rule.queries_per_day and facts.book.questions_today(dataset, charge, facts.now) > rule.queries_per_day:
        yield Reason("quota", f"{dataset} has answered its {rule.queries_per_day} questions of today")


def _price(dataset: str, rule: Rule, statement: Statement) -> Iterator[Reason]:
    terms = rule.dp_terms
    if statement.mode is Mode.DP and not rule.allows_noise:
        yield Reason("noise", f"{dataset} may not be part of a noised question")
    if statement.epsilon > terms.epsilon_per_query or statement.delta > terms.delta_per_query:
        yield Reason("price", f"one question may spend less of {dataset}")
