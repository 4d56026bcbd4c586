"""`mixroom key-holder ...`: what whoever opens encrypted sums does on its own machine."""

import base64
import json
from pathlib import Path
from typing import Annotated

import typer

from mixroom.cli_help import Command, Group, example
from mixroom.output import AsJson, print_json, say

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    suggest_commands=False,
    help="The key holder of `--secure-aggregation paillier`: make its keys, show and pin keys.",
    short_help="The key holder's own commands: create, key, pin.",
    epilog=example("mixroom key-holder create /data/key-holder"),
)
Directory = Annotated[Path, typer.Argument(help="The key holder's own directory.")]


@app.command(cls=Command, epilog=example("mixroom key-holder create /data/key-holder"))
def create(
    directory: Directory,
    bits: Annotated[int, typer.Option(help="Length of the modulus.", min=2048)] = 3072,
    min_silos: Annotated[int, typer.Option(help="Open no sum of fewer silos.", min=3)] = 3,
) -> None:
    """Make the keys of a new key holder.

    The private key stays in the directory; never copy it to the coordinator.
    """
    from privacy.paillier.holder_home import HolderHome
    from privacy.paillier.keys import ModulusRule

    HolderHome(directory).create(ModulusRule(bits), min_silos=min_silos)
    say(f"a key of {bits} bits in {directory}; show the public one with `mixroom key-holder key {directory}`")


@app.command(cls=Command, epilog=example("mixroom key-holder key /data/key-holder"))
def key(directory: Directory, as_json: AsJson = False) -> None:
    """Show the key holder's public key, for silos' owners to pin."""
    from privacy.paillier.holder_home import HolderHome

    identity = HolderHome(directory).identity
    public_key = base64.b64encode(identity.public_key).decode()
    if as_json:
        print_json({"name": identity.silo, "public_key": public_key, "fingerprint": identity.fingerprint})
    else:
        typer.echo(f'{json.dumps(identity.silo)} = "{public_key}"')
        say(f"fingerprint {identity.fingerprint}: compare it over another channel")


@app.command(cls=Command, epilog=example("mixroom key-holder pin /data/key-holder north 'q2n…='"))
def pin(
    directory: Directory,
    silo: Annotated[str, typer.Argument(help="The silo's name.")],
    public_key: Annotated[str, typer.Argument(help="Its public key, as `mixroom silo key` shows it.")],
) -> None:
    """Trust a silo's key in encrypted sums."""
    from privacy.paillier.holder_home import HolderHome

    HolderHome(directory).pin(silo, public_key)
    say(f"the key holder now trusts the key of {silo}")
