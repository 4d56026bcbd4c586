"""How commands speak: narration on stderr, results on stdout as text or JSON."""

import json
import math
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def say(text: str) -> None:
    """One line of narration."""
    typer.echo(f"mixroom: {text}", err=True)


def print_json(content: Any) -> None:
    """One JSON document; what is not a number becomes null."""
    typer.echo(json.dumps(_finite(content), indent=1, allow_nan=False))


def table(header: list[str], rows: list[list[str]]) -> str:
    """Columns of text, the first left and the others right aligned."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = []
    for row in [header, *rows]:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
