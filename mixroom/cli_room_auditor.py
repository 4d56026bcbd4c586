"""`mixroom room audit | verify-release`: what anybody in the room checks on its own machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mixroom.cli_help import Command, example
from mixroom.output import AsJson, print_json, say, table
from mixroom.room_homes import HomeOption, client, party_home


def add_commands(app: typer.Typer) -> None:
    """Mount them."""
    for name, command, short, line in (
        ("audit", audit, "Show or verify the log.", "mixroom room audit --verify"),
        (
            "verify-release",
            verify_release,
            "Verify a release offline.",
            "mixroom room verify-release release.json --home room/acme",
        ),
    ):
        app.command(name, cls=Command, short_help=short, epilog=example(line))(command)


def audit(
    verify: Annotated[bool, typer.Option("--verify", help="Verify the whole log on this machine.")] = False,
    after: Annotated[int, typer.Option(help="Start after this entry.")] = 0,
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Show who did what, or verify that no entry was changed, moved or removed, and who signed what is in force."""
    with client(home) as room:
        if verify:
            room.verify_record()
            verified = room.verify_audit()
            head = verified.head
            say(
                f"{len(verified.entries)} entries, unbroken; the service has signed the first {verified.vouched}"
            )
            say("every member and every rule in force carries the signatures it needed")
            say("this home keeps the head: a later log that lacks it was cut")
            typer.echo(f"{head.sequence} {head.digest}")
            return
        entries = room.audit(after=after).entries
    if as_json:
        print_json([entry.model_dump(mode="json") for entry in entries])
        return
    rows = [[str(entry.sequence), entry.at[:19], entry.actor, entry.action] for entry in entries]
    typer.echo(table(["no", "at", "who", "what"], rows))


def verify_release(
    file: Annotated[Path, typer.Argument(help="A release, as `mixroom room query --out` keeps it.")],
    allow: Annotated[
        list[str] | None,
        typer.Option(help="A measurement to trust besides this installation's; may be repeated."),
    ] = None,
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Verify a release without the service: who attested its worker, and for which question, rules, tables and price.

    Code that is neither this installation's nor allowed is refused: the release may be genuine, and of other code.
    """
    from cleanroom.errors import ReleaseUnverified
    from cleanroom.partner.installed_worker import known_measurements
    from cleanroom.partner.release_verification import ReleaseTrust
    from cleanroom.partner.release_verification import verify_release as verify

    place = party_home(home)
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ReleaseUnverified(f"{file} is not JSON", hint="ask for the release again") from error
    room = place.room
    trust = ReleaseTrust(room.collaboration, room.enclave_root, known_measurements(allow or ()))
    verified = verify(document, trust, record=place.record)
    if as_json:
        print_json(
            {"verified": True, "proved": list(verified.proved), "not_proved": list(verified.not_proved)}
        )
        return
    for line in verified.proved:
        typer.echo(f"proved: {line}")
    for line in verified.not_proved:
        typer.echo(f"not proved: {line}")
