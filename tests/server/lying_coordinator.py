"""A coordinator that lies, the network that lies for it, and what it holds; behind them the real client apps."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flwr.app import Message, RecordDict

from privacy.masks.secure_aggregation import UnmaskRequest
from privacy.update_messages import MaskedUpdateMessage
from privacy.wire import CONTRIBUTE, UNMASK, SumRequest, from_record, to_record
from server.masked_sums import MaskedSums
from server.run_plan import RunPlan, plan_run
from server.silo_exchange import SiloExchange, SiloSum
from server.sum_questions import scales_question
from simulations.in_process_grid import InProcessGrid, Loss
from tests.small_federation import FIRST_NODE, SILOS, grid_of, settings_for

Files = tuple[Path, ...]
Place = tuple[int, str]  # node and kind of message
Forge = Callable[[Message], RecordDict]
NODES = tuple(range(FIRST_NODE, FIRST_NODE + len(SILOS)))
ONE, TWO, THREE, FOUR = NODES


class LyingGrid(InProcessGrid):
    """Loses what `lost` names, changes what `forged` (to a silo) and `tampered` (from a silo) name, keeps the rest."""

    lost: dict[Place, Loss]
    forged: dict[Place, Forge]
    tampered: dict[Place, Forge]
    sent: list[str]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        passed = []
        for message in messages:
            place = (message.metadata.dst_node_id, message.metadata.message_type)
            self.sent.append(place[1])
            if place in self.forged:
                message.content = self.forged[place](message)
            if self.lost.get(place) is not Loss.MESSAGE:
                passed.append(message)
        replies = []
        for reply in super().send_and_receive(passed, timeout=timeout):
            place = (reply.metadata.src_node_id, reply.metadata.message_type)
            if place in self.tampered and not reply.has_error():
                reply.content = self.tampered[place](reply)
            if self.lost.get(place) is not Loss.REPLY:
                replies.append(reply)
        return replies


@dataclass
class Coordinator:
    """The real coordinator over a network that lies for it, asking for the scales of the small world."""

    silo_files: Files
    out: Path
    changes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings = settings_for(self.out, **self.changes)
        grid = grid_of(self.silo_files, settings, kind=LyingGrid)
        assert isinstance(grid, LyingGrid)
        self.grid, self.settings = grid, settings
        grid.lost, grid.forged, grid.tampered, grid.sent = {}, {}, {}, []
        self.exchange = SiloExchange(grid, settings)

    @property
    def roster_digest(self) -> bytes:
        assert isinstance(self.exchange.sums, MaskedSums)
        return self.exchange.sums.roster.digest

    def start(self) -> RunPlan:
        plan = plan_run(self.settings, "run", self.exchange.gather())
        self.exchange.start(plan.invitation)
        return plan

    def sum(self, plan: RunPlan, number: int = 1) -> SiloSum:
        return self.exchange.sum(self.request(plan, number))

    def request(self, plan: RunPlan, number: int = 1, **changes: Any) -> SumRequest:
        return replace(scales_question(plan), round=number, **changes)

    def say(self, node: int, kind: str, body: Any) -> Message:
        """One message to one silo, past the honest part of the coordinator."""
        return next(iter(self.grid.send_and_receive([Message(to_record(body), node, kind)], timeout=60)))


def reason(reply: Message) -> str:
    assert reply.has_error()
    return str(reply.error.reason)


def changed(kind: type[Any], **changes: Any) -> Forge:
    return lambda message: to_record(replace(from_record(message.content, kind), **changes))


def units_in(answer: SiloSum) -> float:
    """Each silo has STORES units; the last value of the scales counts them."""
    return float(answer.total[-1])


@dataclass(frozen=True, eq=False)
class Masked:
    """A round that was masked and not unmasked, in the hands of a coordinator."""

    coordinator: Coordinator
    updates: dict[int, MaskedUpdateMessage]

    def ask(self, node: int, *, gone: tuple[int, ...] = (), **changes: Any) -> Message:
        """Ask one silo for its shares, calling the nodes in `gone` dropped."""
        alive = tuple(peer for peer in NODES if peer not in gone)
        boxes = tuple(self.updates[peer].boxes[node - FIRST_NODE] for peer in alive)
        names = {peer: SILOS[peer - FIRST_NODE] for peer in NODES}
        request = UnmaskRequest(
            names[node],
            self.updates[node].context,
            tuple(names[peer] for peer in alive),
            tuple(names[peer] for peer in gone),
            boxes,
        )
        return self.coordinator.say(node, UNMASK, replace(request, **changes))


def masked(coordinator: Coordinator, plan: RunPlan, number: int = 1) -> Masked:
    request = coordinator.request(plan, number)
    replies = {node: coordinator.say(node, CONTRIBUTE, request) for node in NODES}
    updates = {node: from_record(reply.content, MaskedUpdateMessage) for node, reply in replies.items()}
    return Masked(coordinator, updates)
