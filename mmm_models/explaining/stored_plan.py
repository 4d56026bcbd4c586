"""A plan read back from the `plan.json` that it was written to."""

import json
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from mmm_models.errors import ModelError
from mmm_models.planning.answer_json import FORMATS
from mmm_models.planning.plan import Plan
from mmm_models.reporting.plain_json import null_to_nan

FILE_NAME = "plan.json"


class PlanUnreadable(ModelError):
    """A stored plan is missing, damaged or of another version; nothing was explained by it."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} {why}", hint="make it again: mixroom plan RUN --out DIRECTORY")


def read_plan(directory: Path) -> Plan:
    """What `plan_files.write_answer` wrote there. Raises PlanUnreadable."""
    path = directory / FILE_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.pop("format", None) != FORMATS[Plan]:
            raise PlanUnreadable(path, "is no plan, or of another version")
        return TypeAdapter(Plan).validate_python(null_to_nan(content))
    except FileNotFoundError as error:
        raise PlanUnreadable(path, "does not exist") from error
    except (ValidationError, ValueError, OSError, RecursionError) as error:
        raise PlanUnreadable(path, "is damaged") from error
