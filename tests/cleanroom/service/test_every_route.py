"""Every route against every kind of caller: who gets in, and with which words everybody else is turned away.

A refusal is named by its code. "ok" and codes such as signature_invalid mean that the caller was let in.
"""

from dataclasses import dataclass

import pytest
from fastapi.routing import APIRoute

from cleanroom.governance.room_ids import new_version_id
from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.room_questions import QuestionText
from cleanroom.service import (
    audit_routes,
    broker_routes,
    collaboration_routes,
    dataset_routes,
    key_routes,
    proposal_routes,
    query_routes,
    service_routes,
    upload_routes,
)
from cleanroom.service.app import create_app
from tests.cleanroom.service.running_room import ANALYST, AUDITOR, OWNER
from tests.cleanroom.service.small_tables import uploaded

# `beta` is an owner in the room, of nothing that is asked for here; `acme` owns the dataset and made the proposal;
# `ana` is the analyst who asked the query.
CALLERS = ("nobody", "founder", "operator", "stranger", "ana", "auditor", "beta", "acme")
ROOM = "/v1/collaborations/{collaboration}"
DATASET = ROOM + "/datasets/{dataset}"
UPLOAD = DATASET + "/uploads/{version}"
SIGNED = {"kind": "x", "body": {}, "signer": "x", "public_key": "x", "signature": "x"}
DRAFT = {"kind": "removal", "content": {"member": "beta"}, "document": SIGNED}
BEGUN = {"version": "ver-" + "2" * 16, "sealed_bytes": 10, "sealed_sha256": "0" * 64}
COMPLETION = {"manifest": SIGNED, "key_commitment": "0" * 64}
POLL = {"broker": "0" * 32, "nonces": [], "wait_seconds": 0}
BROKER_ANSWER = {"id": "brq-" + "2" * 16, "answer": None}
QUESTION = {"sql": "SELECT COUNT(DISTINCT person) FROM crm"}
TEMPLATE: dict[str, object] = {"parameters": {}}

ANYBODY = ("ok",) * 8
MEMBERS = ("not_authorised", *("not_found",) * 3, *("ok",) * 4)
LOGGED_IN = ("not_authorised", *("ok",) * 7)


def members(ana: str, auditor: str, beta: str, acme: str) -> tuple[str, ...]:
    """Nobody else knows of the room."""
    return ("not_authorised", *("not_found",) * 3, ana, auditor, beta, acme)


OWNER_OF_IT = members("forbidden", "forbidden", "forbidden", "ok")
OPERATOR = ("not_authorised", "forbidden", "ok", *("forbidden",) * 5)
ROUTES = {
    ("GET", "/healthz"): (None, ANYBODY),
    ("GET", "/readyz"): (None, ANYBODY),
    ("GET", "/v1/service"): (None, ANYBODY),
    ("POST", "/v1/invitations/preview"): ({"code": "x"}, ("not_authorised",) * 8),
    ("POST", "/v1/invitations/accept"): ({"code": "x", "document": SIGNED}, ("not_authorised",) * 8),
    ("POST", "/v1/keys/by-signature"): (SIGNED, ("signature_invalid",) * 8),
    ("DELETE", "/v1/keys/by-signature"): (None, ("method_not_allowed",) * 8),
    ("DELETE", "/v1/keys/rotate"): (None, ("method_not_allowed",) * 8),
    ("GET", "/v1/service/storage"): (None, OPERATOR),
    ("GET", "/v1/service/audit"): (None, OPERATOR),
    ("GET", "/v1/service/audit/export"): (None, OPERATOR),
    ("POST", "/v1/founding-codes"): ({}, OPERATOR),
    ("GET", "/v1/collaborations"): (None, LOGGED_IN),
    ("POST", "/v1/collaborations"): (
        SIGNED,
        ("not_authorised", "proposal_invalid", "proposal_invalid", *("forbidden",) * 5),
    ),
    ("GET", "/v1/keys"): (None, LOGGED_IN),
    ("POST", "/v1/keys"): ({}, ("not_authorised", "forbidden", *("ok",) * 6)),
    ("POST", "/v1/keys/rotate"): ({"grace_hours": 2}, ("not_authorised", "forbidden", *("ok",) * 6)),
    ("DELETE", "/v1/keys/{key_id}"): (None, ("not_authorised", *("not_found",) * 7)),
    ("PUT", "/v1/oidc-link"): (
        {"token": "a.b.c"},
        ("not_authorised", "forbidden", "forbidden", *("not_authorised",) * 5),
    ),
    ("DELETE", "/v1/oidc-link"): (None, ("not_authorised", "forbidden", "forbidden", *("ok",) * 5)),
    ("GET", ROOM): (None, MEMBERS),
    ("GET", ROOM + "/record"): (None, MEMBERS),
    ("GET", ROOM + "/budget"): (None, MEMBERS),
    ("GET", ROOM + "/templates"): (None, MEMBERS),
    ("GET", ROOM + "/audit"): (None, MEMBERS),
    ("GET", ROOM + "/audit/checkpoint"): (None, MEMBERS),
    ("GET", ROOM + "/audit/export"): (None, members("forbidden", "ok", "ok", "ok")),
    ("GET", ROOM + "/invitations"): (None, members("forbidden", "forbidden", "ok", "ok")),
    ("POST", ROOM + "/invitations"): (
        {"proposal": "pro-" + "2" * 16},
        members("forbidden", "forbidden", "not_found", "not_found"),
    ),
    ("DELETE", ROOM + "/invitations/{invitation}"): (
        None,
        members("forbidden", "forbidden", "not_found", "not_found"),
    ),
    ("GET", ROOM + "/proposals"): (None, MEMBERS),
    ("GET", ROOM + "/proposals/{proposal}"): (None, MEMBERS),
    ("POST", ROOM + "/proposals"): (
        DRAFT,
        members("forbidden", "forbidden", "signature_invalid", "signature_invalid"),
    ),
    ("POST", ROOM + "/proposals/{proposal}/signatures"): (
        SIGNED,
        members("forbidden", "forbidden", "signature_invalid", "signature_invalid"),
    ),
    ("GET", ROOM + "/datasets"): (None, MEMBERS),
    ("GET", DATASET): (None, MEMBERS),
    ("GET", DATASET + "/versions"): (None, MEMBERS),
    ("POST", DATASET + "/uploads"): (BEGUN, OWNER_OF_IT),
    ("GET", UPLOAD): (None, OWNER_OF_IT),
    ("PUT", UPLOAD + "/content"): (b"0123456789", OWNER_OF_IT),
    ("POST", UPLOAD + "/complete"): (COMPLETION, members(*("forbidden",) * 3, "signature_invalid")),
    ("DELETE", UPLOAD): (None, OWNER_OF_IT),
    ("GET", ROOM + "/queries"): (None, MEMBERS),
    ("GET", ROOM + "/queries/{query}"): (None, MEMBERS),
    ("GET", ROOM + "/queries/{query}/release"): (None, members("ok", "forbidden", "forbidden", "ok")),
    ("GET", ROOM + "/queries/dry-run"): (None, ("method_not_allowed",) * 8),
    ("POST", ROOM + "/queries/dry-run"): (QUESTION, members("ok", "forbidden", "ok", "ok")),
    ("POST", ROOM + "/queries"): (QUESTION, members("ok", "forbidden", "query_refused", "ok")),
    ("POST", ROOM + "/templates/{template}/queries"): (
        TEMPLATE,
        members("not_found", "forbidden", "not_found", "not_found"),
    ),
    ("POST", ROOM + "/proposals/{proposal}/decline"): (
        None,
        members("forbidden", "forbidden", "ok", "conflict"),
    ),
    ("POST", ROOM + "/broker/requests"): (POLL, members("forbidden", "forbidden", "ok", "ok")),
    ("POST", ROOM + "/broker/answers"): (BROKER_ANSWER, members("forbidden", "forbidden", "ok", "ok")),
    ("DELETE", DATASET + "/versions/{version}"): (None, OWNER_OF_IT),
}


@dataclass(frozen=True)
class Cast:
    """Everybody's client, and the ids of what is in the room."""

    clients: dict
    ids: dict

    def says(self, caller, method, path, body, **changes):
        """The code of the refusal, or ok."""
        place = path.format(**{**self.ids, **changes})
        if isinstance(body, bytes):
            raw = {"content": body, "headers": {"Content-Type": "application/octet-stream"}}
        else:
            raw = {"json": body} if body is not None else {}
        response = self.clients[caller].request(method, place, **raw)
        return "ok" if response.is_success else response.json()["error"]["code"]


@pytest.fixture(scope="module")
def cast(service, tmp_path_factory, module_broker):
    folder = tmp_path_factory.mktemp("cast")
    acme = module_broker(service.founded(folder))
    done = uploaded(folder, acme, receivers=["acme", "ana"])
    homes = {
        "acme": acme,
        "ana": service.joined(acme, "ana", ANALYST),
        "auditor": service.joined(acme, "auditor", AUDITOR),
        "beta": service.joined(acme, "beta", OWNER),
        "stranger": service.founded(tmp_path_factory.mktemp("elsewhere"), "acme"),
    }
    with RoomClient(homes["ana"]) as room:
        query = room.questions.ask(QuestionText(QUESTION["sql"])).query_id
    with RoomClient(acme) as room:
        proposal = room.invite("carl", frozenset({ANALYST})).proposal
    ids = {
        "collaboration": acme.room.collaboration,
        "dataset": "crm",
        "version": done.version.id,
        "query": query,
        "proposal": proposal,
        "invitation": "inv-" + "2" * 16,
        "template": "none",
        "key_id": "2" * 16,
    }
    clients = {name: service.http(home) for name, home in homes.items()}
    clients |= {"nobody": service.http(), "operator": service.operator_http(), "founder": service.http()}
    clients["founder"].headers["Authorization"] = f"Bearer {service.founding_code().reveal()}"
    yield Cast(clients, ids)
    for client in clients.values():
        client.close()


def test_the_table_names_every_route(service):
    modules = (
        audit_routes,
        broker_routes,
        collaboration_routes,
        dataset_routes,
        key_routes,
        proposal_routes,
        query_routes,
        service_routes,
        upload_routes,
    )
    routes = [route for module in modules for route in module.router.routes if isinstance(route, APIRoute)]
    described = create_app(service.parts).openapi()["paths"]

    assert {(method, route.path) for route in routes for method in route.methods or ()} == set(ROUTES)
    assert {(method.upper(), path) for path, methods in described.items() for method in methods} <= set(
        ROUTES
    )


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda part: part)
def test_who_gets_in(cast, method, path):
    body, expected = ROUTES[method, path]
    changes = {"version": BEGUN["version"]} if path.startswith(UPLOAD) else {}
    if path.startswith(UPLOAD):
        cast.says("acme", "POST", DATASET + "/uploads", BEGUN)

    found = tuple(cast.says(caller, method, path, body, **changes) for caller in CALLERS)

    assert dict(zip(CALLERS, found, strict=True)) == dict(zip(CALLERS, expected, strict=True))


@pytest.mark.parametrize(
    ("method", "path"), [key for key in ROUTES if key[1].startswith(ROOM) and "dry-run" not in key[1]]
)
def test_a_room_that_is_not_there_and_one_of_others_are_the_same_to_a_stranger(cast, method, path):
    body, _ = ROUTES[method, path]
    others = {"version": new_version_id()}

    for caller in ("founder", "operator", "stranger"):
        real = cast.says(caller, method, path, body, **others)
        assert (
            real
            == cast.says(caller, method, path, body, **others, collaboration="col-" + "2" * 16)
            == "not_found"
        )
