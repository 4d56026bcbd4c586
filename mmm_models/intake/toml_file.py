"""Reading a TOML file that people write; one that cannot be read is refused by name."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from mmm_models.errors import SpecInvalid


def read_toml(path: Path, refusal: type[SpecInvalid], *, what: str, hint: str) -> dict[str, Any]:
    """The tables in `path`. Raises `refusal`. `what`: such as "silo file"; `hint`: where a whole one is shown."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise refusal(f"{what} {path} does not exist", hint="check the path") from error
    except OSError as error:
        raise refusal(f"{what} {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise refusal(f"{what} {path} is not a UTF-8 text file", hint="save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise refusal(f"{path} is not valid TOML: {error}", hint=hint) from error
