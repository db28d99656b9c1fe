"""A server whose every answer is a function of the test: for what neither Billy nor the sandbox should ever do."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Seen:
    """A request as it came; `number` counts from 1."""

    number: int
    method: str
    path: str
    query: dict[str, str]
    token: str | None


@dataclass(frozen=True)
class Reply:
    """An answer; a `body` that is no bytes travels as JSON."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class Imitation:
    """An HTTP server in threads of its own. `seen` lists the requests; `url` and `token` make it fit for a client."""

    token = "imitation-token"

    def __init__(self, answer: Callable[[Seen], Reply]) -> None:
        self.seen: list[Seen] = []
        imitation, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                with lock:
                    seen = Seen(
                        len(imitation.seen) + 1,
                        self.command,
                        parts.path,
                        dict(parse_qsl(parts.query)),
                        self.headers.get("X-Access-Token"),
                    )
                    imitation.seen.append(seen)
                    reply = answer(seen)
                body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            disable_nagle_algorithm = True  # 44 ms an answer with it
            do_POST = do_PUT = do_GET  # noqa: N815 - the names http.server looks for

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v2"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def page(records: list[dict[str, Any]], *, total: int | None, **paging: Any) -> dict[str, Any]:
    """The body of a page of contacts; without a total there is no paging at all."""
    meta = {} if total is None else {"paging": {"pageSize": 1000, "total": total, **paging}}
    return {"meta": {"statusCode": 200, "success": True, **meta}, "contacts": records}


def contacts(*numbers: int) -> list[dict[str, Any]]:
    """Contacts with the ids c0, c1, …"""
    return [{"id": f"c{number}", "name": f"Kontakt {number}"} for number in numbers]
