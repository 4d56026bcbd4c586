"""`mixroom room query | dry-run | templates | budget | match | verify-release`: what an analyst does."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixroom.cli_help import Command, example
from mixroom.errors import UsageError
from mixroom.output import AsJson, print_json, say, table
from mixroom.room_homes import HomeOption, client, party_home

if TYPE_CHECKING:
    from cleanroom.partner.room_questions import QuestionText
    from cleanroom.service.query_bodies import AnswerBody

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
        ("match", match, "Count people shared with other datasets.", "mixroom room match crm"),
        (
            "verify-release",
            verify_release,
            "Verify a release offline.",
            "mixroom room verify-release release.json --home room/acme",
        ),
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
    asked = _question(question, template, parameter, epsilon)
    with client(home) as room:
        answer = room.questions.ask(asked)
    if out is not None:
        out.write_text(json.dumps(answer.release, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        say(f"the signed release is in {out}")
    _narrate(answer)
    if as_json:
        print_json(answer.release["body"]["result"])
    else:
        typer.echo(_shown(answer.release["body"]["result"], as_csv=as_csv))


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

    asked = _question(question, template, parameter, epsilon)
    with client(home) as room:
        verdict = room.questions.dry_run(asked)
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
    propose: Annotated[
        str, typer.Option(help="Propose this built-in template to the owners it concerns.")
    ] = "",
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """List approved templates and built-in ones, or propose a built-in one."""
    from cleanroom.query.template_library import BUILT_IN

    if propose:
        chosen = next((item for item in BUILT_IN if item.name == propose), None)
        if chosen is None:
            raise UsageError(f"there is no built-in template {propose:.40}", hint="mixroom room templates")
        with client(home) as room:
            proposal = room.propose_template(chosen.name, {"title": chosen.title, "sql": chosen.sql})
        waits = (
            f"waits for {', '.join(proposal.waiting_for)}" if proposal.waiting_for else f"is {proposal.state}"
        )
        say(f"template {chosen.name} {waits}")
        typer.echo(proposal.id)
        return
    with client(home) as room:
        approved = room.questions.templates().templates
    if as_json:
        print_json([item.model_dump(mode="json") for item in approved])
        return
    rows = [[item.name, "approved", str(item.template.get("title", ""))] for item in approved]
    names = {item.name for item in approved}
    rows += [[item.name, "built in", item.title] for item in BUILT_IN if item.name not in names]
    typer.echo(table(["template", "state", "what"], rows))


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


def match(
    dataset: Annotated[str, typer.Argument(help="Your dataset.")],
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Count the people your dataset shares with each other one, through ordinary queries under all rules."""
    from cleanroom.errors import RoomError
    from cleanroom.partner.room_questions import QuestionText

    found: dict[str, int | None] = {}
    with client(home) as room:
        listed = {item.name: item for item in room.datasets().datasets}
        if dataset not in listed:
            raise UsageError(
                f"there is no dataset {dataset:.40}", hint="mixroom room rules --show lists them"
            )
        for other in sorted(listed.keys() - {dataset}):
            sql = _match_sql(listed[dataset].rules, listed[other].rules)
            try:
                rows = room.questions.ask(QuestionText(sql)).release["body"]["result"]["rows"]
            except RoomError as error:
                say(f"{other}: {error}")
                continue
            found[other] = rows[0][0] if rows else None
    if as_json:
        print_json(found)
        return
    for other, people in found.items():
        typer.echo(f"{other}: {'too few people, or none' if people is None else people}")


def verify_release(
    file: Annotated[Path, typer.Argument(help="A release, as `mixroom room query --out` keeps it.")],
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Verify a release without the service: signature, result, plan, rules and tables belong together."""
    from cleanroom.errors import ReleaseUnverified
    from cleanroom.partner.release_verification import verify_release as verify

    place = party_home(home)
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ReleaseUnverified(f"{file} is not JSON", hint="ask for the release again") from error
    room = place.room
    verified = verify(document, room.worker_keys, collaboration=room.collaboration, record=place.record)
    if as_json:
        print_json(
            {"verified": True, "proved": list(verified.proved), "not_proved": list(verified.not_proved)}
        )
        return
    for line in verified.proved:
        typer.echo(f"proved: {line}")
    for line in verified.not_proved:
        typer.echo(f"not proved: {line}")


def _question(text: str, template: str, parameters: list[str] | None, epsilon: float) -> QuestionText:
    from cleanroom.partner.room_questions import QuestionText

    if bool(text) == bool(template):
        raise UsageError("give SQL, a file or -, or else --template", hint="see `mixroom room query --help`")
    return QuestionText(_sql(text), template, dict(map(_parameter, parameters or ())), epsilon)


def _sql(text: str) -> str:
    if text == "-":
        return sys.stdin.read()
    is_file = "\n" not in text and len(text) < 255 and Path(text).is_file()
    return Path(text).read_text(encoding="utf-8") if is_file else text


def _parameter(text: str) -> tuple[str, str | int | float]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"{text:.40} is not name=value", hint="write --parameter week=2026-01-05")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


def _narrate(answer: AnswerBody) -> None:
    body = answer.release["body"]
    charge = body["charge"]
    if answer.cached:
        say("this question was answered before; nothing was charged")
    elif charge["epsilon"]:
        say(f"charged epsilon {charge['epsilon']:g}, delta {charge['delta']:g}")
    say(str(body["notice"]))


def _shown(result: Mapping[str, Any], *, as_csv: bool) -> str:
    header = [str(column["name"]) for column in result["columns"]]
    rows = [["" if value is None else str(value) for value in row] for row in result["rows"]]
    if not as_csv:
        return table(header, rows)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().rstrip("\n")


def _match_sql(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    sides = [
        (
            rules["dataset"],
            next(name for name, column in rules["columns"].items() if column["role"] == "identity"),
        )
        for rules in (one, other)
    ]
    (mine, my_person), (theirs, their_person) = sides
    return (
        f"SELECT COUNT(DISTINCT a.{my_person}) AS people FROM {mine} AS a "
        f"JOIN {theirs} AS b ON a.{my_person} = b.{their_person}"
    )
