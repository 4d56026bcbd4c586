"""A connection that lasts: it goes on with the home's API key when another command of the party has replaced it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from cleanroom.errors import HomeUnusable, LogBroken, NotAuthorised, ServiceUntrusted, StateRolledBack
from cleanroom.partner.party_home import PartyHome
from cleanroom.partner.room_link import Body, RoomLink

Answer = TypeVar("Answer")
TRIES, PAUSE_SECONDS = (
    8,
    0.25,
)  # whoever replaces a key ends the old one a moment before the home has the new one


class HomesLink:
    """As `RoomLink`, for the party of one home. `with` closes it."""

    def __init__(self, home: PartyHome) -> None:
        self._home = home
        self._link = RoomLink(home.room.url, home.api_key, insecure=True)  # the URL was allowed on joining

    def __enter__(self) -> HomesLink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.close()

    def get(self, path: str, shape: type[Body]) -> Body:
        """Read something."""
        return self._renewing(lambda: self._link.get(path, shape))

    def post(self, path: str, shape: type[Body], body: Mapping[str, Any] | None = None) -> Body:
        """Do something, once, however often it is tried."""
        return self._renewing(lambda: self._link.post(path, shape, body))

    def post_once(
        self, path: str, shape: type[Body], body: Mapping[str, Any], *, read_seconds: float
    ) -> Body:
        """Ask for what is handed out once, in one try."""
        return self._renewing(lambda: self._link.post_once(path, shape, body, read_seconds=read_seconds))

    def _renewing(self, ask: Callable[[], Answer]) -> Answer:
        """A request that was not authorised did nothing, so it is made again. Raises NotAuthorised."""
        try:
            return _answered(ask)
        except NotAuthorised:
            if not self._renewed():
                raise
        return _answered(ask)

    def _renewed(self) -> bool:
        for _ in range(TRIES):
            key = self._home.api_key
            if not self._link.uses(key):
                self._link.use(key)
                return True
            time.sleep(PAUSE_SECONDS)
        return False


def _answered(ask: Callable[[], Answer]) -> Answer:
    """What only the home can say of itself, and ends its broker, is not believed of a service."""
    try:
        return ask()
    except (HomeUnusable, LogBroken, StateRolledBack) as error:
        raise ServiceUntrusted(
            f"the service answers for the home: {error}", hint="ask its operator why"
        ) from error
