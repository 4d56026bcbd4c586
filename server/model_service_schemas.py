"""What the model service is asked, and the shape of what it answers."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.config import JsonDict

from mmm_models.planning.open_planner import By
from server.model_service_runs import Period

MOST_CHANGES = 1000
LIMITS_EXAMPLE: JsonDict = {"change": "30%", "channels": {"tv": {"floor": 100_000, "ceiling": "120%"}}}


class Question(BaseModel):
    """About which period: so many last weeks, a year as a rule; and what money is moved between besides channels."""

    model_config = ConfigDict(extra="forbid", strict=True)

    weeks: int | None = None
    by: Literal["all", "silo"] = "all"

    @property
    def period(self) -> Period:
        return Period(self.weeks, By(self.by))


class WhatIfQuestion(Question):
    """Channels by name, or a list of `channel=change`; `north/tv` names a channel of one silo."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"changes": {"social": "+20%", "search": "-10%"}}]}
    )

    changes: (
        Annotated[dict[str, str | float], Field(min_length=1, max_length=MOST_CHANGES)]
        | Annotated[list[str], Field(min_length=1, max_length=MOST_CHANGES)]
    )


class FrontierQuestion(Question):
    """`limits` are those of docs/planning.md."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"limits": LIMITS_EXAMPLE}]})

    limits: dict[str, Any] = {}


class PlanQuestion(FrontierQuestion):
    """A `total` or a `target`, last period's total without either; `risk` is a quantile; `flight` plans weeks too."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"total": "+10%", "risk": 0.1, "limits": LIMITS_EXAMPLE}, {"target": "roi=3"}]
        }
    )

    total: float | str | None = None
    target: str | None = None
    risk: float | None = None
    flight: bool = False


class Problem(BaseModel):
    """Why there is no answer: the error's name, what was wrong, and what would make it work."""

    error: str
    message: str
    hint: str


class Health(BaseModel):
    """The service takes questions about so many runs."""

    status: Literal["ok"] = "ok"
    runs: int


class RunNames(BaseModel):
    """Names to put into paths."""

    runs: list[str]


def answer_schema(kind: type, file_format: str = "") -> dict[str, Any]:
    """A JSON schema of a dataclass as `answer_json` writes it, in one piece: numbers may be null."""
    schema = TypeAdapter(kind).json_schema(mode="serialization")
    definitions = schema.pop("$defs", {})
    whole: dict[str, Any] = _inlined(schema, definitions)
    if file_format:
        whole["properties"] = {"format": {"const": file_format, "type": "string"}, **whole["properties"]}
    return whole


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """References replaced by what they refer to; dataclasses here never refer to themselves."""
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(definitions[node["$ref"].rpartition("/")[2]], definitions)
    # Defaults are NaN here, which JSON does not know; a field is always there.
    plain = {key: _inlined(value, definitions) for key, value in node.items() if key != "default"}
    return {**plain, "type": ["number", "null"]} if plain.get("type") == "number" else plain
