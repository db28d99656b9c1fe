"""The routes under /v2, in the order of checks seen on Billy: path, verb, body, token, and only then the work.

That order is (observed) for unknown collections, refused verbs, bodies and bulk deletes, all of which answer without a
token; the rest of it is our choice.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial, wraps
from typing import Any, NoReturn

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import control, writes
from .answers import RefusedError, answer, refusal
from .books import Books
from .faults import API, Trouble
from .including import View, keys_sent
from .listing import page_of, rows_in_order
from .names import ORGANIZATIONS
from .record import Changed
from .resource import NOT_IMITATED, Action, Resource
from .resources import RESOURCES
from .state import OrganizationSeed, Sandbox
from .switches import Switches

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_COLLECTION: dict[str, Action] = {"GET": "list", "POST": "create", "PATCH": "save_many", "DELETE": "delete_many"}
_RECORD: dict[str, Action] = {"GET": "one", "PUT": "update", "DELETE": "delete"}

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


# -- records ---------------------------------------------------------------------------------------------------------


async def _own_organization(request: Request, sandbox: Sandbox) -> Response:
    """GET /organization (documented); every other verb is refused (PUT observed, the rest our choice)."""
    if request.method != "GET":
        _not_offered(request, "organization")
    with sandbox.lock:
        books = _authorised(request, sandbox, ORGANIZATIONS)
        return answer(request, {"organization": books.organization.text})


async def _collection(request: Request, sandbox: Sandbox) -> Response:
    """GET (list), POST (one), PATCH (many), DELETE ?ids[]=."""
    resource = _known(request)
    action = _COLLECTION.get(request.method)
    _offered(request, resource, action)
    if action == "save_many":
        return await _bulk_save(request, sandbox, resource)
    if action == "delete_many":
        return _bulk_delete(request, sandbox, resource)
    body = await _body(request) if action == "create" else {}
    with sandbox.lock:
        books = (
            _readable(request, sandbox, resource)
            if action == "list"
            else _authorised(request, sandbox, resource.plural)
        )
        if action == "list":
            return _listed(request, sandbox, books, resource)
        work = _work(request, sandbox, books)
        item = _named(body, resource.singular)
        return _committed(request, sandbox, books, writes.save_one(work, resource, None, item), resource, [item])


async def _record(request: Request, sandbox: Sandbox) -> Response:
    """GET, PUT and DELETE of one record."""
    resource, record_id = _known(request), request.path_params["record_id"]
    action = _RECORD.get(request.method)
    _offered(request, resource, action)
    body = await _body(request) if action == "update" else {}
    with sandbox.lock:
        if action == "delete" and not sandbox.knows(resource.plural, record_id):
            return answer(request, {})  # even without a token (observed)
        if action == "one":
            return _one(request, sandbox, _readable(request, sandbox, resource), resource, record_id)
        books = _authorised(request, sandbox, resource.plural)
        work = _work(request, sandbox, books)
        if action == "delete":
            return _committed(request, sandbox, books, writes.delete_many(work, resource, [record_id], partly=False))
        item = _named(body, resource.singular)
        return _committed(request, sandbox, books, writes.save_one(work, resource, record_id, item), resource, [item])


def _listed(request: Request, sandbox: Sandbox, books: Books, resource: Resource) -> Response:
    query, switches = request.query_params, sandbox.switches
    found = rows_in_order(books, resource, switches, query, sandbox.generator)
    rows, paging = page_of(request, switches, found)
    roots = _view(request, sandbox, books).roots(resource, rows, query.get("include", ""))
    return answer(request, roots, paging=paging)


def _one(request: Request, sandbox: Sandbox, books: Books, resource: Resource, record_id: str) -> Response:
    record = books.records(resource.plural).get(record_id)
    if record is None:
        raise RefusedError(sandbox.switches.missing_status, f"`{resource.singular}` `{record_id}` does not exist")
    include = request.query_params.get("include", "")
    return answer(request, _view(request, sandbox, books).roots(resource, [record], include, one=True))


async def _bulk_save(request: Request, sandbox: Sandbox, resource: Resource) -> Response:
    kind, _, status = sandbox.switches.bulk_save.partition("-")
    if kind == "unavailable":
        code = {"401": "OAUTH_INVALID_ACCESS_TOKEN", "404": "UNKNOWN_RESOURCE"}.get(status, "METHOD_NOT_ALLOWED")
        raise RefusedError(int(status or 405), f"PATCH not offered for {resource.plural}", code)
    body = await _body(request)
    items = body.get(resource.plural)
    if items == []:
        return answer(request, {})  # even without a token (observed)
    with sandbox.lock:
        books = _authorised(request, sandbox, resource.plural)
        if not isinstance(items, list):
            raise RefusedError(400, f"the body needs a list {resource.plural}", "INVALID_REQUEST_BODY")
        try:
            changed = writes.save_many(_work(request, sandbox, books), resource, items)
        except RefusedError as refused:
            if refused.changed is not None:
                sandbox.note(books, refused.changed, request.scope["sandbox.request_id"])
            raise
        return _committed(request, sandbox, books, changed, resource, items)


def _bulk_delete(request: Request, sandbox: Sandbox, resource: Resource) -> Response:
    ids = [record_id for record_id in request.query_params.getlist("ids[]") if record_id]
    if not ids:
        raise RefusedError(400, "write DELETE ?ids[]=A&ids[]=B", "INVALID_DELETE_ID_ARRAY")
    with sandbox.lock:
        books = _authorised(request, sandbox, resource.plural)
        partly = sandbox.switches.bulk_delete == "partial"
        changed = writes.delete_many(_work(request, sandbox, books), resource, ids, partly=partly)
        return _committed(request, sandbox, books, changed)


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


def _readable(request: Request, sandbox: Sandbox, resource: Resource) -> Books:
    """As `_authorised`, but any books will do for lists that are readable without a token."""
    books = sandbox.books if resource.public else _authorised(request, sandbox, resource.plural)
    if request.path_params.get("record_id") is None and resource.refused.get("list") == 403:
        raise RefusedError(403, f"this token may not list {resource.plural}")
    return books


def _known(request: Request) -> Resource:
    resource = RESOURCES.get(request.path_params["collection"])
    if resource is None:
        raise RefusedError(404, f"there is no collection {request.path_params['collection']}", "UNKNOWN_RESOURCE")
    return resource


def _offered(request: Request, resource: Resource, action: Action | None) -> None:
    """Refuse what the resource's table refuses, before body and token are looked at (observed)."""
    status = 405 if action is None else resource.refused.get(action)
    if status == 405:
        _not_offered(request, resource.plural)
    if status == NOT_IMITATED:
        raise RefusedError(NOT_IMITATED, f"{request.method} on {resource.plural} is not imitated")


def _work(request: Request, sandbox: Sandbox, books: Books) -> writes.Work:
    return writes.Work(books, sandbox.switches, partial(sandbox.poisoned, request.method))


def _view(request: Request, sandbox: Sandbox, books: Books) -> View:
    return View(books, sandbox.switches, request.headers)


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


def _committed(
    request: Request,
    sandbox: Sandbox,
    books: Books,
    changed: Changed,
    resource: Resource | None = None,
    items: Sequence[Any] = (),
) -> Response:
    """The answer to a write; `items` of that resource were sent."""
    sandbox.note(books, changed, request.scope["sandbox.request_id"])
    sent = keys_sent(resource, items) if resource else {}
    return answer(request, _view(request, sandbox, books).changed(changed, sent), deleted=changed.deleted)
