"""How commands speak: narration on stderr, results on stdout as text or JSON."""

import json
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def say(text: str) -> None:
    """One line of narration."""
    typer.echo(f"mixroom: {text}", err=True)


def print_json(content: Any) -> None:
    """One JSON document; what is not a number becomes null."""
    from mmm_models.reporting.plain_json import nan_to_null

    typer.echo(json.dumps(nan_to_null(content), indent=1, allow_nan=False))


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
