"""The `mixroom` command: results on stdout, narration on stderr, errors as `error:` and `hint:`."""

import os
import sys
import traceback

import click
import typer

from mixroom import (
    cli_compare,
    cli_enclave,
    cli_explain,
    cli_key_holder,
    cli_lab,
    cli_plan,
    cli_room,
    cli_serve,
    cli_silo,
    cli_train,
    cli_uplift,
    cli_world,
)
from mixroom.cli_help import SETTINGS, Group, example
from mixroom.errors import READER_GONE, USAGE, Explanation, Interrupted, explain, wants_traceback

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    suggest_commands=False,  # click names the nearest itself
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=SETTINGS,
    help="Measure marketing together without handing over data.\n\n"
    "Results go to stdout, narration to stderr. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, "
    "130 interrupted, 141 the reader of a pipe left.",
    epilog=example("mixroom demo"),
)
cli_compare.add_demo(app)
app.add_typer(cli_silo.app, name="silo")
app.add_typer(cli_key_holder.app, name="key-holder")
app.add_typer(cli_room.app, name="room")
app.add_typer(cli_enclave.app, name="enclave")
app.add_typer(cli_lab.app, name="lab")
cli_train.add_commands(app)
cli_explain.add_commands(app)
cli_plan.add_commands(app)
cli_serve.add_commands(app)
cli_uplift.add_commands(app)
cli_world.add_commands(app)
cli_compare.add_commands(app)


def main(arguments: list[str] | None = None) -> None:
    """Entry point: every failure becomes two lines on stderr and an exit code."""
    # Before torch loads: threads that wait by spinning make a busy machine ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    given = sys.argv[1:] if arguments is None else arguments
    try:
        command = typer.main.get_command(app)
        with command.make_context("mixroom", list(given), obj=tuple(given)) as context:
            command.invoke(context)
        sys.stdout.flush()
        code = 0
    except click.exceptions.Exit as leave:
        code = leave.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        typer.echo(error.format_message(), err=True)
        code = USAGE
    except click.ClickException as error:
        code = _fail(_usage(error))
    except BrokenPipeError:
        code = _leave_quietly()
    except KeyboardInterrupt:
        code = _fail(explain(Interrupted("interrupted", hint="run the same command again")))
    except Exception as error:
        if wants_traceback():
            traceback.print_exc()
        code = _fail(explain(error))
    sys.exit(code)


def _usage(error: click.ClickException) -> Explanation:
    """Click's complaint, with the help that lists what would have been right."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "mixroom"
    return Explanation(error.format_message(), f"see `{command} --help`", USAGE)


def _fail(explanation: Explanation) -> int:
    sys.stdout.flush()
    typer.echo(explanation.lines, err=True)
    return explanation.code


def _leave_quietly() -> int:
    """Whoever read our output has gone; Python would complain once more when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return READER_GONE
