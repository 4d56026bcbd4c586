"""The OpenAPI description is complete and true: a stranger's fuzzer finds nothing that contradicts it."""

import copy

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from cleanroom.partner.room_client import RoomClient
from tests.cleanroom.service.running_room import ANALYST, OWNER
from tests.cleanroom.service.small_tables import uploaded

ENDS_THE_KEY = {"POST /v1/keys/rotate", "DELETE /v1/keys/{key_id}"}
NO_PARAMETERS = {"GET /v1/service", "GET /healthz", "GET /readyz"}
ERRORS = {"400", "401", "403", "404", "405", "409", "413", "415", "422", "429", "500", "503"}


@pytest.fixture(scope="module")
def description(service):
    return httpx.get(f"{service.url}/openapi.json", trust_env=False).json()


@pytest.fixture(scope="module")
def member(service, tmp_path_factory, module_broker):
    """An owner who analyses too, with a table of its own."""
    folder = tmp_path_factory.mktemp("member")
    home = service.founded(folder, "acme", ANALYST)
    uploaded(folder, home)
    return module_broker(home)


def operations(description):
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_is_described_tagged_and_answers_errors_in_one_shape(description):
    for name, operation in operations(description):
        assert operation["description"], name
        assert operation["tags"], name
        assert set(operation["responses"]) >= ERRORS | {"200"}, name
        for status in ERRORS:
            (schema,) = operation["responses"][status]["content"].values()
            assert schema == {"schema": {"$ref": "#/components/schemas/ErrorBody"}}, name


def test_every_operation_needs_a_login_but_those_for_strangers(description):
    open_to_all = {name for name, operation in operations(description) if "security" not in operation}

    assert open_to_all == {
        "GET /v1/service",
        "GET /healthz",
        "GET /readyz",
        "POST /v1/invitations/preview",
        "POST /v1/invitations/accept",
        "POST /v1/keys/by-signature",
    }


def test_every_post_that_changes_something_may_be_repeated(description):
    without = {
        name
        for name, operation in operations(description)
        if name.startswith("POST")
        and "Idempotency-Key" not in {item["name"] for item in operation.get("parameters", ())}
    }

    assert without == {
        "POST /v1/invitations/preview",  # changes nothing
        "POST /v1/keys/by-signature",  # a signed request is good once
        "POST /v1/collaborations/{collaboration}/queries/dry-run",  # changes nothing
        # what a broker was asked, it is asked once, and what it answered stands
        "POST /v1/collaborations/{collaboration}/broker/requests",
        "POST /v1/collaborations/{collaboration}/broker/answers",
        # the same completion again changes nothing
        "POST /v1/collaborations/{collaboration}/datasets/{dataset}/uploads/{version}/complete",
    }


def with_ids_of(home, description):
    """The description, its path parameters bound to what there is in the member's room."""
    with RoomClient(home) as room:
        proposal = room.proposals().proposals[0].id
        version = room.versions("crm").versions[0].id
    ids = {
        "collaboration": home.room.collaboration,
        "dataset": "crm",
        "proposal": proposal,
        "version": version,
    }
    bound = {**description, "paths": {}}
    for path, methods in description["paths"].items():
        bound["paths"][path] = {method: _bound(operation, ids) for method, operation in methods.items()}
    return bound


def with_short_waits(description):
    """The description, with polls of brokers that end before a fuzzer gives up."""
    changed = copy.deepcopy(description)
    waits = changed["components"]["schemas"]["BrokerRequestsAsked"]["properties"]["wait_seconds"]
    waits["maximum"] = 0.05
    return changed


def _bound(operation, ids):
    parameters = [
        {**item, "schema": {"type": "string", "enum": [ids[item["name"]]]}, "examples": {}}
        if item["in"] == "path" and item["name"] in ids
        else item
        for item in operation.get("parameters", ())
    ]
    return {**operation, "parameters": parameters}


def attack(description, service, key, mode, examples):
    """Call every operation with requests of that mode; the first that contradicts the description is raised."""
    schema = schemathesis.openapi.from_dict(with_short_waits(description), config=SchemathesisConfig())
    seen = set()
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]
        if operation.label in ENDS_THE_KEY or (
            mode is GenerationMode.NEGATIVE and operation.label in NO_PARAMETERS
        ):
            continue
        seen |= _attack(operation, service, key, mode, examples)
    return seen


def _attack(operation, service, key, mode, examples):
    seen = set()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case):
        response = case.call(base_url=service.url, headers={"Authorization": f"Bearer {key}"})
        seen.add(response.status_code)
        case.validate_response(response)

    call()
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
def test_a_fuzzer_with_a_members_key_finds_nothing(service, member, description, mode):
    seen = attack(description, service, member.api_key.reveal(), mode, 6)

    assert 500 not in seen


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
def test_a_fuzzer_that_knows_the_rooms_ids_finds_nothing(service, tmp_path, description, mode):
    home = service.founded(tmp_path, "acme", ANALYST)
    service.joined(home, "beta", OWNER)
    uploaded(tmp_path, home)

    seen = attack(with_ids_of(home, description), service, home.api_key.reveal(), mode, 6)

    assert 500 not in seen
    assert {200, 409} <= seen if mode is GenerationMode.POSITIVE else 422 in seen
