"""An owner's key broker, made of what its home holds, and run beside other work or alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cleanroom.broker.allowed_code import CodeRules, InstalledCode
from cleanroom.broker.broker_home import BrokerHome
from cleanroom.broker.key_broker import BrokerParty, KeyBroker
from cleanroom.partner.broker_loop import CONNECTED, BrokerLoop
from cleanroom.partner.broker_words import LogFollower
from cleanroom.partner.homes_link import HomesLink
from cleanroom.partner.installed_worker import installed_code
from cleanroom.partner.party_home import PartyHome
from cleanroom.service.audit_bodies import ServiceBody
from cleanroom.service.broker_bodies import LONGEST_WAIT_SECONDS
from cleanroom.service.collaboration_bodies import RecordBody


def key_broker(home: PartyHome, kept: BrokerHome, link: HomesLink, installed: InstalledCode) -> KeyBroker:
    """The broker of this party, which reads the room's record over `link`; to be closed.

    Raises HomeUnusable for a party that is no owner or runs a broker already, StateRolledBack, LogBroken.
    """
    room = home.room
    party = BrokerParty(
        keys=home.keys,
        collaboration=room.collaboration,
        terms_digest=room.terms_digest,
        identity_secret=home.identity_key.secret,
        enclave_root=room.enclave_root,
    )
    record = f"/v1/collaborations/{room.collaboration}/record"
    return KeyBroker(kept, party, installed, lambda: link.get(record, RecordBody).record)


@contextmanager
def broker_loop(
    home: PartyHome,
    *,
    tell: Callable[[str], None],
    installed: InstalledCode | None = None,
    wait_seconds: float = LONGEST_WAIT_SECONDS,
) -> Iterator[BrokerLoop]:
    """The party's broker, connected once it runs; `tell` hears of every decision in one line.

    installed: what this installation's worker measures as; measured now when not given.
    """
    room, kept = home.room, BrokerHome(home.broker)
    code = installed or installed_code()
    with (
        HomesLink(home) as link,
        key_broker(home, kept, link, code) as broker,
    ):
        log = LogFollower(home.broker_log)
        yield BrokerLoop(
            link,
            room.collaboration,
            broker,
            tell=tell,
            news=log.news,
            greeting=lambda: _greeting(link, kept.code_rules, code),
            wait_seconds=wait_seconds,
        )


def _greeting(link: HomesLink, rules: CodeRules, installed: InstalledCode) -> str:
    """Said at once, so that an owner learns of another version or isolation before somebody's question does."""
    shown = link.get("/v1/service", ServiceBody).enclave
    if shown.measurement in rules.policy(installed, b"").measurements:
        return CONNECTED
    known = shown.measurement == installed.reduced
    what = (
        "reduced isolation: --allow-reduced accepts it"
        if known
        else "another version: see its `mixroom enclave measure`, then --allow"
    )
    return f"connected, and no key is given: the service's worker measures {shown.measurement}, {what}"


@contextmanager
def running_broker(
    home: PartyHome,
    *,
    tell: Callable[[str], None] = lambda line: None,
    installed: InstalledCode | None = None,
    wait_seconds: float = 1.0,
) -> Iterator[None]:
    """The party's broker in a thread of this process while the block runs; it has connected when the block begins."""
    with broker_loop(home, tell=tell, installed=installed, wait_seconds=wait_seconds) as loop:
        loop.once(wait_seconds=0.0)
        thread = threading.Thread(target=loop.run, name=f"broker of {home.room.member}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            loop.close()
            thread.join()
