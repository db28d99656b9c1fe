"""Starting, stopping, speed, the made-up contacts and the command."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from click.testing import CliRunner

from billy_pipelines import sandbox as room
from billy_pipelines.cli.sandbox import sandbox as command
from billy_pipelines.sandbox import Sandbox, SandboxServer, create_app, made_up_contacts
from billy_pipelines.sandbox.made_up import wrong_cvr

COMMAND = [sys.executable, "-c", "from billy_pipelines.cli.sandbox import sandbox; sandbox()"]


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_public_names_are_these() -> None:
    assert sorted(room.__all__) == [
        "Change",
        "Fault",
        "OrganizationSeed",
        "RequestEntry",
        "Sandbox",
        "SandboxServer",
        "Switches",
        "create_app",
        "made_up_contacts",
        "made_up_invoices",
        "made_up_products",
        "serve",
    ]
    assert create_app(organizations=[{"token": "a"}]).state.sandbox.books_by_token.keys() == {"a"}


def test_a_server_stopped_and_started_again_has_the_same_books_and_address() -> None:
    server = SandboxServer("my-token")
    server.stop()
    with server:
        url = server.url
        server.sandbox.add_contacts([{"name": "a"}])
        with pytest.raises(RuntimeError):
            server.start()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    with server:
        response = httpx.get(f"{server.url}/contacts", headers={"X-Access-Token": "my-token"})
        assert (server.url, response.json()["meta"]["paging"]["total"]) == (url, 1)


def test_two_sandboxes_run_side_by_side() -> None:
    with SandboxServer() as one, SandboxServer() as other:
        assert one.port != other.port
        one.sandbox.add_contacts([{"name": "a"}])
        assert httpx.get(f"{other.url}/contacts", headers={"X-Access-Token": other.token}).json()["contacts"] == []


def test_a_taken_port_is_an_error() -> None:
    with SandboxServer() as server, pytest.raises(OSError, match="in use"):
        SandboxServer(port=server.port).start()


def test_a_load_of_creates_and_a_large_sorted_list(client: httpx.Client, sandbox: Sandbox) -> None:
    for number in range(300):
        client.post("/contacts", json={"contact": {"name": f"Kunde {number}", "countryId": "DK"}})
    sandbox.add_contacts(made_up_contacts(5000))
    listed = client.get("/contacts?sortProperty=createdTime&page=2").json()
    assert (len(listed["contacts"]), listed["meta"]["paging"]["total"]) == (1000, 5300)


def test_made_up_contacts_cannot_be_real() -> None:
    contacts = list(made_up_contacts(500, seed=3))
    assert contacts == list(made_up_contacts(500, seed=3))
    assert len({contact["contactNo"] for contact in contacts}) == 500
    generator = random.Random(1)
    numbers = [contact["registrationNo"] for contact in contacts] + [wrong_cvr(generator) for _ in range(5000)]
    for number in numbers:
        total = sum(int(digit) * weight for digit, weight in zip(number, (2, 7, 6, 5, 4, 3, 2, 1), strict=True))
        assert total % 11 != 0
    assert all(person["email"].endswith(".example") for contact in contacts for person in contact["contactPersons"])


# -- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_tells_its_address_and_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    with started("--port", "0", "--json", "--contacts", "3", "--latency", "0", "--token", "abc") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told.keys() == {"url", "token", "port", "pid"}
        assert (told["token"], told["pid"]) == ("abc", process.pid)
        assert told["url"] == f"http://127.0.0.1:{told['port']}/v2"
        with httpx.Client(base_url=told["url"], headers={"X-Access-Token": "abc"}) as client:
            assert client.get("/contacts").json()["meta"]["paging"]["total"] == 3
            begun = time.monotonic()
            os.kill(process.pid, number)
            assert process.wait(timeout=5) == 0
            assert time.monotonic() - begun < 2
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_the_command_prints_the_lines_to_export_and_sets_the_switches() -> None:
    options = ["--port", "0", "--rate-limit", "7/60", "--retry-after", "date", "--bulk-save", "partial"]
    options += [
        "--fault",
        "5xx-after:0.05",
        "--fault",
        "reset-mid",
        "--archived-in-lists",
        "hidden",
        "--unstable-paging",
    ]
    with started(*options) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(3)]
        url = lines[0].split()[4]
        assert lines[1:] == [f"export BILLY_API_URL={url}", "export BILLY_ACCESS_TOKEN=sandbox-token"]
        switches = httpx.get(url.replace("/v2", "/sandbox/switches")).json()
    faults = [(fault["kind"], fault["share"]) for fault in switches.pop("faults")]
    assert faults == [("5xx-after", 0.05), ("reset-mid", None)]
    changed: dict[str, object] = {
        "latency": "0.2-0.4",
        "rate_limit": "7/60",
        "retry_after": "date",
        "bulk_save": "partial",
    }
    changed |= {"archived_in_lists": "hidden", "unstable_paging": True}
    assert switches == {**switches, **changed}


def test_the_command_says_when_the_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(command, ["--port", str(port)])
    assert result.exit_code == 1
    assert f"Port {port} cannot be used: Address already in use" in result.stderr


def test_the_command_starts_with_made_up_books_and_poison() -> None:
    options = ["--contacts", "3", "--products", "4", "--invoices", "5", "--poison", "200001=422"]
    with started("--port", "0", "--json", "--latency", "0", *options) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        with httpx.Client(base_url=told["url"], headers={"X-Access-Token": told["token"]}) as client:
            totals = {
                plural: client.get(f"/{plural}").json()["meta"]["paging"]["total"]
                for plural in ("contacts", "products", "invoices")
            }
            assert totals == {"contacts": 3, "products": 4, "invoices": 5}
            product = client.get("/products?productNo=200001").json()["products"][0]
            assert client.put(f"/products/{product['id']}", json={"product": {"unit": "stk"}}).status_code == 422


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--poison", "Kunde 17"], "RECORD=KIND"),
        (["--poison", "Kunde 17=nonsense"], "kind"),
        (["--invoices", "1", "--contacts", "1"], "--products"),
        (["--fault", "nonsense:0.1"], "kind"),
        (["--fault", "5xx-after:2"], "share"),
        (["--fault", "5xx-after:x"], "KIND:SHARE"),
        (["--rate-limit", "100"], "rate_limit"),
        (["--latency", "slow"], "latency"),
        (["--token", "a", "--token", "a"], "same token"),
    ],
)
def test_the_command_refuses_wrong_use_with_exit_code_2(options: list[str], text: str) -> None:
    result = CliRunner().invoke(command, options)
    assert result.exit_code == 2
    assert text in result.stderr
