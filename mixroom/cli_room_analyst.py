"""`mixroom room query | dry-run | templates | budget`: what an analyst does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixroom.cli_help import Command, example
from mixroom.errors import UsageError
from mixroom.output import AsJson, print_json, say
from mixroom.room_answers import GivenQuestion, narrate, shown
from mixroom.room_homes import HomeOption, client

if TYPE_CHECKING:
    from cleanroom.partner.room_client import RoomClient

Question = Annotated[str, typer.Argument(help="SQL, a file that holds it, or - for stdin.")]
Template = Annotated[str, typer.Option("--template", help="Ask this approved template instead of SQL.")]
Parameter = Annotated[
    list[str] | None, typer.Option("--parameter", help="name=value for a :name in it; may be repeated.")
]
Epsilon = Annotated[float, typer.Option(help="Spend less than the rules' usual; only in dp mode.")]


def add_commands(app: typer.Typer) -> None:
    """Mount them."""
    for name, command, short, line in (
        (
            "query",
            query,
            "Ask in SQL or by template.",
            'mixroom room query "SELECT COUNT(DISTINCT person) FROM crm" --out release.json',
        ),
        ("dry-run", dry_run, "See what a question would come to.", "mixroom room dry-run question.sql"),
        (
            "templates",
            templates,
            "List or propose templates.",
            "mixroom room templates --propose reach_and_frequency",
        ),
        ("budget", budget, "Show what is left of all budgets.", "mixroom room budget --json"),
    ):
        app.command(name, cls=Command, short_help=short, epilog=example(line))(command)


def query(
    question: Question = "",
    template: Template = "",
    parameter: Parameter = None,
    epsilon: Epsilon = 0.0,
    out: Annotated[Path | None, typer.Option(help="Keep the signed release in this file.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the rows as CSV.")] = False,
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Ask a question; print the released numbers.

    Groups of too few people, or that could be derived for so few, may be missing. The price is taken before data
    are touched, and kept when the query fails.
    """
    given = GivenQuestion.read(question, template, parameter, epsilon)
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise UsageError(
            f"{out} cannot be a file; nothing was asked", hint="name a file in a folder that exists"
        )
    with client(home) as room:
        if out is not None:
            room.verify_record()  # what the release is verified against later, without the service
        answer = room.questions.ask(given.question(_declared(room, template)))
    if out is not None:
        out.write_text(json.dumps(answer.release, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        say(f"the signed release is in {out}")
    narrate(answer)
    if as_json:
        print_json(answer.release["body"]["result"])
    else:
        typer.echo(shown(answer.release["body"]["result"], as_csv=as_csv))


def dry_run(
    question: Question = "",
    template: Template = "",
    parameter: Parameter = None,
    epsilon: Epsilon = 0.0,
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Show what a question would come to: verdict, price, noise. Nothing is charged, no data are touched."""
    from cleanroom.errors import QueryRefused, Reason

    given = GivenQuestion.read(question, template, parameter, epsilon)
    with client(home) as room:
        verdict = room.questions.dry_run(given.question(_declared(room, template)))
    if as_json:
        print_json(verdict.model_dump(mode="json"))
    elif verdict.allowed:
        typer.echo(f"allowed on {', '.join(verdict.datasets)}, {verdict.mode} mode")
        typer.echo(f"price: epsilon {verdict.epsilon:g}, delta {verdict.delta:g}")
        for line in verdict.expected_noise:
            typer.echo(
                f"noise of {line.function} in release {line.release}: 95 % within {line.half_width_95:g}"
            )
        for item in verdict.budgets:
            typer.echo(f"{item.dataset}: {item.words}")
        typer.echo(f"notice: {verdict.notice}")
    if not verdict.allowed:
        reasons = [Reason(item.code, item.message, item.fix) for item in verdict.reasons]
        raise QueryRefused("it would be refused", hint="mend what is listed", reasons=reasons)


def templates(
    propose: Annotated[str, typer.Option(help="Propose this built-in template, or one of your own.")] = "",
    file: Annotated[Path | None, typer.Option(help="The SQL of your own, with :names in it.")] = None,
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """List approved and built-in templates, or propose one to every owner whose table it reads."""
    from cleanroom.query.template_library import BUILT_IN

    if file is not None and not propose:
        raise UsageError("a template needs a name", hint="add --propose NAME")
    with client(home) as room:
        if propose:
            proposal = room.propose_template(propose, _template(propose, file))
            waits = ", ".join(proposal.waiting_for)
            say(f"template {propose} {f'waits for {waits}' if waits else f'is {proposal.state}'}")
            typer.echo(proposal.id)
            return
        approved = room.questions.templates().templates
    if as_json:
        print_json([item.model_dump(mode="json") for item in approved])
        return
    titles = {item.name: ("built in", item.title) for item in BUILT_IN}
    titles |= {item.name: ("approved", str(item.template.get("title", ""))) for item in approved}
    for name, (state, title) in sorted(titles.items(), key=lambda item: (item[1][0], item[0])):
        typer.echo(f"{name:<22} {state:<9} {title}".rstrip())


def budget(home: HomeOption = None, as_json: AsJson = False) -> None:
    """Show what is left of every dataset's privacy budget and of the day's queries."""
    with client(home) as room:
        budgets = room.questions.budget().budgets
    if as_json:
        print_json([item.model_dump(mode="json") for item in budgets])
        return
    for item in budgets:
        left = "" if item.queries_left is None else f"; {item.queries_left} queries left today"
        typer.echo(f"{item.dataset} ({item.owner}): {item.words}{left}")


def _declared(room: RoomClient, template: str) -> dict[str, str]:
    """The kinds of values that an approved template says it takes."""
    for item in room.questions.templates().templates if template else ():
        if item.name == template:
            return {str(name): str(kind) for name, kind in dict(item.template.get("parameters", {})).items()}
    return {}


def _template(name: str, file: Path | None) -> dict[str, object]:
    from cleanroom.query.template_library import BUILT_IN

    if file is not None:
        return {"title": name, "sql": file.read_text(encoding="utf-8")}
    for item in BUILT_IN:
        if item.name == name:
            kinds = {parameter: str(kind) for parameter, kind in item.parameters.items()}
            return {"title": item.title, "sql": item.sql, "parameters": kinds}
    raise UsageError(
        f"there is no built-in template {name:.40}", hint="see `mixroom room templates`, or give a --file"
    )
