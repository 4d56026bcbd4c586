"""Messages between the coordinator and its silos over a Flower Grid: sent together, matched, read strictly."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from privacy.errors import MalformedMessage, PrivacyError
from privacy.run_terms import SecureAggregation
from privacy.wire import HELLO, HolderIntroduction, Introduction, from_record, size_of
from server.errors import SiloRefused, SilosMissing
from server.settings import RunSettings

Body = TypeVar("Body")
Replies = Mapping[str, Message | None]
POLL_SECONDS = 0.05


class NoAnswer(Exception):
    """A silo sent an error, or nothing in time."""


@dataclass(eq=False)
class SiloLink:
    """Who is there, by silo name, and how to reach them; `holder_node` where there is a key holder, else 0."""

    grid: Grid
    settings: RunSettings
    node_of: dict[str, int] = field(default_factory=dict)
    holder_node: int = 0

    def gather(self) -> tuple[Introduction, ...]:
        """Wait for all expected silos and learn their names. Raises SilosMissing or SiloRefused."""
        nodes = self._wait_for_nodes()
        replies = self._send({node: (HELLO, RecordDict()) for node in nodes})
        holders = [node for node, reply in replies.items() if _is_key_holder(reply)]
        introductions = {
            node: _introduction(reply, node) for node, reply in replies.items() if node not in holders
        }
        self._note_holder(holders)
        self.node_of = {introduction.silo: node for node, introduction in introductions.items()}
        if len(self.node_of) < max(len(introductions), self.settings.expected_silos):
            raise SilosMissing(
                f"{len(introductions)} nodes answered with {len(self.node_of)} different silo names",
                hint="give every silo its own name, and every client its own silo file",
            )
        return tuple(sorted(introductions.values(), key=lambda item: item.silo))

    def ask_holder(self, kind: str, content: RecordDict) -> Message | None:
        """The key holder's reply; None when there is no key holder, or none answers in time."""
        return (
            self._send({self.holder_node: (kind, content)}).get(self.holder_node)
            if self.holder_node
            else None
        )

    def ask_all(self, kind: str, content: RecordDict) -> dict[str, Message]:
        """Every silo must answer: nobody has been asked for data yet. Raises SiloRefused."""
        replies = self.send(dict.fromkeys(self.node_of, (kind, content)))
        for silo in sorted(self.node_of):
            reply = replies.get(silo)
            if reply is None or reply.has_error():
                raise refused(silo, reply)
        return {silo: reply for silo, reply in replies.items() if reply is not None}

    def send(self, contents: Mapping[str, tuple[str, RecordDict]]) -> dict[str, Message | None]:
        """One message to each silo named; None for one that did not answer in time."""
        replies = self._send({self.node_of[silo]: content for silo, content in contents.items()})
        return {silo: replies.get(self.node_of[silo]) for silo in contents}

    def _wait_for_nodes(self) -> list[int]:
        expected, deadline = self.settings.expected_nodes, time.monotonic() + self.settings.wait_seconds
        while len(nodes := sorted(self.grid.get_node_ids())) < expected:
            if time.monotonic() > deadline:
                raise SilosMissing(
                    f"{len(nodes)} of {expected} {self._expected_kinds} came within {self.settings.wait_seconds:g} s",
                    hint="start the missing clients, or lower expected-silos",
                )
            time.sleep(POLL_SECONDS)
        return nodes

    def _note_holder(self, holders: list[int]) -> None:
        if self.settings.secure_aggregation is SecureAggregation.PAILLIER and len(holders) != 1:
            raise SilosMissing(
                f"{len(holders)} key holders answered, one is needed",
                hint="start one node with --node-config 'key-holder=\"/path/to/its/directory\"'",
            )
        self.holder_node = holders[0] if holders else 0

    @property
    def _expected_kinds(self) -> str:
        return (
            "silos"
            if self.settings.expected_nodes == self.settings.expected_silos
            else "silos and key holder"
        )

    def _send(self, contents: dict[int, tuple[str, RecordDict]]) -> dict[int, Message]:
        """Replies by node. An error about a lost node comes from elsewhere: match by the message it answers."""
        messages = [Message(content, node, kind) for node, (kind, content) in contents.items()]
        replies = list(self.grid.send_and_receive(messages, timeout=self.settings.timeout_seconds))
        sent = {message.metadata.message_id: message.metadata.dst_node_id for message in messages}
        return {sent[reply.metadata.reply_to_message_id]: reply for reply in replies}


def read_reply(reply: Message | None, kind: type[Body], silo: str) -> Body:
    """The silo's message; raises NoAnswer or MalformedMessage. A silo speaks only for itself."""
    if reply is None:
        raise NoAnswer("no answer in time")
    if reply.has_error():
        raise NoAnswer((reply.error.reason or "failed without a reason").replace("\n", "; "))
    body = from_record(reply.content, kind)
    if getattr(body, "silo", silo) != silo:
        raise MalformedMessage(
            "the message names another silo", silos=(silo,), hint="check the silo's client"
        )
    return body


def require_reply(reply: Message, kind: type[Body], silo: str) -> Body:
    """The silo's message, or SiloRefused."""
    try:
        return read_reply(reply, kind, silo)
    except (NoAnswer, PrivacyError) as error:
        raise refused(silo, reply) from error


def refused(silo: str, reply: Message | None) -> SiloRefused:
    """The silo's own words; its hint, when it sent one, becomes ours."""
    if reply is None:
        return SiloRefused(
            f"{silo} does not take part: no answer in time", hint="check that its client is running"
        )
    if not reply.has_error():
        return SiloRefused(
            f"{silo} does not take part: malformed answer", hint="run the same version everywhere"
        )
    reason, _, hint = (reply.error.reason or "failed without a reason").partition("\n")
    return SiloRefused(f"{silo} does not take part: {reason}", hint=hint or "look at that silo's own log")


def largest_reply(replies: Replies) -> int:
    """Bytes of the largest answer."""
    sizes: Iterable[int] = (
        size_of(reply.content) for reply in replies.values() if reply and not reply.has_error()
    )
    return max(sizes, default=0)


def _is_key_holder(reply: Message) -> bool:
    try:
        return not reply.has_error() and bool(from_record(reply.content, HolderIntroduction).public_key)
    except PrivacyError:
        return False


def _introduction(reply: Message, node: int) -> Introduction:
    try:
        if reply.has_error():
            raise NoAnswer
        return from_record(reply.content, Introduction)
    except (NoAnswer, PrivacyError) as error:
        raise refused(f"node {node}", reply) from error
