"""`mixroom silo ...`: what a data owner does on its own machine."""

import base64
import json
from pathlib import Path
from typing import Annotated

import typer

from mixroom.output import AsJson, print_json, say

app = typer.Typer(
    no_args_is_help=True, help="A data owner's own commands: check data, show and pin keys, read the budget."
)
SiloFile = Annotated[Path, typer.Argument(help="The silo's TOML file.")]


@app.command()
def check(file: SiloFile, as_json: AsJson = False) -> None:
    """Report every problem of a silo's data in one pass.

    Example: mixroom silo check north.toml
    """
    from mmm_models.intake.panel_report import render_text
    from mmm_models.panel_io import check_silo

    report = check_silo(file)
    typer.echo(report.to_json() if as_json else render_text(report))
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def key(file: SiloFile, as_json: AsJson = False) -> None:
    """Show the silo's public key, for other silos' owners to pin.

    Example: mixroom silo key north.toml
    """
    from clients.silo_home import SiloHome
    from mmm_models.intake.silo_file import read_silo_spec

    identity = SiloHome.of(read_silo_spec(file)).identity
    public_key = base64.b64encode(identity.public_key).decode()
    if as_json:
        print_json({"silo": identity.silo, "public_key": public_key, "fingerprint": identity.fingerprint})
    else:
        typer.echo(f'{json.dumps(identity.silo)} = "{public_key}"')
        say(f"fingerprint {identity.fingerprint}: compare it over another channel")


@app.command()
def pin(
    file: SiloFile,
    peer: Annotated[str, typer.Argument(help="The other silo's name.")],
    public_key: Annotated[str, typer.Argument(help="Its public key, as `mixroom silo key` shows it.")],
) -> None:
    """Trust another silo's key in secure sums.

    Example: mixroom silo pin north.toml south 'q2n…='
    """
    from clients.silo_home import SiloHome
    from mmm_models.intake.silo_file import read_silo_spec

    home = SiloHome.of(read_silo_spec(file))
    home.pin(peer, public_key)
    say(f"{home.silo} now trusts the key of {peer}")


@app.command()
def budget(file: SiloFile, as_json: AsJson = False) -> None:
    """Show what was spent of the silo's lifetime privacy budget, and what is left.

    Example: mixroom silo budget north.toml
    """
    from clients.silo_home import SiloHome
    from mmm_models.intake.silo_file import read_silo_spec

    home = SiloHome.of(read_silo_spec(file))
    summary = home.ledger.summary()
    if as_json:
        print_json(
            {
                "silo": home.silo,
                "lifetime_epsilon": summary.limit.epsilon,
                "lifetime_delta": summary.limit.delta,
                "spent_epsilon": summary.spent,
                "left_epsilon": summary.left,
                "charges": [{"run_id": c.run_id, "purpose": c.purpose} for c in summary.charges],
            }
        )
        return
    typer.echo(
        f"{home.silo}: epsilon {summary.spent:.3g} of {summary.limit.epsilon:g} spent in {len(summary.charges)} runs"
    )
    typer.echo(
        f"one more run may use up to epsilon {summary.left:.3g} (delta {summary.limit.delta:g}, unit-level)"
    )
