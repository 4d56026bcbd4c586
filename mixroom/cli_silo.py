"""`mixroom silo ...`: what a data owner does on its own machine."""

import base64
import json
from pathlib import Path
from typing import Annotated

import typer

from mixroom.cli_help import Command, Group, example
from mixroom.errors import DataRefused
from mixroom.output import AsJson, print_json, say
from mixroom.root_text import certificate_in
from mixroom.silo_paths import silo_files

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    suggest_commands=False,
    help="A data owner's own commands: check data, show and pin keys, read the budget.",
    short_help="A data owner's own commands: check, key, pins, budget.",
    epilog=example("mixroom silo check north.toml"),
)
SiloFile = Annotated[Path, typer.Argument(help="The silo's TOML file.")]


@app.command(cls=Command, epilog=example("mixroom silo check north.toml"))
def check(file: SiloFile, as_json: AsJson = False) -> None:
    """Report every problem of a silo's data in one pass.

    Exit code 1 when there is one. The report shows rows and values: keep it where the data are.
    """
    from mmm_models.intake.panel_report import counted, render_text
    from mmm_models.panel_io import check_silo

    (path,) = silo_files([file])
    report = check_silo(path)
    typer.echo(report.to_json() if as_json else render_text(report))
    if not report.ok:
        raise DataRefused(
            f"{path} has {counted(len(report.problems), 'problem')}",
            hint="each is listed with what to do about it; docs/data-format.md explains them",
        )


@app.command(cls=Command, epilog=example("mixroom silo key north.toml"))
def key(file: SiloFile, as_json: AsJson = False) -> None:
    """Show the silo's public key, for other silos' owners to pin."""
    from clients.silo_home import SiloHome
    from mmm_models.intake.silo_file import read_silo_spec

    identity = SiloHome.of(read_silo_spec(*silo_files([file]))).identity
    public_key = base64.b64encode(identity.public_key).decode()
    if as_json:
        print_json({"silo": identity.silo, "public_key": public_key, "fingerprint": identity.fingerprint})
    else:
        typer.echo(f'{json.dumps(identity.silo)} = "{public_key}"')
        say(f"fingerprint {identity.fingerprint}: compare it over another channel")


@app.command(cls=Command, epilog=example("mixroom silo pin north.toml south 'q2n…='"))
def pin(
    file: SiloFile,
    peer: Annotated[str, typer.Argument(help="The other silo's name.")],
    public_key: Annotated[str, typer.Argument(help="Its public key, as `mixroom silo key` shows it.")],
) -> None:
    """Trust another silo's key in secure sums."""
    from clients.silo_home import SiloHome
    from mmm_models.intake.silo_file import read_silo_spec

    home = SiloHome.of(read_silo_spec(*silo_files([file])))
    home.pin(peer, public_key)
    say(f"{home.silo} now trusts the key of {peer}")


@app.command("pin-enclave", cls=Command, epilog=example("mixroom silo pin-enclave north.toml 'MIIB…='"))
def pin_enclave(
    file: SiloFile,
    root: Annotated[str, typer.Argument(help="The root's certificate, as `mixroom enclave root` shows it.")],
) -> None:
    """Trust the coordinator's enclaves: those attested under this root.

    Compare the fingerprint with its operator over another channel. What runs in them is measured, and compared with
    this installation.
    """
    from clients.silo_home import SiloHome
    from mmm_models.intake.silo_file import read_silo_spec
    from privacy.enclave.certificate_chain import is_emulated_root
    from privacy.identity import fingerprint

    home = SiloHome.of(read_silo_spec(*silo_files([file])))
    certificate = certificate_in(root)
    home.pin_enclave_root(certificate)
    kind = (
        "an emulated root, which root on its machine gets round"
        if is_emulated_root(certificate)
        else "a root"
    )
    say(f"{home.silo} now trusts enclaves under {kind}: {fingerprint(certificate)}")


@app.command(cls=Command, epilog=example("mixroom silo budget north.toml --json"))
def budget(file: SiloFile, as_json: AsJson = False) -> None:
    """Show what was spent of the silo's lifetime privacy budget on what, and what is left."""
    from clients.silo_home import SiloHome
    from mixroom.budget_text import budget_json, budget_text
    from mmm_models.intake.silo_file import read_silo_spec
    from privacy.ledger.budget_outlook import budget_outlook

    home = SiloHome.of(read_silo_spec(*silo_files([file])))
    ledger = home.ledger
    if ledger.newly_witnessed:
        say(f"{home.silo}'s ledger was not known here before; from now on an older copy of it is noticed")
    outlook = budget_outlook(ledger.summary())
    if as_json:
        print_json(budget_json(home.silo, outlook))
    else:
        typer.echo(budget_text(home.silo, outlook))
