"""`mixroom key-holder ...`: what whoever opens encrypted sums does on its own machine."""

import base64
import json
from pathlib import Path
from typing import Annotated, Literal

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
    enclave: Annotated[bool, typer.Option("--enclave", help="Make and keep them in the sandbox.")] = False,
    isolation: Annotated[
        Literal["full", "reduced"], typer.Option(help="reduced: as where bubblewrap cannot be had.")
    ] = "full",
) -> None:
    """Make the keys of a new key holder.

    The private key stays in the directory; never copy it to the coordinator. With --enclave it is there in sealed form
    only, and opened in the sandbox alone, now and whenever the key holder runs.
    """
    from privacy.enclave.isolation import Isolation
    from privacy.paillier.enclosed_holder import EnclosedHolder, enclose
    from privacy.paillier.holder_home import HolderHome
    from privacy.paillier.holder_pipe import Create, Introduced
    from privacy.paillier.keys import ModulusRule

    if enclave:
        enclose(directory, Isolation(isolation))
        with EnclosedHolder(directory) as holder:
            holder.ask(Create(bits, min_silos, insecure=False), Introduced)
    else:
        HolderHome(directory).create(ModulusRule(bits), min_silos=min_silos)
    say(f"a key of {bits} bits in {directory}; show the public one with `mixroom key-holder key {directory}`")


@app.command(cls=Command, epilog=example("mixroom key-holder key /data/key-holder"))
def key(directory: Directory, as_json: AsJson = False) -> None:
    """Show the key holder's public key, for silos' owners to pin."""
    from privacy.identity import fingerprint
    from privacy.paillier.aggregation import HOLDER

    raw = _public_key(directory)
    public_key, printed = base64.b64encode(raw).decode(), fingerprint(raw)
    if as_json:
        print_json({"name": HOLDER, "public_key": public_key, "fingerprint": printed})
    else:
        typer.echo(f'{json.dumps(HOLDER)} = "{public_key}"')
        say(f"fingerprint {printed}: compare it over another channel")


@app.command(cls=Command, epilog=example("mixroom key-holder pin /data/key-holder north 'q2n…='"))
def pin(
    directory: Directory,
    silo: Annotated[str, typer.Argument(help="The silo's name.")],
    public_key: Annotated[str, typer.Argument(help="Its public key, as `mixroom silo key` shows it.")],
) -> None:
    """Trust a silo's key in encrypted sums."""
    from privacy.paillier.enclosed_holder import EnclosedHolder, is_enclosed
    from privacy.paillier.holder_home import HolderHome
    from privacy.paillier.holder_pipe import Done, Pin

    if is_enclosed(directory):
        with EnclosedHolder(directory) as holder:
            holder.ask(Pin(silo, public_key), Done)
    else:
        HolderHome(directory).pin(silo, public_key)
    say(f"the key holder now trusts the key of {silo}")


def _public_key(directory: Path) -> bytes:
    from privacy.paillier.enclosed_holder import EnclosedHolder, is_enclosed
    from privacy.paillier.holder_home import HolderHome
    from privacy.paillier.holder_pipe import Introduce, Introduced

    if is_enclosed(directory):
        with EnclosedHolder(directory) as holder:
            return holder.ask(Introduce(), Introduced).public_key
    return HolderHome(directory).identity.public_key
