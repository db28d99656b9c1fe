"""Running the sandbox over HTTP: `serve` until a signal comes, `SandboxServer` in a thread of a test or the demo."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import uvicorn

from .app import create_app
from .faults import API
from .state import DEFAULT_TOKEN, OrganizationSeed, Sandbox
from .switches import Switches
from .wire import Wire

_GRACE = 1
"""Seconds that running requests get when the server stops; pauses and holds end at once."""


class _Server(uvicorn.Server):
    """uvicorn that tells when it listens, and for which a signal is a clean end instead of an exit code."""

    def __init__(self, sandbox: Sandbox, on_started: Callable[[], None]) -> None:
        app = create_app(sandbox=sandbox)
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                ws="none",
                timeout_keep_alive=30,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        self._sandbox = sandbox
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._sandbox.wire = Wire(self.server_state.connections)
        await super().startup(sockets)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._sandbox.wire is not None:
            self._sandbox.wire.closing.set()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def listening_socket(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes any that is free.

    Raises:
        OSError: the port is taken, or not ours to take.
    """
    # asyncio turns Nagle's delay off only where the protocol is named: 44 ms an answer without it.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(2048)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def serve(
    sandbox: Sandbox,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    on_started: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then return. `on_started` gets the base address once it listens.

    Raises:
        OSError: the port is taken.
    """
    sock = listening_socket(host, port)
    url = _url(sock)
    _Server(sandbox, lambda: on_started(url)).run(sockets=[sock])


class SandboxServer:
    """A sandbox in a background thread.

    >>> with SandboxServer(bulk_save="partial") as server:
    ...     httpx.get(f"{server.url}/contacts", headers={"X-Access-Token": server.token})

    Keyword arguments beside the named ones are switches. After `stop`, `start` serves the same books on the same port.
    """

    def __init__(
        self,
        token: str = DEFAULT_TOKEN,
        *,
        organizations: Sequence[OrganizationSeed] | None = None,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        **switches: Any,
    ) -> None:
        organizations = organizations or [{"token": token}]
        self.token: str = organizations[0]["token"]
        """The token of the first organization."""
        self.sandbox = Sandbox(Switches.model_validate(switches), organizations, seed)
        self.port = port
        self.url = ""
        """Base address, `http://127.0.0.1:PORT/v2`, once started."""
        self._host = host
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Listen; returns when requests are answered.

        Raises:
            OSError: the port is taken.
            RuntimeError: it runs already, or the server ended while starting.
        """
        if self._thread is not None:
            raise RuntimeError("the sandbox runs already")
        started = threading.Event()
        sock = listening_socket(self._host, self.port)
        self.port, self.url = sock.getsockname()[1], _url(sock)
        server = _Server(self.sandbox, started.set)
        failures: list[BaseException] = []

        def run() -> None:
            try:
                server.run(sockets=[sock])
            except BaseException as error:  # raised again by the thread that waits
                failures.append(error)
            finally:
                started.set()

        self._server, self._thread = server, threading.Thread(target=run, name="billy-sandbox", daemon=True)
        self._thread.start()
        started.wait(timeout=10)
        if failures or not server.started:
            raise RuntimeError("the sandbox did not start") from (failures[0] if failures else None)
        return self

    def stop(self) -> None:
        """Stop listening and end the thread; nothing happens if it does not run."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(timeout=5)
        if self._thread.is_alive():
            raise RuntimeError("the sandbox did not stop within 5 s")
        self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://{host}:{port}{API}"
