"""What is wrong with a scenario file, one sentence a problem, naming the setting and the fix."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from mmm_models.intake.nearest_name import nearest_name

Location = tuple[str | int, ...]


def problem_sentences(
    error: ValidationError, content: Mapping[str, Any], tables: Mapping[str, type[BaseModel]]
) -> tuple[str, ...]:
    """Sentences such as "channels.tv.slope: input should be greater than 0, found -1".

    `content` is the parsed file, whose list items go by their names; `tables` holds the spec of each table,
    "" being the file itself, so that an unknown key can name the nearest known one.
    """
    return tuple(_sentence(dict(item), content, tables) for item in error.errors())


def _sentence(
    item: Mapping[str, Any], content: Mapping[str, Any], tables: Mapping[str, type[BaseModel]]
) -> str:
    key = ".".join(_place(item["loc"], content))
    match item["type"]:
        case "missing":
            return f"{key} is missing: add it"
        case "extra_forbidden":
            return f"unknown key {key!r}{_nearest(item['loc'], tables)}"
        case "value_error":
            return f"{key}: {item['ctx']['error']}" if key else str(item["ctx"]["error"])
        case "string_pattern_mismatch" if key.endswith("currency"):
            return f"{key} must be a three-letter code such as EUR, found {item['input']!r}"
        case "string_pattern_mismatch":
            found = f"found {item['input']!r}"
            return f"{key} must be a letter, then up to 39 letters, digits, dashes or underscores, {found}"
        case _:
            message = item["msg"].replace("a valid tuple", "a list")  # TOML's word
            return f"{key}: {message[0].lower()}{message[1:]}, found {item['input']!r}"


def _place(location: Location, content: Any) -> Iterator[str]:
    """The location's parts, a list index replaced by the name of the table found there."""
    for part in location:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):  # a missing key has no content
            content = {}
        name = content.get("name") if isinstance(part, int) and isinstance(content, dict) else None
        yield name if isinstance(name, str) else str(part)


def _nearest(location: Location, tables: Mapping[str, type[BaseModel]]) -> str:
    known = list(tables["" if len(location) == 1 else str(location[0])].model_fields)
    best = nearest_name(str(location[-1]), known)
    return f"; did you mean {best!r}?" if best else f"; known here: {', '.join(known)}"
