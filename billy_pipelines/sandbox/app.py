"""The routes under /v2, in the order of checks seen on Billy: path, verb, body, token, and only then the work.

That order is (observed) for unknown collections, refused verbs, bodies and bulk deletes, all of which answer without a
token; the rest of it is our choice.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Any, NoReturn

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import control, writes
from .answers import RefusedError, answer, array, changed_answer, refusal
from .books import CONTACTS, ORGANIZATIONS, PERSONS, Books, Changed
from .faults import API, Trouble
from .listing import contact_roots, contacts_in_order, named_rows, page_of
from .properties import ORGANIZATION
from .reference import reference_lists
from .state import OrganizationSeed, Sandbox
from .switches import Switches

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_READ_ONLY = ("countries", "currencies", "locales")

Handler = Callable[[Request, Sandbox], Awaitable[Response]]


def create_app(
    switches: Switches | None = None,
    *,
    organizations: Sequence[OrganizationSeed] | None = None,
    seed: int = 0,
    sandbox: Sandbox | None = None,
) -> Starlette:
    """The application; its state is `app.state.sandbox`. A ready `sandbox` stands for the other three arguments."""
    sandbox = sandbox or Sandbox(switches, organizations, seed)
    routes = [
        Route(f"{API}/organization", _endpoint(_own_organization), methods=METHODS),
        Route(f"{API}/{{collection}}", _endpoint(_collection), methods=METHODS),
        Route(f"{API}/{{collection}}/{{record_id}}", _endpoint(_record), methods=METHODS),
        *control.routes(sandbox),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Trouble, sandbox=sandbox)],
        exception_handlers={404: _no_route, 405: _no_method},
    )
    app.router.redirect_slashes = False
    app.state.sandbox = sandbox
    return app


def _endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request, request.app.state.sandbox)
        except RefusedError as refused:
            return refusal(refused)

    return endpoint


async def _no_route(request: Request, error: Exception) -> Response:
    return refusal(RefusedError(404, f"there is no {request.url.path}", "UNKNOWN_RESOURCE"))


async def _no_method(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 405
    return refusal(RefusedError(status, f"{request.method} not offered here", "METHOD_NOT_ALLOWED"))


# -- organizations ---------------------------------------------------------------------------------------------------


async def _own_organization(request: Request, sandbox: Sandbox) -> Response:
    """GET /organization (documented); every other verb is refused (PUT observed, the rest our choice)."""
    if request.method != "GET":
        _not_offered(request, "organization")
    with sandbox.lock:
        books = _authorised(request, sandbox, ORGANIZATIONS)
        return answer(request, {"organization": books.organization.text})


async def _organization(request: Request, sandbox: Sandbox) -> Response:
    """GET and PUT /organizations/:id work with a company token (observed)."""
    if request.method not in ("GET", "PUT"):
        _not_offered(request, ORGANIZATIONS)
    item = await _body(request) if request.method == "PUT" else None
    with sandbox.lock:
        books = _authorised(request, sandbox, ORGANIZATIONS)
        if request.path_params["record_id"] != books.organization_id:
            raise RefusedError(404, f"`organization` `{request.path_params['record_id']}` does not exist")
        if item is None:
            return answer(request, {"organization": books.organization.text})
        changed = writes.save_organization(books, ORGANIZATION, sandbox.switches, _named(item, "organization"))
        return _committed(request, sandbox, books, changed)


# -- collections -----------------------------------------------------------------------------------------------------


async def _collection(request: Request, sandbox: Sandbox) -> Response:
    """GET (list), POST (one), PATCH (many), DELETE ?ids[]= on /contacts and /contactPersons."""
    plural = request.path_params["collection"]
    if plural in _READ_ONLY:
        return _reference(request, sandbox, plural)
    if plural == ORGANIZATIONS:
        _not_offered(request, plural)  # reports on listing them differ (unverified); refusing is our choice
    _known(plural)
    if request.method not in ("GET", "POST", "PATCH", "DELETE"):
        _not_offered(request, plural)
    if request.method == "PATCH":
        return await _bulk_save(request, sandbox, plural)
    if request.method == "DELETE":
        return _bulk_delete(request, sandbox, plural)
    body = await _body(request) if request.method == "POST" else {}
    with sandbox.lock:
        books = _authorised(request, sandbox, plural)
        if request.method == "GET":
            return _listed(request, sandbox, books, plural)
        item = _named(body, writes.SINGULAR[plural])
        return _committed(request, sandbox, books, writes.save_one(books, sandbox.switches, plural, None, item))


async def _record(request: Request, sandbox: Sandbox) -> Response:
    """GET, PUT and DELETE of one record."""
    plural, record_id = request.path_params["collection"], request.path_params["record_id"]
    if plural in _READ_ONLY:
        return _reference(request, sandbox, plural, record_id)
    if plural == ORGANIZATIONS:
        return await _organization(request, sandbox)
    _known(plural)
    if request.method not in ("GET", "PUT", "DELETE"):
        _not_offered(request, plural)
    body = await _body(request) if request.method == "PUT" else {}
    with sandbox.lock:
        if request.method == "DELETE" and not sandbox.knows(plural, record_id):
            return answer(request, {})  # even without a token (observed)
        books = _authorised(request, sandbox, plural)
        if request.method == "GET":
            return _one(request, sandbox, books, plural, record_id)
        if request.method == "DELETE":
            changed = writes.delete_one(books, sandbox.switches, plural, record_id)
        else:
            item = _named(body, writes.SINGULAR[plural])
            changed = writes.save_one(books, sandbox.switches, plural, record_id, item)
        return _committed(request, sandbox, books, changed)


def _listed(request: Request, sandbox: Sandbox, books: Books, plural: str) -> Response:
    query = request.query_params
    if plural == PERSONS:
        if not query.get("contactId"):
            raise RefusedError(
                400, "contactPersons are listed by contactId", "CONTACT_ID_REQUIRED"
            )  # status (observed)
        rows, paging = page_of(request, sandbox.switches, books.persons_of(query["contactId"]))
        return answer(request, {PERSONS: array(row.text for row in rows)}, paging=paging)
    found = contacts_in_order(books, sandbox.switches, query, sandbox.generator)
    rows, paging = page_of(request, sandbox.switches, found)
    return answer(request, contact_roots(books, sandbox.switches, query, rows), paging=paging)


def _one(request: Request, sandbox: Sandbox, books: Books, plural: str, record_id: str) -> Response:
    record = books.records(plural).get(record_id)
    if record is None:
        raise RefusedError(404, f"`{writes.SINGULAR[plural]}` `{record_id}` does not exist")
    if plural == PERSONS:
        return answer(request, {writes.SINGULAR[PERSONS]: record.text})
    return answer(request, contact_roots(books, sandbox.switches, request.query_params, [record], one=True))


async def _bulk_save(request: Request, sandbox: Sandbox, plural: str) -> Response:
    kind, _, status = sandbox.switches.bulk_save.partition("-")
    if kind == "unavailable":
        code = {"401": "OAUTH_INVALID_ACCESS_TOKEN", "404": "UNKNOWN_RESOURCE"}.get(status, "METHOD_NOT_ALLOWED")
        raise RefusedError(int(status or 405), f"PATCH not offered for {plural}", code)
    body = await _body(request)
    items = body.get(plural)
    if items == []:
        return answer(request, {})  # even without a token (observed)
    with sandbox.lock:
        books = _authorised(request, sandbox, plural)
        if not isinstance(items, list):
            raise RefusedError(400, f"the body needs a list {plural}", "INVALID_REQUEST_BODY")
        try:
            changed = writes.save_many(books, sandbox.switches, plural, items)
        except RefusedError as refused:
            if refused.changed is not None:
                sandbox.note(books, refused.changed, request.scope["sandbox.request_id"])
            raise
        return _committed(request, sandbox, books, changed)


def _bulk_delete(request: Request, sandbox: Sandbox, plural: str) -> Response:
    ids = [record_id for record_id in request.query_params.getlist("ids[]") if record_id]
    if not ids:
        raise RefusedError(400, "write DELETE ?ids[]=A&ids[]=B", "INVALID_DELETE_ID_ARRAY")
    with sandbox.lock:
        books = _authorised(request, sandbox, plural)
        return _committed(request, sandbox, books, writes.delete_many(books, sandbox.switches, plural, ids))


def _reference(request: Request, sandbox: Sandbox, plural: str, record_id: str | None = None) -> Response:
    """Readable without a token (observed in Billy's client), never writable (observed)."""
    if request.method != "GET":
        _not_offered(request, plural)
    names = reference_lists()[plural]
    if record_id is None:
        rows, paging = page_of(request, sandbox.switches, named_rows(names))
        return answer(request, {plural: array(rows)}, paging=paging)
    if record_id not in names:
        raise RefusedError(404, f"`{plural}` `{record_id}` does not exist")
    singular = {"countries": "country", "currencies": "currency", "locales": "locale"}[plural]
    return answer(request, {singular: named_rows({record_id: names[record_id]})[0]})


# -- checks shared by all --------------------------------------------------------------------------------------------


def _authorised(request: Request, sandbox: Sandbox, plural: str) -> Books:
    """The books the token opens."""
    token = request.headers.get("x-access-token")
    if not token:
        raise RefusedError(401, "log in with X-Access-Token or with e-mail and password", "AUTHENTICATION_REQUIRED")
    books = sandbox.books_by_token.get(token)
    limit = sandbox.switches.revoked_after
    if books is None or (limit is not None and sandbox.authorised >= limit):
        raise RefusedError(401, "the access token is invalid", "OAUTH_INVALID_ACCESS_TOKEN")
    sandbox.authorised += 1
    if sandbox.switches.forbidden_resource == plural:
        raise RefusedError(403, f"this token has no access to {plural}")
    return books


def _known(plural: str) -> None:
    if plural not in (CONTACTS, PERSONS):
        raise RefusedError(404, f"there is no collection {plural}", "UNKNOWN_RESOURCE")


def _not_offered(request: Request, name: str) -> NoReturn:
    raise RefusedError(405, f"{request.method} not offered for {name}", "METHOD_NOT_ALLOWED")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object of a body; anything else is refused before the token is looked at (observed)."""
    try:
        body = _DECODER.decode((await request.body()).decode("utf-8"))
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise RefusedError(400, "the body must be a JSON object", "INVALID_REQUEST_BODY")
    return body


def _named(body: dict[str, Any], singular: str) -> dict[str, Any]:
    """The record under its singular root key; the answer to a missing one is our choice."""
    item = body.get(singular)
    if not isinstance(item, dict):
        raise RefusedError(400, f"the body needs an object {singular}", "INVALID_REQUEST_BODY")
    return item


def _committed(request: Request, sandbox: Sandbox, books: Books, changed: Changed) -> Response:
    sandbox.note(books, changed, request.scope["sandbox.request_id"])
    return changed_answer(request, changed)
