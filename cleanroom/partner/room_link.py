"""Requests to the service: refusals come back as the errors they were, lost connections are tried again.

Guarantee: a request that changes something carries one idempotency key through all its tries, so that it is done
once. Credentials go over TLS, or to the own machine, and nowhere else.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from cleanroom import errors
from cleanroom.errors import Reason, RoomError, ServiceUnreachable, ServiceUntrusted
from cleanroom.governance.secret_text import Secret
from cleanroom.service.answer_bodies import Answered

Body = TypeVar("Body", bound=Answered)
TRIES = 5
FIRST_PAUSE_SECONDS = 0.2
_TIMEOUT = httpx.Timeout(30.0, read=300.0)
_KINDS: dict[str, type[RoomError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, RoomError)
}
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class Call:
    """One request: where to, and what with."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    parameters: Mapping[str, Any] | None = None


class RoomLink:
    """A connection to one service. `with` closes it."""

    def __init__(self, url: str, api_key: Secret | None = None, *, insecure: bool = False) -> None:
        """Raises ServiceUntrusted for a URL that would send keys in clear."""
        self.url = require_safe_url(url, insecure=insecure)
        headers = {"Authorization": _bearer(api_key)} if api_key is not None else {}
        on_this_machine = urlsplit(self.url).hostname in _LOOPBACK
        self._client = httpx.Client(
            base_url=self.url, headers=headers, timeout=_TIMEOUT, trust_env=not on_this_machine
        )

    def __enter__(self) -> RoomLink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def uses(self, api_key: Secret) -> bool:
        """Whether requests carry this key."""
        return bool(self._client.headers.get("Authorization") == _bearer(api_key))

    def use(self, api_key: Secret) -> None:
        """Another key from now on."""
        self._client.headers["Authorization"] = _bearer(api_key)

    def get(self, path: str, shape: type[Body], **parameters: Any) -> Body:
        """Read something."""
        return self.send(Call("GET", path, parameters=parameters), shape)

    def post(self, path: str, shape: type[Body], body: Mapping[str, Any] | None = None) -> Body:
        """Do something, once."""
        return self.send(Call("POST", path, body), shape)

    def delete(self, path: str, shape: type[Body]) -> Body:
        """End something."""
        return self.send(Call("DELETE", path), shape)

    def send(self, call: Call, shape: type[Body]) -> Body:
        """The answer, of the first try that got one. Raises the service's refusal, or ServiceUnreachable."""
        headers = {"Idempotency-Key": str(uuid.uuid4())} if call.method == "POST" else {}
        for attempt in range(TRIES):
            try:
                response = self._client.request(
                    call.method, call.path, json=call.body, params=call.parameters, headers=headers
                )
            except httpx.TransportError as error:
                if attempt == TRIES - 1:
                    raise _unreachable(self.url) from error
            else:
                # After a lost answer the first try may still be at work.
                if not (attempt and response.status_code == 409 and attempt < TRIES - 1):
                    return read_answer(response, shape)
            time.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
        raise _unreachable(self.url)

    def post_once(
        self, path: str, shape: type[Body], body: Mapping[str, Any], *, read_seconds: float
    ) -> Body:
        """Ask for what is handed out once, in one try. Raises the service's refusal, or ServiceUnreachable."""
        try:
            response = self._client.post(path, json=body, timeout=httpx.Timeout(30.0, read=read_seconds))
        except httpx.TransportError as error:
            raise _unreachable(self.url) from error
        return read_answer(response, shape)

    def put_part(self, path: str, shape: type[Body], *, offset: int, chunks: Iterator[bytes]) -> Body:
        """Send one part of a table, in one try. Raises ServiceUnreachable; the caller asks how much arrived."""
        try:
            response = self._client.put(
                path,
                params={"offset": offset},
                content=chunks,
                headers={"Content-Type": "application/octet-stream"},
            )
        except httpx.TransportError as error:
            raise _unreachable(self.url) from error
        return read_answer(response, shape)


def require_safe_url(url: str, *, insecure: bool = False) -> str:
    """The URL without its last slash, if keys may be sent to it."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise ServiceUntrusted(
            f"{url:.100} is not the URL of a service", hint="write https://room.example.com"
        )
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not insecure:
        raise ServiceUntrusted(
            "keys are sent over https only, or to this machine; nothing was sent", hint="use the https URL"
        )
    return url.rstrip("/")


def read_answer(response: httpx.Response, shape: type[Body]) -> Body:
    """The answer as a value. Raises the refusal that it is."""
    try:
        plain = response.json()
        if response.is_success:
            return shape.model_validate(plain)
        refusal = _refusal(plain)
    except (ValueError, ValidationError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ServiceUntrusted(
            f"the answer with status {response.status_code} is not one of this service's",
            hint="check the URL, and that the service has the version of this client",
        ) from error
    raise refusal


def _bearer(api_key: Secret) -> str:
    return f"Bearer {api_key.reveal()}"


def _refusal(plain: Any) -> RoomError:
    reasons = [Reason(item["code"], item["message"], item["fix"]) for item in plain["errors"]]
    said = plain["error"]
    kind = _KINDS.get(said["code"], RoomError)
    alone = len(reasons) == 1 and reasons[0].message == said["message"]
    return kind(said["message"], hint=said["hint"], reasons=() if alone else reasons)


def _unreachable(url: str) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"{url} does not answer", hint="check the network and the URL; then run the same command again"
    )
