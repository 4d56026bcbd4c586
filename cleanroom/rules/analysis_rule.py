"""An owner's document on one dataset: its columns and roles, and what may be asked of it.

The shape is close to AWS Clean Rooms' aggregation rule: allowed joins, dimensions, measures, functions,
comparisons and a minimum group size; a query that involves several datasets obeys the strictest of all.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cleanroom.errors import Reason, RuleInvalid
from cleanroom.query.expressions import Function

NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}")
ANY = "*"
_RESERVED = re.compile(r"r[0-9]+|room_.*")  # what the worker calls its own tables
LARGEST_DOCUMENT = 256 * 1024


class Role(StrEnum):
    """What a column is for."""

    IDENTITY = "identity"  # the hashed person; joins tables, is counted, never shown
    DIMENSION = "dimension"  # may be grouped by and compared with literals
    MEASURE = "measure"  # may be summed and averaged per cell, clipped per person
    TIME = "time"  # leaves only as a day, week, month, quarter or year
    REFERENCE = "reference"  # an order or session number: usable inside one person's rows, never shown


class AggregateFunction(StrEnum):
    """What may be computed over a cell."""

    COUNT = "COUNT"  # rows
    COUNT_DISTINCT = "COUNT_DISTINCT"  # people, or references
    SUM = "SUM"
    AVG = "AVG"


class Mode(StrEnum):
    """How releases are protected."""

    THRESHOLD = "threshold"
    DP = "dp"


class Refresh(StrEnum):
    """When a differential-privacy budget starts afresh; each fresh start is a further guarantee, not the same."""

    NEVER = "never"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Column(_Frozen):
    """One column. `values` makes a dimension's values public; `max_per_person` bounds a measure.

    max_per_person: a person's total in one cell is clipped to [-max_per_person, max_per_person], threshold mode.
    dp_max_per_person: the same in dp mode, where noise grows with it; `max_per_person` when 0.
    decimals: digits after the point that a measure has; dp releases are whole multiples of that step.
    comparable: whether a measure may be compared and bucketed inside one person's rows.
    """

    role: Role
    values: tuple[str, ...] = ()
    max_per_person: Annotated[float, Field(gt=0)] = 1_000_000.0
    dp_max_per_person: Annotated[float, Field(ge=0)] = 0.0
    decimals: Annotated[int, Field(ge=0, le=6)] = 2
    comparable: bool = False

    @field_validator("values")
    @classmethod
    def _few_short_values(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if len(values) > 10_000 or any(len(value) > 200 for value in values):
            raise ValueError("at most 10,000 values of at most 200 characters")
        if len(set(values)) != len(values):
            raise ValueError("a value is listed twice")
        return values

    @property
    def dp_bound(self) -> float:
        """The bound of one person's total in a cell in dp mode."""
        return self.dp_max_per_person or self.max_per_person


class DpTerms(_Frozen):
    """The dataset's privacy budget. Unit: one person, all rows of all tables. Neighbours: add or remove one."""

    epsilon_per_query: Annotated[float, Field(gt=0, le=100)] = 1.0
    epsilon_budget: Annotated[float, Field(ge=0, le=10_000)] = 10.0
    delta_per_query: Annotated[float, Field(ge=1e-12, lt=0.01)] = 1e-8
    refresh: Refresh = Refresh.NEVER
    max_groups_per_person: Annotated[int, Field(ge=1, le=1000)] = 4
    max_rows_per_person: Annotated[int, Field(ge=1, le=100_000)] = 20


class Rule(_Frozen):
    """What may be asked. `joins`, `dimensions`, `receivers` and `scalar_functions` take "*" for all.

    min_group_size: distinct people behind every released number, counted for every protected dataset.
    largest_share: a sum is withheld when one person makes up more than this share of it.
    queries_per_day: for all analysts together; 0 for no limit.
    retention_days: uploads are destroyed after so many days; 0 for never.
    dp: what noised questions may spend of it. Without any, a dataset in threshold mode is part of no noised question:
        another owner's noise, which that owner sets, would stand in the place of its thresholds.
    """

    query: Literal["free", "templates"] = "free"
    privacy: Mode = Mode.THRESHOLD
    min_group_size: Annotated[int, Field(ge=2, le=100_000)] = 50
    largest_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    joins: tuple[str, ...] = (ANY,)
    join_required: bool = False
    dimensions: tuple[str, ...] = (ANY,)
    measures: tuple[str, ...] = (ANY,)
    comparisons: tuple[str, ...] = (ANY,)
    aggregate_functions: tuple[AggregateFunction, ...] = tuple(AggregateFunction)
    scalar_functions: tuple[str, ...] = (ANY,)
    receivers: tuple[str, ...] = (ANY,)
    queries_per_day: Annotated[int, Field(ge=0)] = 0
    retention_days: Annotated[int, Field(ge=0, le=3650)] = 0
    dp: DpTerms | None = None

    @field_validator("scalar_functions")
    @classmethod
    def _known_functions(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(names) - {ANY, *(function.value for function in Function)})
        if unknown:
            raise ValueError("scalar_functions lists what is no function: " + ", ".join(unknown)[:60])
        return names

    @property
    def dp_terms(self) -> DpTerms:
        """What noised questions may spend."""
        return self.dp or DpTerms()

    @property
    def allows_noise(self) -> bool:
        """Whether the dataset may be part of noised questions."""
        return self.privacy is Mode.DP or self.dp is not None


class RuleDocument(_Frozen):
    """All an owner says about one dataset. It is signed by the owner as `canonical()` has it."""

    dataset: str
    columns: Mapping[str, Column]
    rule: Rule = Rule()

    @field_validator("dataset")
    @classmethod
    def _dataset_name(cls, name: str) -> str:
        if _RESERVED.fullmatch(name):
            raise ValueError("a dataset is called r and a number, or room_...: choose another name")
        return _require_name(name)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name in self.columns:
            _require_name(name)
        if len(self.columns) > 200:
            raise ValueError("at most 200 columns")
        if sum(column.role is Role.IDENTITY for column in self.columns.values()) != 1:
            raise ValueError("exactly one column has the role identity")
        for listed, roles in (
            ("dimensions", {Role.DIMENSION, Role.TIME}),
            ("measures", {Role.MEASURE}),
            ("comparisons", {Role.DIMENSION, Role.TIME, Role.MEASURE}),
        ):
            for name in getattr(self.rule, listed):
                if name != ANY and (name not in self.columns or self.columns[name].role not in roles):
                    allowed = " or ".join(sorted(roles))
                    raise ValueError(
                        f"rule.{listed} names {name}, which is no column with the role {allowed}"
                    )
        return self

    @property
    def identity(self) -> str:
        """The name of the identity column."""
        return next(name for name, column in self.columns.items() if column.role is Role.IDENTITY)

    def canonical(self) -> dict[str, Any]:
        """Every setting resolved, as plain JSON values; what is signed and digested."""
        document: dict[str, Any] = self.model_dump(mode="json")
        return document

    @classmethod
    def parse(cls, text: str | bytes, *, name: str = "the document") -> RuleDocument:
        """From TOML or JSON text. Raises RuleInvalid with every reason at once."""
        if len(text) > LARGEST_DOCUMENT:
            raise RuleInvalid(f"{name} is larger than 256 KiB", hint="shorten the lists of values")
        try:
            plain = text.decode("utf-8") if isinstance(text, bytes) else text
            content = json.loads(plain) if plain.lstrip().startswith("{") else tomllib.loads(plain)
        except (ValueError, RecursionError) as error:
            raise RuleInvalid(
                f"{name} is neither TOML nor JSON", hint="docs/clean-room.md shows a document to copy"
            ) from error
        return cls.of(content, name=name)

    @classmethod
    def of(cls, content: object, *, name: str = "the document") -> RuleDocument:
        """From plain values. Raises RuleInvalid with every reason at once."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            reasons = [
                Reason(
                    "rule_invalid",
                    f"{'.'.join(str(part) for part in problem['loc']) or 'document'}: {problem['msg']}",
                    "docs/clean-room.md lists every setting",
                )
                for problem in error.errors(include_url=False, include_input=False)
            ]
            raise RuleInvalid(
                f"{name} has {len(reasons)} problem{'s'[: len(reasons) != 1]}; nothing was changed",
                hint="docs/clean-room.md lists every setting",
                reasons=reasons,
            ) from error


def _require_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r:.60} is not a name: use a-z, 0-9 and _, at most 40 characters")
    return name
