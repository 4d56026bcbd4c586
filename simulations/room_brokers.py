"""The owners' key brokers of the room's demo, each as on its owner's machine, but in threads of this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

from cleanroom.broker.allowed_code import CodeRules
from cleanroom.broker.broker_home import BrokerHome
from cleanroom.partner.installed_worker import installed_code
from cleanroom.partner.owners_broker import running_broker
from cleanroom.partner.party_home import PartyHome
from privacy.enclave.availability import isolation_available
from privacy.enclave.isolation import Isolation


def demo_isolation() -> Isolation:
    """The most that this machine can do, and full isolation, which then says what is missing, where it can do none."""
    found = isolation_available()
    return Isolation.FULL if found is Isolation.NONE else found


@contextmanager
def running_brokers(homes: Mapping[str, PartyHome], isolation: Isolation) -> Iterator[None]:
    """While the block runs, every owner's broker is connected; each accepts the service's isolation."""
    installed = installed_code()
    with ExitStack() as running:
        for home in homes.values():
            if isolation is Isolation.REDUCED:
                BrokerHome(home.broker).allow(CodeRules(reduced=True), now=datetime.now(UTC))
            running.enter_context(running_broker(home, installed=installed))
        yield
