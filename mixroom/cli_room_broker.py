"""`mixroom room broker | broker-log | rotate-key`: an owner's keys, and who was given them."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixroom.cli_help import Command, example
from mixroom.errors import UsageError
from mixroom.output import AsJson, print_json, say
from mixroom.room_homes import HomeOption, party_home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cleanroom.broker.allowed_code import CodeRules
    from cleanroom.partner.party_home import PartyHome

Allow = Annotated[
    list[str] | None, typer.Option("--allow", help="Give keys to this measurement too; may be repeated.")
]


def add_commands(app: typer.Typer) -> None:
    """Mount them."""
    for name, command, short, line in (
        ("broker", broker, "Give your keys to attested workers.", "mixroom room broker --home room/acme"),
        ("broker-log", broker_log, "Show who was given your keys.", "mixroom room broker-log --verify"),
        ("rotate-key", rotate_key, "Wrap your tables' keys anew.", "mixroom room rotate-key"),
    ):
        app.command(name, cls=Command, short_help=short, epilog=example(line))(command)


def broker(
    allow: Allow = None,
    disallow: Annotated[
        list[str] | None, typer.Option("--disallow", help="No longer to this one; may be repeated.")
    ] = None,
    reduced: Annotated[
        bool | None,
        typer.Option("--allow-reduced/--no-reduced", help="Also to workers with reduced isolation."),
    ] = None,
    production: Annotated[
        bool | None, typer.Option("--production/--no-production", help="Refuse emulated roots of trust.")
    ] = None,
    pause: Annotated[bool, typer.Option("--pause", help="Give no keys until --resume, and end.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Give keys again, and end.")] = False,
    dataset: Annotated[str, typer.Option(help="Pause or resume only this dataset.")] = "*",
    once: Annotated[bool, typer.Option("--once", help="Connect, answer what waits, and end.")] = False,
    home: HomeOption = None,
) -> None:
    """Run until it is stopped: questions on your tables are answered only while it runs.

    It asks the service for work, and gives a table's key only to an attested worker of code that you allow, under the
    rules that the members signed. What it is told to allow, refuse or pause, it keeps.
    """
    if (pause and resume) or (dataset != "*" and not (pause or resume)):
        raise UsageError(
            "give --pause or --resume, with or without --dataset", hint="one of the two at a time"
        )
    place = _owners_home(home)
    _keep_code_rules(place, allow or [], disallow or [], reduced=reduced, production=production)
    if pause or resume:
        _keep_consent(place, dataset, paused=pause)
        return
    _run(place, once=once)


def broker_log(
    verify: Annotated[bool, typer.Option("--verify", help="Only say whether the log is whole.")] = False,
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Show every key that your broker gave and every request that it refused, and why."""
    from cleanroom.broker.release_log import verify_release_log
    from cleanroom.errors import NotFound
    from cleanroom.partner.broker_words import in_words

    path = party_home(home).broker_log
    if not path.exists():
        raise NotFound(f"there is no broker's log at {path} yet", hint="upload a table, or run the broker")
    records = verify_release_log(path)
    if verify:
        say(f"{len(records)} lines, unbroken")
        typer.echo(f"{records[-1].sequence} {records[-1].digest}")
    elif as_json:
        print_json([{"kind": record.kind, **record.body} for record in records])
    else:
        rows = [
            [str(record.sequence), str(record.body.get("at", ""))[:19], in_words(record.kind, record.body)]
            for record in records
        ]
        typer.echo("\n".join("  ".join(row) for row in rows))


def rotate_key(home: HomeOption = None) -> None:
    """Make a new key-encryption key, wrap every table's key by it, and destroy the old one.

    Tables stay as they are: nothing is uploaded again, and the service does not notice. A running broker goes on.
    """
    from cleanroom.broker.broker_home import BrokerHome

    rotation = BrokerHome(_owners_home(home).broker).rotate(now=datetime.now(UTC))
    say(
        f"{rotation.rewrapped} keys are wrapped anew; the older wrapping key is destroyed, so back up the home again"
    )
    typer.echo(rotation.identifier)


def _owners_home(home: Path | None) -> PartyHome:
    """Raises HomeUnusable for a party that did not join as an owner: it has no keys to give."""
    place = party_home(home)
    _ = place.identity_key
    return place


def _run(place: PartyHome, *, once: bool) -> None:
    from cleanroom.partner.owners_broker import broker_loop

    with _ended_by_signals(), broker_loop(place, tell=say) as loop:
        if once:
            say(f"answered {loop.once(wait_seconds=0.0)} requests")
            return
        try:
            loop.run()
        except KeyboardInterrupt:
            say("ended: questions on your tables are refused until it runs again")


def _keep_code_rules(
    place: PartyHome, allow: list[str], disallow: list[str], *, reduced: bool | None, production: bool | None
) -> None:
    from cleanroom.broker.broker_home import BrokerHome

    kept = BrokerHome(place.broker)
    before = kept.code_rules
    rules = _changed(before, allow, disallow)
    rules = replace(
        rules,
        reduced=rules.reduced if reduced is None else reduced,
        production=rules.production if production is None else production,
    )
    if rules != before:
        kept.allow(rules, now=datetime.now(UTC))


def _changed(rules: CodeRules, allow: list[str], disallow: list[str]) -> CodeRules:
    unknown = [one for one in disallow if one not in rules.measurements]
    if unknown:
        raise UsageError(f"{unknown[0]:.100} was not allowed", hint="`mixroom room broker-log` says what was")
    measurements = dict.fromkeys([*rules.measurements, *allow])
    return replace(rules, measurements=tuple(one for one in measurements if one not in disallow))


def _keep_consent(place: PartyHome, dataset: str, *, paused: bool) -> None:
    from cleanroom.broker.broker_home import BrokerHome

    kept, now = BrokerHome(place.broker), datetime.now(UTC)
    (kept.pause if paused else kept.resume)(dataset, now=now)
    which = "any table" if dataset == "*" else dataset
    say(f"no keys are given for {which} until --resume" if paused else f"keys are given again for {which}")


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
