"""`mixroom enclave root`: what silos pin of a coordinator's enclaves, and what these measure as."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mixroom.cli_help import Command, example
from mixroom.output import AsJson, print_json, say
from mixroom.root_text import root_text


def add_command(app: typer.Typer) -> None:
    """Mount the command on `mixroom enclave`."""
    app.command(
        cls=Command,
        short_help="Show a coordinator's root, for silos to pin.",
        epilog=example("mixroom enclave root"),
    )(root)


def root(
    home: Annotated[
        Path | None,
        typer.Option(help="Where the root is kept, as the run's enclave-home.", show_default=False),
    ] = None,
    isolation: Annotated[
        Literal["full", "reduced"], typer.Option(help="reduced: as where bubblewrap cannot be had.")
    ] = "full",
    as_json: AsJson = False,
) -> None:
    """Show the root of this coordinator's emulated enclaves, for silos' owners to pin.

    Made at the first call. On stderr: its fingerprint, and what the sum enclave of this installation measures as.
    """
    from privacy.attested_sums.sum_enclave_program import own_measurement
    from privacy.enclave.emulated_platform import EmulatedPlatform
    from privacy.enclave.isolation import Isolation
    from server.settings import RunSettings

    folder = RunSettings(enclave_home=str(home) if home else "").enclave_directory
    platform, measurement = EmulatedPlatform.open(folder), own_measurement(Isolation(isolation))
    text, printed = root_text(platform.root), platform.root_fingerprint
    if as_json:
        print_json({"root": text, "fingerprint": printed, "measurement": measurement, "isolation": isolation})
        return
    typer.echo(text)
    say(f"fingerprint {printed}: compare it over another channel")
    say(f"the sum enclave measures {measurement} ({isolation} isolation)")
