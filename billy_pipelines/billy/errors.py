"""What can go wrong between us and Billy.

BillyError
├── NotSent             nothing reached Billy: connection refused, name not found
│   └── Stale           not sent, because what it builds on was read too long ago
├── OutcomeUnknown      a write left and no clear answer came back; it may have been applied
├── Unavailable         a read failed for as long as we were willing to try
├── UnexpectedAnswer    Billy answered a read with something that is not its API
├── ListingUnstable     a list never agreed with its own total
└── Refused             a clear no; nothing was changed
    ├── TokenRefused    401 or 403
    ├── NotFound        404
    └── RateLimited     429, for longer than we were willing to wait
"""

from __future__ import annotations

from typing import Any


class BillyError(Exception):
    """Anything that went wrong with a call; the text is for the person who reads it."""


class NotSent(BillyError):
    """Nothing reached Billy, so trying again later is safe."""


class Stale(NotSent):
    """Waiting for a permit outlived the reading that the write builds on (runtime.md R7): read again, then write."""


class OutcomeUnknown(BillyError):
    """A write may have been applied (billy-api.md section 5). Look before sending again.

    `timed_out` is true when Billy may still be at work on it, so that looking at once would be too early; `answered`
    when it did answer, so that nothing can come of it any more.
    """

    def __init__(self, message: str, *, timed_out: bool = False, answered: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.answered = answered


class Unavailable(BillyError):
    """A read got no usable answer in the time allowed."""


class UnexpectedAnswer(BillyError):
    """The answer was readable but not what Billy's API gives."""


class ListingUnstable(BillyError):
    """The distinct records of a list never matched the total Billy gave for it."""


class Refused(BillyError):
    """Billy said no, clearly. `code` is Billy's `errorCode`, `fields` its texts per property, `body` the answer."""

    def __init__(
        self,
        status: int,
        code: str | None,
        message: str,
        fields: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields or {}
        self.body = body or {}
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        details = "; ".join(f"{field}: {text}" for field, text in self.fields.items())
        said = " – ".join(part for part in (self.message, details) if part) or "no reason given"
        return f"Billy answered {self.status}{f' {self.code}' if self.code else ''}: {said}"


class TokenRefused(Refused):
    """The access token is missing, wrong, revoked, or not allowed to do this."""


class NotFound(Refused):
    """There is no such record, or no such collection."""


class RateLimited(Refused):
    """Billy's limit, still in force after all the waiting allowed."""


def refusal(status: int, body: Any) -> Refused:
    """The right `Refused` for a status and the decoded body, read as tolerantly as billy-api.md section 4 asks."""
    content = body if isinstance(body, dict) else {}
    code = content.get("errorCode")
    message = content.get("errorMessage")
    kind = {401: TokenRefused, 403: TokenRefused, 404: NotFound, 429: RateLimited}.get(status, Refused)
    return kind(
        status,
        code if isinstance(code, str) else None,
        message if isinstance(message, str) else "",
        _validation_texts(content.get("validationErrors")),
        content,
    )


def refused_records(body: Any) -> dict[str, str]:
    """What `validationErrors` says of single records, by the caller's key for each (billy-api.md section 4)."""
    errors = body.get("validationErrors") if isinstance(body, dict) else None
    if not isinstance(errors, dict):
        return {}
    return {
        str(key): "; ".join(
            text if field == "record" else f"{field}: {text}" for field, text in _validation_texts([entry]).items()
        )
        for key, entry in errors.items()
    }


def _validation_texts(errors: Any) -> dict[str, str]:
    entries = list(errors.values()) if isinstance(errors, dict) else errors if isinstance(errors, list) else []
    texts: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry, str):
            texts.setdefault("record", entry)
        if not isinstance(entry, dict):
            continue
        if isinstance(entry.get("message"), str):
            texts.setdefault("record", entry["message"])
        attributes = entry.get("attributes")
        for field, text in attributes.items() if isinstance(attributes, dict) else ():
            texts.setdefault(str(field), str(text))
    return texts
