"""The routes under /sandbox: look at and change the sandbox itself. No token, no latency, no limits, no faults."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from .ledger import as_json
from .names import CONTACTS, PERSONS
from .resources import RESOURCES
from .state import Sandbox
from .switches import Switches

Endpoint = Callable[[Request], Awaitable[JSONResponse]]


class InUse(BaseModel):
    """Body of PUT /sandbox/in-use."""

    model_config = ConfigDict(extra="forbid")

    ids: list[str]
    in_use: bool = True


def routes(sandbox: Sandbox) -> list[Route]:
    """GET /sandbox, GET and PUT /sandbox/switches, GET /sandbox/ledger and /requests, POST /reset, PUT /in-use."""

    async def overview(request: Request) -> JSONResponse:
        """What there is: books, counters, and every switch with its present value, default and meaning."""
        with sandbox.lock:
            now = sandbox.switches.model_dump(mode="json")
            return JSONResponse(
                {
                    "organizations": [
                        {
                            "id": books.organization_id,
                            "name": books.organization.values["name"],
                            "contacts": len(books.records(CONTACTS)),
                            "contactPersons": len(books.records(PERSONS)),
                            "records": {
                                plural: len(books.records(plural))
                                for plural, resource in RESOURCES.items()
                                if not resource.public and books.records(plural)
                            },
                        }
                        for books in sandbox.books_by_token.values()
                    ],
                    "changes": len(sandbox.ledger),
                    "requests": len(sandbox.requests),
                    "faults_fired": dict(sandbox.faults_fired),
                    "switches": {
                        name: {"value": now[name], **described} for name, described in _descriptions().items()
                    },
                }
            )

    async def read_switches(request: Request) -> JSONResponse:
        return JSONResponse(sandbox.switches.model_dump(mode="json"))

    async def change_switches(request: Request) -> JSONResponse:
        """A JSON object with the switches to change; answers with all of them, or 422 with what is wrong."""
        try:
            changes = json.loads(await request.body())
            if not isinstance(changes, dict):
                raise ValueError("the body must be an object of switches")
            return JSONResponse(sandbox.switch(**changes).model_dump(mode="json"))
        except ValueError as error:
            return _wrong(error)

    async def ledger(request: Request) -> JSONResponse:
        """?since=N gives the changes after sequence number N."""
        since = request.query_params.get("since", "0")
        if not since.isdigit():
            return _wrong(ValueError("since must be a sequence number"))
        with sandbox.lock:
            return JSONResponse({"count": len(sandbox.ledger), "changes": as_json(sandbox.ledger.since(int(since)))})

    async def requests(request: Request) -> JSONResponse:
        with sandbox.lock:
            log = sandbox.requests
            return JSONResponse({"count": len(log), "by_status": log.by_status(), "requests": as_json(log)})

    async def reset(request: Request) -> JSONResponse:
        sandbox.reset()
        return JSONResponse({"reset": True})

    async def in_use(request: Request) -> JSONResponse:
        """{"ids": […], "in_use": true} marks contacts or products as needed, so that a DELETE is refused."""
        try:
            wish = InUse.model_validate_json(await request.body())
            sandbox.mark_in_use(*wish.ids, in_use=wish.in_use)
        except ValueError as error:
            return _wrong(error)
        except KeyError as error:
            return JSONResponse({"error": f"no contact or product {error}"}, 404)
        return JSONResponse(wish.model_dump())

    table: list[tuple[str, Endpoint, str]] = [
        ("", overview, "GET"),
        ("/", overview, "GET"),
        ("/switches", read_switches, "GET"),
        ("/switches", change_switches, "PUT"),
        ("/ledger", ledger, "GET"),
        ("/requests", requests, "GET"),
        ("/reset", reset, "POST"),
        ("/in-use", in_use, "PUT"),
    ]
    return [Route(f"/sandbox{path}", endpoint, methods=[method]) for path, endpoint, method in table]


def _descriptions() -> dict[str, dict[str, Any]]:
    """Per switch its default, what it accepts (JSON schema) and what it is for."""
    schema = Switches.model_json_schema()["properties"]
    return {
        name: {
            "default": schema[name].get("default"),
            "accepts": schema[name].get("enum") or schema[name].get("anyOf") or schema[name].get("type"),
            "description": schema[name].get("description"),
        }
        for name in Switches.model_fields
    }


def _wrong(error: ValueError) -> JSONResponse:
    if isinstance(error, ValidationError):
        text = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    else:
        text = str(error)
    return JSONResponse({"error": text}, 422)
