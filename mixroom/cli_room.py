"""`mixroom room ...`: found a clean room, join one, and agree on what may be asked in it."""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from mixroom import (
    cli_room_analyst,
    cli_room_auditor,
    cli_room_broker,
    cli_room_demo,
    cli_room_owner,
    cli_room_replay,
    cli_room_service,
)
from mixroom.cli_help import Command, Group, example
from mixroom.errors import UsageError
from mixroom.output import AsJson, print_json, say, table
from mixroom.room_homes import HomeOption, Insecure, client, new_home

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    suggest_commands=False,
    help="The clean room: partners' sealed tables joined, only safe aggregates come out.",
    short_help="The clean room: sealed tables in, safe aggregates out.",
    epilog=example('mixroom room query "SELECT COUNT(*) FROM crm" --home room/acme'),
)
cli_room_demo.add_commands(app)  # first in the list
Choice = TypeVar("Choice", bound=StrEnum)
Roles = Annotated[list[str], typer.Option("--role", help="owner, analyst or auditor; may be repeated.")]


@app.command(
    cls=Command,
    short_help="Found a collaboration.",
    epilog=example("mixroom room create Spring --as acme --url https://room.example --code -"),
)
def create(
    name: Annotated[str, typer.Argument(help="What the collaboration is called.")],
    party: Annotated[str, typer.Option("--as", help="Your name in it: a-z, 0-9 and -.")],
    url: Annotated[str, typer.Option(help="The service's URL.")],
    code: Annotated[str, typer.Option(help="The operator's founding code; - reads it from stdin.")],
    kind: Annotated[str, typer.Option(help="What people are recognised by: email, phone or id.")] = "email",
    rule: Annotated[str, typer.Option(help="How it is spelt: uid2, google, meta or opaque.")] = "uid2",
    home: HomeOption = None,
    insecure: Insecure = False,
) -> None:
    """Found a collaboration, make your keys, and print the collaboration's id."""
    from cleanroom.governance.secret_text import Secret
    from cleanroom.partner.joining import Founding, found
    from privacy.identifiers import IdentifierKind, IdentifierRule

    chosen = (_choice(IdentifierKind, kind, "--kind"), _choice(IdentifierRule, rule, "--rule"))
    place = new_home(home, party)
    founding = Founding(name, party, url, *chosen, insecure=insecure)
    room = found(place, founding, Secret(_given(code)))
    say(f"{party} founded {name}; its keys are in {place.folder}, back them up")
    say(f"fingerprint {place.keys.public.fingerprint}: tell it to the others over another channel")
    say(f"workers must be attested under the root {room.root_fingerprint}: compare it with the operator's")
    typer.echo(room.collaboration)


@app.command(
    cls=Command,
    short_help="Print an invitation.",
    epilog=example("mixroom room invite beta --role owner > beta.invitation"),
)
def invite(
    member: Annotated[str, typer.Argument(help="The invited party's name: a-z, 0-9 and -.")],
    role: Roles,
    fingerprint: Annotated[str, typer.Option(help="Admit only keys with this fingerprint.")] = "",
    home: HomeOption = None,
) -> None:
    """Print an invitation, once every owner has signed the membership.

    Send the text over a channel you trust: whoever has it can join. Run again after the others approved.
    """
    from cleanroom.governance.principal import MemberRole

    roles = frozenset(_choice(MemberRole, word, "--role") for word in role)
    with client(home) as room:
        invited = room.invite(member, roles, fingerprint=fingerprint)
    if invited.text is None:
        say(f"proposal {invited.proposal} waits for {', '.join(invited.waiting_for)}; then run this again")
    else:
        say("the invitation is valid for 7 days and one use; send it over a channel you trust")
        typer.echo(invited.text.reveal())


@app.command(
    cls=Command,
    short_help="Join a collaboration.",
    epilog=example("mixroom room accept beta.invitation --home room/beta"),
)
def accept(
    invitation: Annotated[str, typer.Argument(help="The invitation's file or text; - reads it from stdin.")],
    home: HomeOption = None,
    insecure: Insecure = False,
) -> None:
    """Join a collaboration: check the invitation, make your keys, sign the terms, print its id."""
    from cleanroom.partner.invitation_text import PREFIX, Invitation
    from cleanroom.partner.joining import accept as join

    text = invitation if invitation.startswith(PREFIX) else _given(invitation, or_file=True)
    read = Invitation.read(text)
    place = new_home(home, "me")
    room = join(place, read, insecure=insecure)
    say(f"{room.member} joined; its keys are in {place.folder}, back them up")
    say(f"{read.inviter}'s fingerprint is {read.inviter_fingerprint}; yours {place.keys.public.fingerprint}")
    typer.echo(room.collaboration)


@app.command(
    cls=Command,
    short_help="List proposals and missing signatures.",
    epilog=example("mixroom room proposals --json"),
)
def proposals(
    proposal: Annotated[str, typer.Argument(help="Show the whole text of this one.")] = "",
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """List what was proposed, who has signed, and whose signature is missing; or show one before you sign it."""
    if proposal:
        _require_proposal_id(proposal)
        with client(home) as room:
            print_json(room.proposal(proposal).model_dump(mode="json")["content"])
        return
    with client(home) as room:
        listed = room.proposals()
    if as_json:
        print_json(listed.model_dump(mode="json")["proposals"])
        return
    rows = [
        [item.id, str(item.sequence), item.kind, item.proposer, item.state, ",".join(item.waiting_for) or "-"]
        for item in listed.proposals
    ]
    typer.echo(table(["proposal", "no", "kind", "by", "state", "waits for"], rows))


@app.command(
    cls=Command,
    short_help="Sign or decline a proposal.",
    epilog=example("mixroom room approve pro-abcdefgh23456722"),
)
def approve(
    proposal: Annotated[str, typer.Argument(help="Its id, as `mixroom room proposals` shows it.")],
    decline: Annotated[bool, typer.Option("--decline", help="End it for good instead.")] = False,
    home: HomeOption = None,
) -> None:
    """Sign a proposal of another member; its whole text is shown."""
    _require_proposal_id(proposal)
    with client(home) as room:
        view = room.decline(proposal) if decline else room.approve(proposal)
    say(f"{view.kind} proposed by {view.proposer}, number {view.sequence}, is {view.state}")
    if view.waiting_for:
        say(f"it still waits for {', '.join(view.waiting_for)}")
    print_json(view.content)


def _require_proposal_id(proposal: str) -> None:
    if not re.fullmatch("pro-[a-z2-7]{16}", proposal):
        raise UsageError(f"{proposal:.40} is not a proposal's id", hint="`mixroom room proposals` lists them")


def _given(text: str, *, or_file: bool = False) -> str:
    if text == "-":
        return sys.stdin.read().strip()
    if or_file:
        return Path(text).read_text(encoding="utf-8")
    return text


def _choice(kind: type[Choice], word: str, option: str) -> Choice:
    try:
        return kind(word)
    except ValueError as error:
        known = ", ".join(str(item) for item in kind)
        raise UsageError(f"{option} {word:.40} is none of {known}", hint=f"choose one of {known}") from error


cli_room_owner.add_commands(app)
cli_room_broker.add_commands(app)
cli_room_analyst.add_commands(app)
cli_room_auditor.add_commands(app)
cli_room_replay.add_command(app)
cli_room_service.add_commands(app)
