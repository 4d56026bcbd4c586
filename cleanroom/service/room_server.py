"""The server that ends in order: queries under way first, with their owners' brokers, then everything else."""

from __future__ import annotations

import asyncio
import socket
import time

import uvicorn

from cleanroom.service.room_parts import RoomParts

GRACE_SECONDS = 30
_LOOK_AGAIN_SECONDS = 0.05


class RoomServer(uvicorn.Server):
    """Takes no new question once it is told to stop, and lets waiting brokers go when the last one is answered."""

    def __init__(self, config: uvicorn.Config, parts: RoomParts) -> None:
        super().__init__(config)
        self._parts = parts

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Brokers connect to answer, so the sockets stay open for as long as a query needs them."""
        self._parts.desk.under_way.stop()
        end = time.monotonic() + GRACE_SECONDS
        while not (self._parts.desk.under_way.is_idle or self.force_exit or time.monotonic() > end):
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        self._parts.brokers.close()
        await super().shutdown(sockets)
