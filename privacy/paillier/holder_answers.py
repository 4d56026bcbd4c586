"""What a key holder answers to each message, wherever it runs: in a process of its own, or in an enclave."""

import os
from typing import Any

from privacy.errors import MalformedMessage, PrivacyError
from privacy.masks.secure_aggregation import KeyRoster
from privacy.paillier.aggregation import OpenRequest
from privacy.paillier.holder_home import HolderHome
from privacy.paillier.holder_pipe import Create, Done, Introduce, Introduced, Offer, Pin, Refused
from privacy.paillier.keys import ModulusRule


def answer_as(home: HolderHome, message: Any) -> Any:
    """The answer, or Refused. A message that could not be read comes as its MalformedMessage."""
    try:
        return _answer(home, message)
    except PrivacyError as error:
        return Refused.of(error)


def _answer(home: HolderHome, message: Any) -> Any:
    match message:
        case Create():
            if not home.exists:
                rule = ModulusRule(message.modulus_bits, message.insecure)
                home.create(rule, min_silos=message.min_silos)
            return _introduced(home)
        case Introduce():
            return _introduced(home)
        case Pin():
            home.pin(message.silo, message.public_key)
            return Done()
        case Offer():
            return home.offer(message.run_id)
        case KeyRoster():
            home.start(message)
            return Done()
        case OpenRequest():
            return home.open(message)
        case MalformedMessage():
            raise message
    raise MalformedMessage(
        "the key holder does not answer such a message",
        silos=(),
        hint="run the same version of this software on both sides",
    )


def _introduced(home: HolderHome) -> Introduced:
    return Introduced(home.identity.public_key, os.getpid())
