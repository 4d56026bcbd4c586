"""Key brokers of parties' homes, in threads of the test's process, over HTTP as owners run them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from cleanroom.broker.allowed_code import InstalledCode
from cleanroom.partner.broker_loop import Broker
from cleanroom.partner.installed_worker import OWN, OWN_REDUCED, installed_code
from cleanroom.partner.owners_broker import broker_loop, running_broker
from cleanroom.partner.party_home import PartyHome
from cleanroom.partner.release_verification import ReleaseTrust

SHORT_POLL_SECONDS = 0.2  # so that a test does not wait for its brokers when it ends
StartBroker = Callable[[PartyHome], PartyHome]


@cache
def this_installation() -> InstalledCode:
    """Measured once: nobody changes the code while tests run."""
    return installed_code()


def trust_of(home: PartyHome) -> ReleaseTrust:
    """What the party takes a release for: the root that it pinned, and this installation's worker."""
    installed, room = this_installation(), home.room
    return ReleaseTrust(
        room.collaboration, room.enclave_root, {installed.full: OWN, installed.reduced: OWN_REDUCED}
    )


@contextmanager
def with_broker(*homes: PartyHome) -> Iterator[None]:
    """While the block runs, every home's broker is connected."""
    with ExitStack() as running:
        for home in homes:
            broker = running_broker(home, installed=this_installation(), wait_seconds=SHORT_POLL_SECONDS)
            running.enter_context(broker)
        yield


@contextmanager
def broker_starter() -> Iterator[StartBroker]:
    """Starts the broker of a home and gives the home back; ends them all with the block."""
    with ExitStack() as running:

        def start(home: PartyHome) -> PartyHome:
            running.enter_context(with_broker(home))
            return home

        yield start


class BrokerDied(Exception):
    """Raised by a trouble: the broker's process ends there and then."""


Trouble = Callable[[Broker, dict[str, Any]], str | None]


@dataclass(frozen=True)
class TroubledBroker:
    """A home's broker, but for what the trouble makes of requests."""

    broker: Broker
    trouble: Trouble

    def nonces(self, count: int = 1) -> tuple[bytes, ...]:
        """The broker's own."""
        return self.broker.nonces(count)

    def answer(self, request: object) -> str | None:
        """As the trouble has it."""
        assert isinstance(request, dict)
        return self.trouble(self.broker, request)

    def retire_expired(self) -> object:
        """The broker's own."""
        return self.broker.retire_expired()


@contextmanager
def with_trouble(home: PartyHome, trouble: Trouble) -> Iterator[None]:
    """While the block runs, the home's broker is connected, in trouble. One that died is not started again."""
    with broker_loop(
        home, tell=lambda line: None, installed=this_installation(), wait_seconds=SHORT_POLL_SECONDS
    ) as loop:
        loop._broker = TroubledBroker(loop._broker, trouble)

        def run() -> None:
            with suppress(BrokerDied):
                loop.run()

        loop.once(wait_seconds=0.0)
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            loop.close()
            thread.join()
