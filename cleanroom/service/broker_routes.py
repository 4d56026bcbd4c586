"""Where owners' key brokers ask for work and answer it. They hold no thread while they wait."""

from __future__ import annotations

from fastapi import APIRouter, Request

from cleanroom.governance.principal import MemberRole, Principal
from cleanroom.service.broker_bodies import (
    BrokerAnswerAsked,
    BrokerRequestsAsked,
    BrokerRequestsBody,
    BrokerTakenBody,
)
from cleanroom.service.callers import BrokerCaller
from cleanroom.service.connected_broker import BrokerPlace
from cleanroom.service.path_names import CollaborationId
from cleanroom.service.room_parts import Parts

router = APIRouter(prefix="/v1/collaborations/{collaboration}/broker", tags=["brokers"])


@router.post("/requests")
async def wait_for_requests(
    collaboration: CollaborationId,
    asked: BrokerRequestsAsked,
    request: Request,
    parts: Parts,
    caller: BrokerCaller,
) -> BrokerRequestsBody:
    """What the calling owner's broker is asked for, as soon as there is something, or nothing after a while."""
    place = _place(caller, collaboration)

    async def lost() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return BrokerRequestsBody(requests=await parts.brokers.poll(place, asked, lost=lost))


@router.post("/answers")
async def answer_request(
    collaboration: CollaborationId, asked: BrokerAnswerAsked, parts: Parts, caller: BrokerCaller
) -> BrokerTakenBody:
    """What the calling owner's broker decided on one request: a grant, a confirmation, or a refusal."""
    taken = parts.brokers.answer(_place(caller, collaboration), asked.id, asked.answer)
    return BrokerTakenBody(taken=taken)


def _place(caller: Principal, collaboration: str) -> BrokerPlace:
    caller.require(collaboration, MemberRole.OWNER)
    return BrokerPlace(collaboration, caller.member)
