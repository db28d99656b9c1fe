"""Billy's answers as bytes: `meta`, plural arrays, and the error envelope (all observed or documented).

Error texts begin with `sandbox:`; the codes Billy never published are our choice and listed in `OUR_CODES`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .record import Changed, to_json

OUR_CODES = {
    403: "FORBIDDEN",
    404: "RECORD_NOT_FOUND",
    429: "TOO_MANY_REQUESTS",
    500: "INTERNAL_ERROR",
    501: "NOT_IMITATED",
    502: "BAD_GATEWAY",
    503: "UNAVAILABLE",
    504: "GATEWAY_TIMEOUT",
}


class RefusedError(Exception):
    """A request that gets an error answer.

    `validation` is {_clientId: {"message"?: text, "attributes": {key: text}}}; `changed` is what was stored all the
    same (bulk saves that are not atomic).
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        validation: Mapping[str, Any] | None = None,
        changed: Changed | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code or OUR_CODES.get(status)
        self.validation = validation
        self.changed = changed


def json_response(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Lone surrogates, which JSON can spell and UTF-8 cannot, become question marks."""
    return Response(text.encode("utf-8", "replace"), status, headers, "application/json; charset=utf-8")


def answer(
    request: Request,
    roots: Mapping[str, str],
    *,
    paging: Mapping[str, Any] | None = None,
    deleted: Mapping[str, list[str]] | None = None,
) -> Response:
    """A success: `roots` maps root keys to JSON texts. `meta.time` counts from the arrival of the request."""
    started = request.scope.get("sandbox.started", time.monotonic())
    meta: dict[str, Any] = {"statusCode": 200, "success": True, "time": round(time.monotonic() - started, 3)}
    if paging is not None:
        meta["paging"] = paging
    if deleted:
        meta["deletedRecords"] = deleted
    return json_response("".join([f'{{"meta":{to_json(meta)}', *(f',"{k}":{v}' for k, v in roots.items()), "}"]))


def array(texts: Iterable[str]) -> str:
    return f"[{','.join(texts)}]"


def error_body(
    status: int, message: str, code: str | None = None, validation: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The envelope (observed); for a 422 without `errorCode`, which nobody has published."""
    return {
        "meta": {"statusCode": status, "success": False},
        "errorMessage": f"sandbox: {message}",
        **({"errorCode": code} if code else {}),
        "errorTime": datetime.now(UTC).isoformat(timespec="seconds"),
        "helpUrl": "",
        **({"validationErrors": validation} if validation is not None else {}),
    }


def refusal(refused: RefusedError) -> Response:
    return json_response(
        to_json(error_body(refused.status, refused.message, refused.code, refused.validation)), refused.status
    )
