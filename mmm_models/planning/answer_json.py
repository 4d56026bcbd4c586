"""Answers as JSON: the one form that commands print, plans are stored in and the service sends."""

import math
from typing import Any

from mmm_models.planning.frontier import Frontier
from mmm_models.planning.plan import Plan, WhatIf

Answer = Plan | WhatIf | Frontier
FORMATS: dict[type, str] = {
    Plan: "mixroom-plan/1",
    WhatIf: "mixroom-what-if/1",
    Frontier: "mixroom-frontier/1",
}


def answer_json(answer: Answer) -> dict[str, Any]:
    """Every field by its name, with the format first; what is not a number is null."""
    return {"format": FORMATS[type(answer)], **_plain(answer)}


def _plain(value: Any) -> Any:
    """In one pass, unlike `dataclasses.asdict`, which copies everything first: a service does this for each answer."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case str() | int() | None:
            return value
        case tuple():
            return [_plain(item) for item in value]
    return {name: _plain(field) for name, field in vars(value).items()}
