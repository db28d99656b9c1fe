"""One sandbox for all tests of this room, emptied and set back before each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from billy_pipelines.sandbox import OrganizationSeed, Sandbox, SandboxServer, Switches

TOKENS = ("token-one", "token-two")


@pytest.fixture(scope="session")
def running() -> Iterator[SandboxServer]:
    organizations: list[OrganizationSeed] = [
        {"token": TOKENS[0], "id": "org0000000000000000001", "name": "Første ApS", "registrationNo": "00000001"},
        {"token": TOKENS[1], "id": "org0000000000000000002", "name": "Anden ApS", "registrationNo": "00000002"},
    ]
    with SandboxServer(organizations=organizations, seed=7) as server:
        yield server


@pytest.fixture(autouse=True)
def server(running: SandboxServer) -> SandboxServer:
    running.sandbox.switch(**Switches().model_dump())
    running.sandbox.reset()
    return running


@pytest.fixture
def sandbox(server: SandboxServer) -> Sandbox:
    return server.sandbox


# A client costs 20 ms to make (its TLS settings), so all tests share three of them.


@pytest.fixture(scope="session")
def client(running: SandboxServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, headers={"X-Access-Token": running.token}) as client:
        yield client


@pytest.fixture(scope="session")
def anonymous(running: SandboxServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url) as client:
        yield client


@pytest.fixture(scope="session")
def control(running: SandboxServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url.removesuffix("/v2") + "/sandbox") as client:
        yield client


@pytest.fixture
def create(client: httpx.Client) -> Callable[..., dict[str, Any]]:
    def post(**values: Any) -> dict[str, Any]:
        response = client.post("/contacts", json={"contact": {"name": "Æblehaven ApS", "countryId": "DK", **values}})
        assert response.status_code == 200, response.text
        contact: dict[str, Any] = response.json()["contacts"][0]
        return contact

    return post
