"""`mixroom enclave measure`: what the clean room's worker measures as when this installation runs it."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

import typer

from mixroom import cli_enclave_root
from mixroom.cli_help import Command, Group, example
from mixroom.output import AsJson, print_json, table

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    suggest_commands=False,
    help="The encrypted sandbox: what runs in it, and which root vouches for that.",
    short_help="The encrypted sandbox: measure, root.",
    epilog=example("mixroom enclave measure"),
)
KINDS = {  # of the manifest's lines -> what they are
    "lock": "lock file",
    "interpreter": "interpreter",
    "profile": "sandbox profile",
    "code": "files of Mixroom",
    "library": "files of libraries",
}


@app.command(
    cls=Command,
    short_help="Print the worker's measurement.",
    epilog=example("mixroom enclave measure --files | diff - theirs.txt"),
)
def measure(
    isolation: Annotated[
        Literal["full", "reduced"], typer.Option(help="reduced: as where bubblewrap cannot be had.")
    ] = "full",
    files: Annotated[bool, typer.Option("--files", help="List every line that PCR0 is made of.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure the clean room's worker as this installation would run it; nothing is started.

    PCR0 covers everything, PCR1 what the code runs on, PCR2 the code and its libraries; SHA-384 each. Two machines
    with the same version, interpreter and platform print the same. PCR0 is what owners allow.
    """
    from cleanroom.partner.installed_worker import InstalledWorker
    from privacy.enclave.isolation import Isolation

    measured = InstalledWorker.measured(Isolation(isolation))
    registers = {f"PCR{number}": digest.hex() for number, digest in sorted(measured.measurement.pcrs.items())}
    counted = Counter(line.split(" ", 2)[1] for line in measured.lines)
    groups = {KINDS[kind]: counted[kind] for kind in KINDS}
    if as_json:
        listed = {"files": list(measured.lines)} if files else {}
        print_json({**registers, "isolation": isolation, "measured": groups, **listed})
    elif files:
        typer.echo("\n".join(measured.lines))
    else:
        typer.echo("\n".join(f"{name} {digest}" for name, digest in registers.items()))
        typer.echo(f"isolation {isolation}")
        typer.echo(table(["measured", "number"], [[what, str(number)] for what, number in groups.items()]))


cli_enclave_root.add_command(app)
