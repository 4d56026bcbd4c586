"""Flower's Grid without Ray, daemons or sockets: the same ServerApp and ClientApp, called directly.

Faithful where it matters to an app: every message and reply is copied, so nobody sees another's later
change; each node keeps its own `Context.state` for the run, also after a failure, as a SuperNode does; an
exception in a ClientApp becomes the error reply a SuperNode would send; a lost message is never answered.
Not emulated: module globals and torch's global generator are shared by all silos, and nothing is serialised
to Flower's wire format.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import copy, deepcopy
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from time import perf_counter, time

from flwr.app import (
    ArrayRecord,
    ConfigRecord,
    Context,
    Error,
    Message,
    Metadata,
    MetricRecord,
    RecordDict,
    UserConfig,
)
from flwr.app.message import make_message
from flwr.clientapp import ClientApp
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from simulations.errors import SimulationError


class Loss(StrEnum):
    """What a dropout loses: before the silo handled the message, or after (its state has changed)."""

    MESSAGE = "message"
    REPLY = "reply"


@dataclass(frozen=True)
class Delivery:
    """The `occurrence`-th (from 1) message of one type, such as "train.masked", to one node."""

    node_id: int
    message_type: str
    occurrence: int = 1


@dataclass(frozen=True)
class InProcessRun:
    """One run: its nodes, what every app reads as `run_config`, and what goes wrong on purpose.

    With `max_workers` above 1 different nodes are called in threads; one node always handles one message at
    a time.
    """

    node_configs: Mapping[int, UserConfig]
    run_config: UserConfig
    run_id: int = 1
    dropouts: Mapping[Delivery, Loss] = field(default_factory=dict)
    max_workers: int = 1

    def __post_init__(self) -> None:
        if not self.node_configs or SUPERLINK_NODE_ID in self.node_configs:
            raise SimulationError(
                f"node ids {sorted(self.node_configs)}: at least one is needed, and "
                f"{SUPERLINK_NODE_ID} belongs to the server",
                hint="number the nodes from 2, or use the large random ids Flower gives them",
            )
        if self.max_workers < 1:
            raise SimulationError(f"max_workers is {self.max_workers}", hint="use 1 for no threads")


class InProcessGrid(Grid):
    """A Grid whose nodes are calls to one ClientApp, in message order."""

    def __init__(self, client_app: ClientApp, spec: InProcessRun) -> None:
        self._client_app = client_app
        self._spec = spec
        self._run = Run.create_empty(spec.run_id)
        self._contexts = {node_id: _context(spec, node_id) for node_id in spec.node_configs}
        self._deliveries: Counter[tuple[int, str]] = Counter()
        self._message_numbers = count(1)
        self._answers: dict[str, _Answer] = {}
        # `Message(...)` stamps this process-wide identity, which a Flower process receives from its
        # SuperLink; there is no public way to set it.
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = spec.run_id, SUPERLINK_NODE_ID, 1

    @property
    def spec(self) -> InProcessRun:
        """What this grid was made from."""
        return self._spec

    @property
    def run(self) -> Run:
        """Run information."""
        return self._run

    def set_run(self, run: Run) -> None:
        """Only the run the grid was made for: its contexts belong to it."""
        if run.run_id != self._spec.run_id:
            raise SimulationError(
                f"this grid serves run {self._spec.run_id}, not {run.run_id}", hint="make a grid per run"
            )
        self._run = run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Flower's older spelling of `Message(content, dst_node_id, message_type, ...)`."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> list[int]:
        """All nodes; a dropped one stays listed, since nobody has noticed yet."""
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Have every message handled now; returns ids, in order, for `pull_messages`."""
        sent = list(messages)
        for message in sent:
            # Metadata has no setter for the id; Flower's own grids write it the same way.
            message.metadata.__dict__["_message_id"] = f"{self._spec.run_id}-{next(self._message_numbers)}"
        if self._spec.max_workers == 1:
            for message in sent:
                self._deliver(message)
        else:
            with ThreadPoolExecutor(self._spec.max_workers) as threads:
                list(threads.map(self._deliver_in_turn, _by_node(sent)))
        return [message.metadata.message_id for message in sent]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """The replies that have arrived, each once."""
        wanted = list(message_ids)
        return [self._answers.pop(message_id).reply for message_id in wanted if message_id in self._answers]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Replies in message order.

        A silo that took longer than `timeout` seconds, measured on its own as if silos ran in parallel, or
        that dropped out is missing; a late reply can still be pulled. Nothing is interrupted. Without a
        timeout a dropout is answered by the SuperLink's error, whose only link to the silo is
        `reply_to_message_id`.
        """
        replies: list[Message] = []
        sent = list(messages)
        for message, message_id in zip(sent, self.push_messages(sent), strict=True):
            answer = self._answers.get(message_id)
            if answer is None:
                replies += [] if timeout is not None else [_node_unavailable(message)]
            elif timeout is None or answer.seconds <= timeout:
                replies += self.pull_messages([message_id])
        return replies

    def _deliver_in_turn(self, messages: list[Message]) -> None:
        for message in messages:
            self._deliver(message)

    def _deliver(self, message: Message) -> None:
        node_id, message_type = message.metadata.dst_node_id, message.metadata.message_type
        self._deliveries[node_id, message_type] += 1
        loss = self._spec.dropouts.get(
            Delivery(node_id, message_type, self._deliveries[node_id, message_type])
        )
        if node_id not in self._contexts or loss is Loss.MESSAGE:
            return
        started = perf_counter()
        reply = _handle(self._client_app, _copy(message), self._contexts[node_id])
        if loss is None:
            self._answers[message.metadata.message_id] = _Answer(reply, perf_counter() - started)


def run_on_grid(server_app: ServerApp, grid: InProcessGrid) -> Context:
    """Run the server's main to its end; exceptions of the server reach the caller. Returns its context."""
    context = _context(grid.spec, SUPERLINK_NODE_ID)
    server_app(grid, context)
    return context


def run_in_process(
    server_app: ServerApp,
    client_app: ClientApp,
    *,
    run_config: UserConfig,
    node_configs: Mapping[int, UserConfig],
    run_id: int = 1,
) -> Context:
    """Run both apps in this thread, one silo after the other; the in-process twin of `flwr run`.

    `run_config` is complete: unlike `flwr run`, no defaults from pyproject.toml are filled in.
    """
    spec = InProcessRun(node_configs=node_configs, run_config=run_config, run_id=run_id)
    return run_on_grid(server_app, InProcessGrid(client_app, spec))


@dataclass(frozen=True, eq=False)
class _Answer:
    reply: Message
    seconds: float


def _context(spec: InProcessRun, node_id: int) -> Context:
    return Context(
        run_id=spec.run_id,
        node_id=node_id,
        node_config=dict(spec.node_configs.get(node_id, {})),
        state=RecordDict(),
        run_config=dict(spec.run_config),
    )


def _by_node(messages: list[Message]) -> list[list[Message]]:
    grouped: dict[int, list[Message]] = {}
    for message in messages:
        grouped.setdefault(message.metadata.dst_node_id, []).append(message)
    return list(grouped.values())


def _handle(client_app: ClientApp, message: Message, context: Context) -> Message:
    """The silo's reply; its failure is reported in the words of a SuperNode."""
    try:
        reply = client_app(message, context)
        if not isinstance(reply, Message) or not reply.metadata.reply_to_message_id:
            raise TypeError("the ClientApp did not return a reply: use Message(content, reply_to=message)")
        return _copy(reply)  # the silo may keep, in its state, records it has just sent
    except Exception as failure:
        reason = f"{type(failure)}:<'{failure}'>"
        return Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, reason), reply_to=message)


def _copy(message: Message) -> Message:
    """A message that shares nothing that can be changed with the original."""
    if message.has_error():
        return deepcopy(message)
    records = {name: _copy_record(record) for name, record in message.content.items()}
    return make_message(copy(message.metadata), content=RecordDict(records))


def _copy_record(
    record: ArrayRecord | MetricRecord | ConfigRecord,
) -> ArrayRecord | MetricRecord | ConfigRecord:
    """Values of a ConfigRecord cannot change but for lists; other records are copied in depth."""
    if not isinstance(record, ConfigRecord):
        return deepcopy(record)
    copied = record.copy()
    for name, value in record.items():
        if isinstance(value, list):
            copied[name] = copy(value)
    return copied


def _node_unavailable(message: Message) -> Message:
    """What a SuperLink answers for a node it has lost: from itself, not from the node."""
    sent = message.metadata
    metadata = Metadata(
        run_id=sent.run_id,
        message_id="",
        src_node_id=SUPERLINK_NODE_ID,
        dst_node_id=SUPERLINK_NODE_ID,
        reply_to_message_id=sent.message_id,
        group_id=sent.group_id,
        created_at=time(),
        ttl=sent.ttl,
        message_type=sent.message_type,
    )
    return make_message(metadata, error=Error(ErrorCode.NODE_UNAVAILABLE, "Node unavailable"))
