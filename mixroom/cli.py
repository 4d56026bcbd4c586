"""The `mixroom` command: results on stdout, narration on stderr, errors as `error:` and `hint:`."""

import sys

import click
import typer

from mixroom import cli_silo, cli_train, cli_world
from mixroom.errors import explain

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Measure marketing together without handing over data.\n\nExample: mixroom demo",
)
app.add_typer(cli_silo.app, name="silo")
cli_train.add_commands(app)
cli_world.add_commands(app)


def main(arguments: list[str] | None = None) -> None:
    """Entry point: every failure becomes two lines and an exit code (1: refused or failed, 2: usage)."""
    try:
        app(args=arguments, standalone_mode=False)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.ClickException as error:
        _fail(error.format_message(), "see `mixroom --help`, or `mixroom COMMAND --help`", 2)
    except (KeyboardInterrupt, click.exceptions.Abort):
        _fail("interrupted; finished rounds are kept", "run the same command with --resume", 130)
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        _fail(known.message, known.hint, 1)


def _fail(message: str, hint: str, code: int) -> None:
    sys.stdout.flush()
    typer.echo(f"error: {message}", err=True)
    if hint:
        typer.echo(f"hint: {hint}", err=True)
    sys.exit(code)
