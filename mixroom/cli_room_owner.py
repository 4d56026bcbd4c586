"""`mixroom room hash | rules | upload | match | delete | keys`: what an owner of data does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixroom.cli_help import Command, example
from mixroom.errors import UsageError
from mixroom.output import AsJson, print_json, say, table
from mixroom.room_homes import HomeOption, client, party_home

if TYPE_CHECKING:
    from cleanroom.partner.table_upload import UploadProgressNote

Dataset = Annotated[str, typer.Option("--dataset", help="The dataset's name.")]


def add_commands(app: typer.Typer) -> None:
    """Mount them."""
    for name, command, short, line in (
        (
            "hash",
            hash_table,
            "Replace identifiers by tokens.",
            "mixroom room hash crm.csv --column email --out crm-hashed.csv",
        ),
        (
            "rules",
            rules,
            "Sign a dataset's rules, or show all.",
            "mixroom room rules crm.toml --home room/acme",
        ),
        (
            "upload",
            upload,
            "Seal a table here and send it.",
            "mixroom room upload crm-hashed.csv --dataset crm",
        ),
        ("match", match, "Count people shared with other datasets.", "mixroom room match crm"),
        ("delete", delete, "Destroy a table's key.", "mixroom room delete crm --yes"),
        ("keys", keys, "List or replace your API keys.", "mixroom room keys --rotate"),
    ):
        app.command(name, cls=Command, short_help=short, epilog=example(line))(command)


def hash_table(
    file: Annotated[Path, typer.Argument(help="A CSV or Parquet file on this machine.")],
    column: Annotated[str, typer.Option(help="The column with e-mail addresses, phone numbers or ids.")],
    out: Annotated[Path, typer.Option(help="The file to write, of the same format.")],
    token_column: Annotated[str, typer.Option(help="What the tokens' column is called.")] = "user_hash",
    leave_out: Annotated[
        list[str] | None, typer.Option(help="A column not to copy; may be repeated.")
    ] = None,
    region: Annotated[str, typer.Option(help="Where phone numbers without country code belong.")] = "",
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Replace identifiers by tokens under the collaboration's key; nothing leaves this machine.

    Rows whose identifier does not normalise are left out and counted.
    """
    from cleanroom.partner.hash_file import HashOrder, hash_file

    key = party_home(home).identity_key
    order = HashOrder(column, key, token_column, region, frozenset(leave_out or ()))
    report = hash_file(file, out, order)
    previews = {
        str(item.rule): {"rows": item.normalised_rows, "people": item.distinct} for item in report.previews
    }
    problems = {str(problem): rows for problem, rows in report.problems.items()}
    say(f"{report.hashed} of {report.rows} rows, {report.distinct_people} people, written to {out}")
    if as_json:
        counts = {"rows": report.rows, "hashed": report.hashed, "people": report.distinct_people}
        print_json({**counts, "left_out": problems, "by_rule": previews})
        return
    for problem, rows in sorted(problems.items()):
        typer.echo(f"left out: {rows} rows, {problem}")
    for rule, counts in previews.items():
        typer.echo(f"under {rule}: {counts['rows']} rows, {counts['people']} people")


def rules(
    file: Annotated[Path | None, typer.Argument(help="A dataset's document, TOML or JSON.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Show the rules in force instead.")] = False,
    home: HomeOption = None,
) -> None:
    """Sign and propose a dataset's columns and rules, or show those of all datasets.

    A new dataset's rules are in force at once; later changes wait for the owners they affect.
    """
    from cleanroom.rules.analysis_rule import RuleDocument

    if show == (file is not None):
        raise UsageError("name a document, or --show", hint="see `mixroom room rules --help`")
    with client(home) as room:
        if file is None:
            listed = room.datasets().datasets
            print_json({item.name: {"owner": item.owner, "rules": item.rules} for item in listed})
            return
        document = RuleDocument.parse(file.read_bytes(), name=str(file))
        proposal = room.propose_rules(document)
    if proposal.waiting_for:
        say(f"the rules of {document.dataset} wait for {', '.join(proposal.waiting_for)}")
    else:
        say(f"the rules of {document.dataset} are {proposal.state}")
    typer.echo(proposal.id)


def upload(
    file: Annotated[Path, typer.Argument(help="The hashed table, CSV or Parquet.")],
    dataset: Dataset,
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Check a table against its rules, seal it on this machine, and send it; print the version's id.

    Its key stays in your home: questions on the table are answered while `mixroom room broker` runs there.
    """
    with client(home) as room:
        done = room.upload(file, dataset, progress=_Narrator())
    if done.dropped:
        say(f"left out, as the rules do not name them: {', '.join(done.dropped)}")
    say(
        f"{dataset} has {done.rows} rows now, {done.sealed_bytes} bytes sealed; back up the home, which has its key"
    )
    say(f"questions on it are answered while you run: mixroom room broker --home {room.home.folder}")
    if as_json:
        print_json(done.version.model_dump(mode="json"))
    else:
        typer.echo(done.version.id)


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


def delete(
    dataset: Annotated[str, typer.Argument(help="The dataset whose table is destroyed.")],
    version: Annotated[str, typer.Option(help="Another version than the current one.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it: it cannot be undone.")] = False,
    home: HomeOption = None,
) -> None:
    """Destroy a table's key in your home first, then remove the table from the service; the audit log proves it."""
    from cleanroom.partner.room_client import ready_version

    if not yes:
        raise UsageError("destroying a table cannot be undone; nothing was changed", hint="add --yes")
    with client(home) as room:
        chosen = version or ready_version(room.dataset(dataset))
        had_key = room.has_had_key(chosen)
        destroyed = room.destroy(dataset, chosen)
    if not had_key:
        say("its key was never in this home: destroy it where the table was uploaded too")
    say(f"{dataset} {chosen} is destroyed; the audit log has said since the upload which key it was")
    typer.echo(destroyed.key_commitment)


def keys(
    rotate: Annotated[bool, typer.Option("--rotate", help="Replace the key of this home.")] = False,
    recover: Annotated[
        bool, typer.Option("--recover", help="Get a new key by your signature; all others end.")
    ] = False,
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """List your API keys, or replace the one this home uses, also when it is lost, stolen or expired."""
    with client(home) as room:
        if recover:
            room.recover_key(end_others=True)
            say("the home uses a new key; all others have ended")
            return
        if rotate:
            issued = room.rotate_key()
            say(f"the home uses a new key, valid until {issued.expires:%Y-%m-%d}; the old one has ended")
            typer.echo(issued.id)
            return
        listed = room.keys().keys
    if as_json:
        print_json([key.model_dump(mode="json") for key in listed])
        return
    rows = [
        [key.id, key.label or "-", f"{key.expires:%Y-%m-%d}", "ended" if key.ended else "valid"]
        for key in listed
    ]
    typer.echo(table(["key", "label", "expires", "state"], rows))


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


class _Narrator:
    """A line at each tenth of what is sent, unless it is sent in a blink."""

    def __init__(self) -> None:
        self._told = 0

    def __call__(self, note: UploadProgressNote) -> None:
        tenth = 10 * note.bytes_sent // note.bytes_in_all if note.bytes_in_all else 0
        if tenth > self._told and note.bytes_in_all >= 1_000_000:
            self._told = tenth
            say(f"sent {note.bytes_sent / 1e6:.1f} of {note.bytes_in_all / 1e6:.1f} MB")
