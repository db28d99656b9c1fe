"""The running server's TCP connections, so that a fault can cut one, and the sign that the server is closing."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from starlette.types import Receive, Scope

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends RST instead of FIN."""


class Wire:
    """What uvicorn knows of its connections: protocol objects with `client` (host, port) and `transport`."""

    def __init__(self, connections: Iterable[Any]) -> None:
        self._connections = connections
        self.closing = asyncio.Event()

    async def pause(self, seconds: float) -> None:
        """Wait; not at all once the server is closing."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.closing.wait(), seconds)

    async def hold(self, seconds: float, receive: Receive) -> None:
        """Wait; no longer than the client does, and not at all once the server is closing."""
        waits = {asyncio.ensure_future(_gone(receive)), asyncio.ensure_future(self.closing.wait())}
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()

    async def cut(self, scope: Scope, receive: Receive, *, reset: bool) -> None:
        """Close a request's connection without another byte, by RST or by FIN, and wait until it is gone."""
        client = tuple(scope["client"])
        for connection in list(self._connections):
            if connection.client == client:
                if reset:
                    raw = connection.transport.get_extra_info("socket")
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                connection.transport.abort()
        await _gone(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
