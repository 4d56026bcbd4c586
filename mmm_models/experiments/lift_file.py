"""The lift file (TOML): experiments as people write them down, every mistake in it named at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mmm_models.experiments.geo_experiment import measure_geo
from mmm_models.experiments.lift import LiftTest
from mmm_models.experiments.lift_entries import (
    KINDS,
    GeoLift,
    GeoTable,
    LiftEntry,
    LiftFile,
    ReleasedLift,
    TypedLift,
)
from mmm_models.experiments.lift_errors import LiftFileInvalid
from mmm_models.intake.nearest_name import nearest_name
from mmm_models.intake.toml_file import read_toml
from mmm_models.panel import Panel

_PAGE = "docs/experiments.md shows every kind of entry"


def read_lift_file(path: Path) -> LiftFile:
    """The lift file at `path`; paths in it are relative to it. Raises `LiftFileInvalid` listing every problem."""
    content = read_toml(path, LiftFileInvalid, what="lift file", hint=_PAGE)
    try:
        file = LiftFile.model_validate(content)
    except ValidationError as error:
        problems = tuple(_sentence(item, content) for item in error.errors(include_url=False))
        raise LiftFileInvalid(
            f"{path}: {len(problems)} problem{'s' * (len(problems) > 1)}: {'; '.join(problems)}",
            hint=_PAGE,
            problems=problems,
        ) from error
    return file.model_copy(update={"lift": [_resolved(entry, path.parent) for entry in file.lift]})


def lifts_from(
    file: LiftFile, panel: Panel, released: Callable[[ReleasedLift], LiftTest]
) -> tuple[LiftTest, ...]:
    """Each entry's lift, in order: typed as it stands, geographic measured in `panel`, releases by `released`."""
    return tuple(_lift_of(entry, panel, released) for entry in file.lift)


def _lift_of(
    entry: TypedLift | ReleasedLift | GeoLift, panel: Panel, released: Callable[[ReleasedLift], LiftTest]
) -> LiftTest:
    if isinstance(entry, ReleasedLift):
        return released(entry)
    if isinstance(entry, GeoLift):
        return measure_geo(entry.design, panel, source=entry.source)
    return LiftTest(
        channel=entry.channel,
        first_week=entry.start,
        last_week=entry.last_week,
        units=None if entry.units is None else tuple(entry.units),
        lift=entry.lift,
        standard_error=entry.standard_error,
        change=entry.change,
        source=entry.source,
    )


def _resolved(entry: LiftEntry, directory: Path) -> LiftEntry:
    if not isinstance(entry, ReleasedLift):
        return entry
    return entry.model_copy(update={"release": directory / entry.release, "home": directory / entry.home})


def _sentence(item: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    """`lift 2 (search): end: ...` for one pydantic error; an unknown key names the nearest known one."""
    place = list(item["loc"])
    if place[:1] != ["lift"]:
        return f"unknown key {place[0]!r}; experiments are [[lift]] tables" if place else str(item["msg"])
    if len(place) == 1:
        return "it has no [[lift]] table" if item["type"] == "missing" else "lift: write [[lift]] tables"
    number, rest = place[1], place[2:]
    kind = str(rest[0]) if rest else "typed"
    key = ".".join(str(part) for part in rest[1:])
    return f"lift {number + 1}{_channel(content, number)}: {_problem(item, kind, key)}"


def _channel(content: Mapping[str, Any], number: int) -> str:
    entry = content["lift"][number]
    name = entry.get("channel", "") if isinstance(entry, Mapping) else ""
    return f" ({name})" if name else ""


def _problem(item: Mapping[str, Any], kind: str, key: str) -> str:
    if item["type"] == "missing":
        return f"{key} is missing"
    if item["type"] == "extra_forbidden":
        *above, name = key.split(".")
        known = list((GeoTable if above else KINDS[kind]).model_fields)
        best = nearest_name(name, known)
        return f"unknown key {key!r}" + (
            f"; did you mean {best!r}?" if best else f"; known: {', '.join(known)}"
        )
    if item["type"] == "value_error":
        return str(item["ctx"]["error"])
    message = str(item["msg"])
    return f"{key}: {message[0].lower()}{message[1:]}" if key else message
