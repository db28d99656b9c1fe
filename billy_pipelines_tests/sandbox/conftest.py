"""One sandbox for all tests of this room, emptied and set back before each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Shop:
    """A company with a customer and a product at 25 % VAT, and the calls that invoices take."""

    client: httpx.Client
    sandbox: Sandbox
    contact: str
    product: str

    def line(self, unit_price: float = 100, quantity: float = 1, **more: Any) -> dict[str, Any]:
        return {"productId": self.product, "quantity": quantity, "unitPrice": unit_price, **more}

    def post(self, *lines: dict[str, Any], **values: Any) -> httpx.Response:
        body = {"contactId": self.contact, "entryDate": "2026-02-03", "lines": list(lines) or [self.line()], **values}
        return self.client.post("/invoices", json={"invoice": body})

    def create(self, *lines: dict[str, Any], **values: Any) -> dict[str, Any]:
        response = self.post(*lines, **values)
        assert response.status_code == 200, response.text
        invoice: dict[str, Any] = response.json()["invoices"][0]
        return invoice

    def put(self, invoice: dict[str, Any], **values: Any) -> httpx.Response:
        return self.client.put(f"/invoices/{invoice['id']}", json={"invoice": values})

    def approved(self, *lines: dict[str, Any], **values: Any) -> dict[str, Any]:
        response = self.put(self.create(*lines, **values), state="approved")
        assert response.status_code == 200, response.text
        invoice: dict[str, Any] = response.json()["invoices"][0]
        return invoice

    def read(self, invoice: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/invoices/{invoice['id']}").json()["invoice"]
        return {key: value for key, value in found.items() if key != "downloadUrl"}


@pytest.fixture
def shop(client: httpx.Client, sandbox: Sandbox) -> Shop:
    [contact] = sandbox.add("contacts", [{"name": "Æblehaven ApS", "isCustomer": True}])
    [product] = sandbox.add("products", [{"name": "Blå prøvevare", "productNo": "0042"}])
    return Shop(client, sandbox, contact, product)
