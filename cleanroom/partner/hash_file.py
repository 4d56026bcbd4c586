"""The step before an upload: the same table, its e-mail addresses, phone numbers or ids replaced by tokens.

Runs on the owner's machine, in memory that does not grow with the table but for eight bytes a person and rule. What
a token hides, and from whom it does not, is said in `privacy/identifiers.py`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cleanroom.errors import Reason, TableRefused
from cleanroom.partner.distinct_count import DistinctCount
from cleanroom.partner.table_files import new_table, open_table
from privacy.errors import IdentifierRefused
from privacy.identifier_problems import IdentifierProblem, refusal
from privacy.identifier_rules import IdentifierKind, IdentifierRule, normalise, rules_for
from privacy.identifiers import IdentityKey
from privacy.phone_numbers import require_region


@dataclass(frozen=True)
class HashOrder:
    """What to hash: `column` becomes `token_column` in the same place; the columns in `leave_out` are left out.

    region: where phone numbers without country code belong, such as DE.
    """

    column: str
    key: IdentityKey
    token_column: str = "user_hash"
    region: str = ""
    leave_out: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RulePreview:
    """What one rule would make of the column: rows that normalise, and how many people they then are."""

    rule: IdentifierRule
    normalised_rows: int
    distinct: int


@dataclass(frozen=True)
class HashReport:
    """Counts only, for the owner's eyes. `rows - hashed` were left out, by `problems`."""

    rows: int
    hashed: int
    distinct_people: int
    problems: Mapping[IdentifierProblem, int]
    previews: tuple[RulePreview, ...]

    @property
    def duplicates(self) -> int:
        """Rows beyond the first of each person."""
        return self.hashed - self.distinct_people


def hash_file(source: Path, target: Path, order: HashOrder) -> HashReport:
    """Write `source` to `target` with tokens instead of identifiers; rows that do not normalise are left out.

    The target appears whole or not at all, and keeps the format of the source. Raises TableRefused for a table that
    cannot be read, hashed or written, InvalidSetting for a region that is none.
    """
    require_region(order.region)
    if source.suffix.lower() != target.suffix.lower() or source.resolve() == target.resolve():
        raise TableRefused(
            "the hashed table must be another file of the same format; nothing was written",
            hint=f"name a new file that ends in {source.suffix}",
        )
    with open_table(source) as table:
        _require_columns(table.schema, order)
        schema = _hashed_schema(table.schema, order)
        with new_table(target, schema) as write:
            tally = _Tally(order.key)
            for batch in table.batches:
                write(_hashed(batch, schema, order, tally))
            return tally.report()


def _hashed(batch: pa.RecordBatch, schema: pa.Schema, order: HashOrder, tally: "_Tally") -> pa.RecordBatch:
    raw = batch.column(order.column).cast(pa.string())
    _require_no_copy(batch, raw, order)
    people = tally.take([value or "" for value in raw.to_pylist()], order.region)
    kept = batch.filter(pa.array([person is not None for person in people], pa.bool_()))
    tokens = pa.array(order.key.tokens(person for person in people if person is not None), pa.string())
    columns = [tokens if name == order.token_column else kept.column(name) for name in schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


@dataclass
class _Tally:
    """What was seen so far."""

    key: IdentityKey
    rows: int = 0
    problems: Counter[IdentifierProblem] = field(default_factory=Counter)
    normalised: Counter[IdentifierRule] = field(default_factory=Counter)
    distinct: dict[IdentifierRule, DistinctCount] = field(default_factory=dict)

    def take(self, values: list[str], region: str) -> list[str | None]:
        """The normalised values under the key's rule, None where there is none; every rule is tallied."""
        self.rows += len(values)
        kept: list[str | None] = []
        for rule in self._different_rules():
            people, problems = _normalised(values, self.key.kind, rule, region)
            good = [person for person in people if person is not None]
            self.normalised[rule] += len(good)
            self.distinct.setdefault(rule, DistinctCount()).add(good)
            if rule is self.key.rule:
                kept = people
                self.problems.update(problems)
        return kept

    def report(self) -> HashReport:
        """The counts. Raises TableRefused when no row could be hashed, as that is the wrong column."""
        hashed = self.normalised[self.key.rule]
        if not hashed:
            raise TableRefused(
                f"no row holds {self.key.kind} that can be normalised; nothing was written",
                hint="check which column holds the identifiers, and of which kind they are",
                reasons=[
                    Reason(problem, str(refusal(problem)), refusal(problem).hint) for problem in self.problems
                ],
            )
        previews = tuple(self._preview(rule) for rule in rules_for(self.key.kind))
        return HashReport(
            self.rows, hashed, self.distinct[self.key.rule].value, dict(self.problems), previews
        )

    def _different_rules(self) -> tuple[IdentifierRule, ...]:
        # The rules for phones differ in a plus sign, so one of them tells what all would give.
        if self.key.kind is IdentifierKind.PHONE:
            return (self.key.rule,)
        return rules_for(self.key.kind)

    def _preview(self, rule: IdentifierRule) -> RulePreview:
        counted = rule if rule in self.distinct else self.key.rule
        return RulePreview(rule, self.normalised[counted], self.distinct[counted].value)


def _normalised(
    values: list[str], kind: IdentifierKind, rule: IdentifierRule, region: str
) -> tuple[list[str | None], list[IdentifierProblem]]:
    people: list[str | None] = []
    problems = []
    for value in values:
        try:
            people.append(normalise(value, kind, rule, region))
        except IdentifierRefused as error:
            people.append(None)
            problems.append(IdentifierProblem(error.problem))
    return people, problems


def _require_columns(schema: pa.Schema, order: HashOrder) -> None:
    missing = ({order.column} | order.leave_out) - set(schema.names)
    if missing:
        raise TableRefused(
            f"the table has no column {', '.join(sorted(missing)):.200}; nothing was written",
            hint="name columns as the table's header does",
        )
    if order.token_column in set(schema.names) - order.leave_out - {order.column}:
        raise TableRefused(
            f"the table has a column {order.token_column:.60} already; nothing was written",
            hint="give the tokens another name, or leave that column out",
        )
    if not _is_text_or_whole(schema.field(order.column).type):
        raise TableRefused(
            f"column {order.column:.60} holds neither text nor whole numbers; nothing was written",
            hint="export identifiers as text",
        )


def _is_text_or_whole(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return _is_text(kind) or bool(pa.types.is_integer(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _hashed_schema(schema: pa.Schema, order: HashOrder) -> pa.Schema:
    tokens = pa.field(order.token_column, pa.string(), nullable=False)
    kept = [field for field in schema if field.name == order.column or field.name not in order.leave_out]
    return pa.schema([tokens if field.name == order.column else field for field in kept])


def _require_no_copy(batch: pa.RecordBatch, raw: pa.Array, order: HashOrder) -> None:
    """Refuse a table that holds the address or number a second time: the copy would leave in clear.

    Ids are not looked for, as a small number may well be a count too.
    """
    if order.key.kind is IdentifierKind.ID:
        return
    identifiers = _comparable(raw)
    for name in set(batch.schema.names) - order.leave_out - {order.column}:
        column = batch.column(name)
        if not _is_text_or_whole(column.type):
            continue
        same = pc.and_(
            pc.equal(_comparable(column.cast(pa.string())), identifiers), pc.not_equal(identifiers, "")
        )
        if pc.any(same).as_py():
            raise TableRefused(
                f"column {name:.60} repeats the identifier of column {order.column:.60}; nothing was written",
                hint=f"leave {name:.60} out",
            )


def _comparable(column: pa.Array) -> pa.Array:
    return pc.utf8_lower(pc.utf8_trim_whitespace(column))
