"""What owners' key brokers and the service tell each other. Brokers connect; the service never calls them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, Field

from cleanroom.service.answer_bodies import ONLY_NUMBERS, Answered, Asked

LONGEST_WAIT_SECONDS = 25.0
MOST_NONCES = 32
LONGEST_ANSWER = 256 * 1024
Nonce = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class BrokerRequestKind(StrEnum):
    """What a broker is asked for."""

    GRANT = "grant"  # dataset keys, sealed for an attested worker
    COMMIT = "commit"  # a worker's next state, to be remembered


class BrokerRequestsAsked(Asked):
    """A broker asks for work, and offers nonces of which the service uses each for one query at most.

    broker: random, made by the broker's process when it starts; work goes to the process whose nonce it names.
    nonces: all that this process offers at the moment; what it offered before and no longer does is forgotten.
    """

    broker: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    nonces: Annotated[list[Nonce], Field(max_length=MOST_NONCES)]
    wait_seconds: Annotated[float, Field(ge=0, le=LONGEST_WAIT_SECONDS), ONLY_NUMBERS]


class BrokerRequestBody(BaseModel):
    """One thing to decide.

    A grant: the worker's `statement`, its `attestation` (COSE, in base64) and every owner's nonce in hexadecimal.
    A commit: the worker's signed `document`.
    """

    id: str
    kind: BrokerRequestKind
    statement: dict[str, Any] | None = None
    attestation: str = ""
    nonces: dict[str, str] = Field(default_factory=dict)
    document: dict[str, Any] | None = None


class BrokerRequestsBody(Answered):
    """What waits for this broker; empty when nothing came in time."""

    requests: list[BrokerRequestBody]


class BrokerAnswerAsked(Asked):
    """What the broker decided: a sealed grant in base64, or a confirmation in hexadecimal; null: it refuses.

    Why it refuses stands in its owner's log and nowhere else.
    """

    id: Annotated[str, Field(pattern="^brq-[a-z2-7]{16}$")]
    answer: Annotated[str, Field(min_length=1, max_length=LONGEST_ANSWER, pattern="^[A-Za-z0-9+/=]+$")] | None


class BrokerTakenBody(Answered):
    """`taken`: whether somebody still waited for this answer. False after the time limit, or when it was answered."""

    taken: bool
