"""The one module that imports httpx: requests out, answers in, failures sorted by whether they can have reached Billy.

One httpx client with 50 requests in flight reached 92 requests/s against a 150 ms server, ten with five each 277/s: its
connection pool looks at every connection for every request. So each request has a client to itself, with one
connection, and the one that was used last goes first: a slow job keeps one connection warm, a fast one opens more.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import httpx

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}

Json = dict[str, Any]
Query = Mapping[str, str | int] | Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: `body` is the decoded JSON object, or None when it was not one. `retry_after` and `date` are read
    of errors only."""

    status: int
    body: Json | None
    retry_after: str | None
    date: str | None


class _NoCookies(httpx.Cookies):
    def extract_cookies(self, response: httpx.Response) -> None:
        """Nothing: the token says all, and looking for them took 5 % of the time of a request."""


class _Client(httpx.AsyncClient):
    @property
    def cookies(self) -> httpx.Cookies:
        return _NO_COOKIES

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        """They stay none."""


_NO_COOKIES = _NoCookies()


class TransportFailed(Exception):
    """No answer. `reached` tells whether the request can have reached Billy, `timed_out` whether it may be at work."""

    def __init__(self, message: str, *, reached: bool, timed_out: bool = False) -> None:
        super().__init__(message)
        self.reached = reached
        self.timed_out = timed_out


@lru_cache
def _tls(trust_env: bool) -> ssl.SSLContext:
    """One for all clients: left to themselves, ten took 0.35 s to make theirs, twice in every job."""
    return httpx.create_ssl_context(trust_env=trust_env)


class Transport:
    """Sends requests to one API base with one token. Redirects are never followed (rule B25)."""

    def __init__(self, api_url: str, token: str, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._api_url = api_url.rstrip("/")
        self._answer_seconds = answer_seconds
        self._token = token
        self._clients: list[httpx.AsyncClient] = []
        self._idle: list[httpx.AsyncClient] = []

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.aclose()

    async def _request(self, method: str, url: str, **parts: Any) -> httpx.Response:
        """The answer to one request of a client nobody else is using. One that failed is not used again: a request cut
        off can leave its connection taken for ever, and there is no other beside it."""
        client = self._idle.pop() if self._idle else self._new_client()
        try:
            response = await client.request(method, url, **parts)
        except httpx.HTTPError:
            self._clients.remove(client)
            await client.aclose()
            raise
        self._idle.append(client)
        return response

    def _new_client(self) -> httpx.AsyncClient:
        trust_env = urlsplit(self._api_url).hostname not in _LOOPBACK
        client = _Client(
            headers={"X-Access-Token": self._token, "Accept": "application/json", "User-Agent": "billy-pipelines"},
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=20),
            timeout=httpx.Timeout(self._answer_seconds, connect=CONNECT_SECONDS, pool=None),
            follow_redirects=False,
            trust_env=trust_env,
            verify=_tls(trust_env),
        )
        self._clients.append(client)
        return client

    async def request(self, method: str, path: str, *, query: Query | None = None, body: Json | None = None) -> Answer:
        """One request, one answer of whatever status.

        Raises:
            TransportFailed: no complete answer came.
        """
        # In ASCII: half a surrogate pair, which an answer of Billy's can hand us, has no UTF-8 of its own.
        content = None if body is None else json.dumps(body).encode()
        headers = None if content is None else {"Content-Type": "application/json"}
        try:
            response = await self._request(
                method, self._api_url + path, params=_params(query), content=content, headers=headers
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            raise TransportFailed(f"no connection to Billy ({error or type(error).__name__})", reached=False) from error
        except httpx.TimeoutException as error:
            raise TransportFailed("Billy did not answer in time", reached=True, timed_out=True) from error
        except httpx.HTTPError as error:
            raise TransportFailed(f"the connection broke ({error or type(error).__name__})", reached=True) from error
        of_error = response.headers if response.is_error else httpx.Headers()
        return Answer(
            status=response.status_code,
            body=_json_object(response, self._token),
            retry_after=of_error.get("Retry-After"),
            date=of_error.get("Date"),
        )


def _params(query: Query | None) -> httpx.QueryParams | None:
    """A sequence of values is that key several times (`ids[]`, observed)."""
    if not query:
        return None
    several = {key: [value] if isinstance(value, str | int) else value for key, value in query.items()}
    return httpx.QueryParams([(key, str(value)) for key, values in several.items() for value in values])


def _json_object(response: httpx.Response, token: str) -> Json | None:
    try:
        # An error that quotes the token would carry it into messages, reports and logs.
        echoed = response.is_error and token and token in response.text
        decoded = json.loads(response.text.replace(token, "•••")) if echoed else response.json()
    except ValueError:  # covers malformed JSON and undecodable bytes
        return None
    return decoded if isinstance(decoded, dict) else None
