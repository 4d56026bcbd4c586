"""Answers as JSON: the one form that commands print, plans are stored in and the service sends."""

from dataclasses import asdict
from typing import Any

from mmm_models.planning.frontier import Frontier
from mmm_models.planning.plan import Plan, WhatIf
from mmm_models.reporting.plain_json import nan_to_null

Answer = Plan | WhatIf | Frontier
FORMATS: dict[type, str] = {
    Plan: "mixroom-plan/1",
    WhatIf: "mixroom-what-if/1",
    Frontier: "mixroom-frontier/1",
}


def answer_json(answer: Answer) -> dict[str, Any]:
    """Every field by its name, with the format first; what is not a number is null."""
    return {"format": FORMATS[type(answer)], **nan_to_null(asdict(answer))}
