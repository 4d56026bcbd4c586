"""One silo's Flower client: a thin handler per message; everything it sends is listed in privacy/wire.py."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flwr.app import ConfigRecord, Context, Error, Message
from flwr.clientapp import ClientApp

from clients.enclave_trust import give_nonce, trust_enclave
from clients.errors import OutOfOrder, SiloError
from clients.key_holder import answer_as_holder, holder_directory
from clients.membership import consider, introduce, start
from clients.own_file import read_own_file
from clients.refusal_words import refusal_words
from clients.release_gate import release, require_agreed, unmask
from clients.session import Session
from clients.settings import SiloSettings
from clients.silo_home import SiloHome
from mmm_models.errors import ModelError
from mmm_models.intake.silo_spec import SiloSpec
from privacy.errors import PrivacyError
from privacy.masks.secure_aggregation import UnmaskRequest
from privacy.paillier.keys import ModulusRule
from privacy.wire import (
    SILO_FAILED,
    SILO_REFUSED,
    Acknowledgement,
    AttestedEnclave,
    ChallengeRequest,
    Invitation,
    KeyRosterMessage,
    SumRequest,
    from_record,
    to_record,
)

SESSION = "mixroom-session"

app = ClientApp()


@app.query("hello")
def hello(message: Message, context: Context) -> Message:
    return _answer(message, context, lambda spec, home: introduce(spec, home))


@app.query("join")
def join(message: Message, context: Context) -> Message:
    def reply(spec: SiloSpec, home: SiloHome) -> Any:
        session, advert = consider(spec, home, from_record(message.content, Invitation))
        _store(context, session)
        return advert or Acknowledgement(spec.silo)

    return _answer(message, context, reply)


@app.query("challenge")
def challenge(message: Message, context: Context) -> Message:
    def reply(spec: SiloSpec, home: SiloHome) -> Any:
        request = from_record(message.content, ChallengeRequest)
        session, body = give_nonce(spec, _session(context, request.run_id))
        _store(context, session)
        return body

    return _answer(message, context, reply)


@app.query("attest")
def check_enclave(message: Message, context: Context) -> Message:
    def reply(spec: SiloSpec, home: SiloHome) -> Any:
        shown = from_record(message.content, AttestedEnclave)
        _store(context, trust_enclave(spec, home, _session(context, shown.run_id), shown))
        return Acknowledgement(spec.silo)

    return _answer(message, context, reply)


@app.query("start")
def begin(message: Message, context: Context) -> Message:
    def reply(spec: SiloSpec, home: SiloHome) -> Any:
        roster = from_record(message.content, KeyRosterMessage)
        rule = ModulusRule(spec.privacy.min_modulus_bits)
        _store(context, start(home, _session(context, roster.run_id), roster, modulus=rule))
        return Acknowledgement(spec.silo)

    return _answer(message, context, reply)


@app.train("contribute")
def contribute(message: Message, context: Context) -> Message:
    def reply(spec: SiloSpec, home: SiloHome) -> Any:
        from clients.answer_sum import answer_sum  # loads torch, which key agreement never needs

        request = from_record(message.content, SumRequest)
        session = _session(context, request.run_id)
        require_agreed(session, request)
        settings = SiloSettings.read(dict(context.node_config), dict(context.run_config))
        answer = answer_sum(settings.spec_path, home, session, request)
        session, body = release(answer.session, home, request, answer.integers)
        _store(context, session)
        return body

    return _answer(message, context, reply)


@app.train("unmask")
def reveal(message: Message, context: Context) -> Message:
    def reply(spec: SiloSpec, home: SiloHome) -> Any:
        session, body = unmask(_session(context), home, from_record(message.content, UnmaskRequest))
        _store(context, session)
        return body

    return _answer(message, context, reply)


@app.train("open")
def open_sum(message: Message, context: Context) -> Message:
    def reply(spec: SiloSpec, home: SiloHome) -> Any:
        raise OutOfOrder("a silo opens no sums", hint="ask the key holder")

    return _answer(message, context, reply)


def _session(context: Context, run_id: str | None = None) -> Session:
    record = context.state.config_records.get(SESSION)
    stored = record[SESSION] if record is not None else b""
    return Session.from_bytes(stored if isinstance(stored, bytes) else b"", run_id=run_id)


def _store(context: Context, session: Session) -> None:
    """Before anything is sent: a step that was forgotten could be asked for twice."""
    context.state[SESSION] = ConfigRecord({SESSION: session.to_bytes()})


def _answer(message: Message, context: Context, reply: Callable[[SiloSpec, SiloHome], Any]) -> Message:
    """Reply, or refuse in words that hold no data: an exception's own text may quote rows.

    Where the node's configuration names a key holder, the key holder answers.
    """
    silo_file = Path()
    try:
        holder = holder_directory(dict(context.node_config))
        if holder is not None:
            silo_file = holder / "key-holder"
            body = answer_as_holder(holder, message.metadata.message_type, message.content)
            return Message(to_record(body), reply_to=message)
        silo_file = SiloSettings.read(dict(context.node_config), dict(context.run_config)).spec_path
        spec = read_own_file(silo_file)
        return Message(to_record(reply(spec, SiloHome.of(spec))), reply_to=message)
    except (SiloError, PrivacyError, ModelError) as error:
        return Message(Error(SILO_REFUSED, refusal_words(error, silo_file)), reply_to=message)
    except Exception as error:
        return Message(
            Error(SILO_FAILED, f"{type(error).__name__} (its text stays in the silo)"), reply_to=message
        )
