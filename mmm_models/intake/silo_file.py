"""Reading a silo file from disk, with every mistake in it named at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from mmm_models.errors import SpecInvalid
from mmm_models.intake.nearest_name import nearest_name
from mmm_models.intake.silo_spec import SiloSpec
from mmm_models.intake.silo_tables import (
    ChannelSpec,
    ColumnList,
    ColumnsSpec,
    DataSpec,
    OrganicSpec,
    PrivacyRules,
)
from mmm_models.intake.toml_file import read_toml

_TABLES: dict[str, type[BaseModel]] = {
    "data": DataSpec,
    "columns": ColumnsSpec,
    "channels": ChannelSpec,
    "organic": OrganicSpec,
    "controls": ColumnList,
    "treatments": ColumnList,
    "privacy": PrivacyRules,
}


def read_silo_spec(path: Path) -> SiloSpec:
    """The silo file at `path`. Reads no data. Raises `SpecInvalid` listing every problem in it."""
    path = Path(path)
    content = read_toml(path, SpecInvalid, what="silo file", hint="docs/data-format.md shows a whole file")
    try:
        spec = SiloSpec.model_validate(content)
    except ValidationError as error:
        problems = tuple(_sentence(item) for item in error.errors(include_url=False, include_input=False))
        raise SpecInvalid(
            f"{path}: {len(problems)} problem{'s' * (len(problems) > 1)}: {'; '.join(problems)}",
            hint="docs/data-format.md lists every setting",
            problems=problems,
        ) from None  # pydantic's own error may print a database URL
    spec._directory = path.resolve().parent
    return spec


def _sentence(item: Mapping[str, Any]) -> str:
    """`data.cadence: ...` for one pydantic error; an unknown key names the nearest known one."""
    place = [str(part) for part in item["loc"] if part not in ("str", "float", "constrained-str")]
    key = ".".join(place)
    kind = item["type"]
    if kind == "extra_forbidden":
        return f"unknown key {key!r}" + _nearest(place)
    if kind == "missing":
        return f"{key} is missing"
    if kind == "value_error":
        return f"{key}: {item['ctx']['error']}" if key else str(item["ctx"]["error"])
    if key.endswith("currency") and kind == "string_pattern_mismatch":
        return f"{key} must be a three-letter code such as EUR"
    if key == "silo" and kind == "string_pattern_mismatch":
        return "silo must be 1 to 64 letters, digits, dots, dashes or underscores"
    return f"{key}: {item['msg'][0].lower()}{item['msg'][1:]}"


def _nearest(place: list[str]) -> str:
    model = SiloSpec if len(place) == 1 else _TABLES.get(place[0])
    known = list(model.model_fields) if model else []
    best = nearest_name(place[-1], known)
    return f"; did you mean {best!r}?" if best else f"; known here: {', '.join(known)}"
