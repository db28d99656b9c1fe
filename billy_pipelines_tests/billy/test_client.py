"""The client against the sandbox, over sockets: what is sent, what is understood, and what is never told."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from billy_pipelines.billy import (
    BillyClient,
    BillyError,
    Contact,
    NotFound,
    NotSent,
    Organization,
    OutcomeUnknown,
    Record,
    Refused,
    TokenRefused,
    Unavailable,
    UnexpectedAnswer,
    open_client,
)
from billy_pipelines.billy.errors import refusal
from billy_pipelines.sandbox import Fault, SandboxServer

from ..support import NoLimit, Server, open_client_for
from .imitation import Imitation, Reply, Seen

T = TypeVar("T")
Imitate = Callable[[Callable[[Seen], Reply]], Imitation]
Call = Callable[[BillyClient], Awaitable[Any]]

PERSONS: list[dict[str, Any]] = [
    {"name": "Bogholderiet", "email": "faktura@aeblehaven.example", "isPrimary": True},
    {"name": "Åse Ørsted", "email": "aase@aeblehaven.example"},
]
ÆBLEHAVEN = {"name": "Æblehaven Prøve ApS", "countryId": "DK", "zipcodeText": "0800", "contactPersons": PERSONS}


def ask(server: Server, call: Callable[[BillyClient], Awaitable[T]], **options: Any) -> T:
    async def go() -> T:
        async with open_client_for(server, **options) as client:
            return await call(client)

    return asyncio.run(go())


def refused(server: Server, call: Call, **options: Any) -> BillyError:
    with pytest.raises(BillyError) as caught:
        ask(server, call, **options)
    return caught.value


def get(client: BillyClient) -> Awaitable[Any]:
    return client.get("contacts", "c1", singular="contact")


def put(client: BillyClient) -> Awaitable[Any]:
    return client.update("contacts", "contact", "c1", {"name": "Ny ApS"})


def post(client: BillyClient) -> Awaitable[Any]:
    return client.create("contacts", "contact", {"name": "Anden ApS", "countryId": "DK"})


CALLS = [get, put, post]


# -- records -----------------------------------------------------------------------------------------------------------


def test_the_organization_is_the_one_the_token_belongs_to(sandbox: SandboxServer) -> None:
    company = ask(sandbox, lambda client: client.organization())
    known = sandbox.sandbox.books.organization.values
    assert (company.id, company.name, company.registrationNo) == (known["id"], known["name"], known["registrationNo"])


@pytest.mark.parametrize("body", [{}, {"organization": None}, {"organization": {"name": "Uden id"}}])
def test_an_answer_without_an_organization_is_no_answer(imitate: Imitate, body: Any) -> None:
    server = imitate(lambda seen: Reply(body=body))
    assert isinstance(refused(server, lambda client: client.organization()), UnexpectedAnswer)


def test_a_contact_and_its_persons_are_made_together(sandbox: SandboxServer) -> None:
    answer = ask(sandbox, lambda client: client.create("contacts", "contact", ÆBLEHAVEN))
    [stored] = sandbox.sandbox.contacts
    assert answer["contacts"][0]["id"] == stored["id"]
    assert (stored["name"], stored["zipcodeText"]) == ("Æblehaven Prøve ApS", "0800")
    emails = [person["email"] for person in PERSONS]
    assert [person["email"] for person in answer["contactPersons"]] == emails
    assert [person["email"] for person in sandbox.sandbox.contact_persons] == emails


def test_an_update_changes_the_given_keys_only(sandbox: SandboxServer) -> None:
    [contact_id] = sandbox.sandbox.add_contacts([{**ÆBLEHAVEN, "phone": "33 12 00 00"}])
    ask(sandbox, lambda client: client.update("contacts", "contact", contact_id, {"phone": None}))
    [stored] = sandbox.sandbox.contacts
    assert (stored["name"], stored["phone"]) == ("Æblehaven Prøve ApS", None)
    assert len(sandbox.sandbox.contact_persons) == 2


def test_contacts_are_listed_and_read_with_their_persons(sandbox: SandboxServer) -> None:
    [contact_id] = sandbox.sandbox.add_contacts([ÆBLEHAVEN])
    include: dict[str, str | int] = {"include": "contact.contactPersons:embed"}
    listed, _ = ask(sandbox, lambda client: client.list("contacts", include))
    one = ask(sandbox, lambda client: client.get("contacts", contact_id, singular="contact", query=include))
    emails = [person["email"] for person in PERSONS]
    assert Contact.model_validate(listed[contact_id]).emails == emails
    assert Contact.model_validate(one["contact"]).emails == emails
    plain = ask(sandbox, lambda client: client.get("contacts", contact_id, singular="contact"))
    assert Contact.model_validate(plain["contact"]).contactPersons is None, "not loaded is not the same as none"


def test_an_id_cannot_lead_to_another_address(imitate: Imitate) -> None:
    server = imitate(lambda seen: Reply(body={"contact": {"id": "x"}}))
    ask(server, lambda client: client.get("contacts", "../organization?x=1", singular="contact"))
    assert (server.seen[0].path, server.seen[0].query) == ("/v2/contacts/..%2Forganization%3Fx%3D1", {})


def test_text_of_billys_that_has_no_utf_8_can_be_sent_back(imitate: Imitate) -> None:
    server = imitate(lambda seen: Reply(body={"contacts": [{"id": "c1"}]}))
    ask(server, lambda client: client.update("contacts", "contact", "c1", {"name": "halv \ud83d"}))
    assert len(server.seen) == 1


def test_many_requests_at_once_are_each_made_once(sandbox: SandboxServer) -> None:
    sandbox.sandbox.switch(latency="0.001-0.02")
    limiter = NoLimit()

    async def go() -> int:
        async with open_client(sandbox.url, sandbox.token, limiter) as client:
            bodies = [{"name": f"Kunde {number}", "countryId": "DK"} for number in range(60)]
            await asyncio.gather(*(client.create("contacts", "contact", body) for body in bodies))
            return client.requests

    assert asyncio.run(go()) == limiter.permits == 60
    assert {contact["name"] for contact in sandbox.sandbox.contacts} == {f"Kunde {n}" for n in range(60)}
    assert len(sandbox.sandbox.ledger) == 60


# -- a clear no --------------------------------------------------------------------------------------------------------


def test_a_refused_record_says_which_property_is_wrong(sandbox: SandboxServer) -> None:
    error = refused(sandbox, lambda client: client.create("contacts", "contact", {"name": "Uden land"}))
    assert type(error) is Refused and (error.status, error.code) == (422, None)
    assert error.fields == {"countryId": "sandbox: needs a value"}
    assert str(error) == "Billy answered 422: sandbox: contact is not valid – countryId: sandbox: needs a value"
    assert not sandbox.sandbox.ledger


def test_an_organization_id_may_have_to_be_left_out(sandbox: SandboxServer) -> None:
    sandbox.sandbox.switch(organization_id="refused")
    body = {**ÆBLEHAVEN, "organizationId": sandbox.sandbox.books.organization_id}
    error = refused(sandbox, lambda client: client.create("contacts", "contact", body))
    assert type(error) is Refused and "organizationId" in error.fields and "must not be set" in str(error)
    assert not sandbox.sandbox.ledger
    ask(sandbox, lambda client: client.create("contacts", "contact", ÆBLEHAVEN))
    assert len(sandbox.sandbox.contacts) == 1


def test_a_missing_record_is_named(sandbox: SandboxServer) -> None:
    assert isinstance(error := refused(sandbox, get), NotFound)
    assert "`c1` does not exist" in str(error)


@pytest.mark.parametrize("status", [400, 422])
def test_a_record_is_missing_whatever_clear_no_says_so(sandbox: SandboxServer, status: int) -> None:
    """Asked once more without the query: a no may be to what was to be included."""
    sandbox.sandbox.switch(missing_status=status)
    query = {"include": "contact.contactPersons:embed"}
    error = refused(sandbox, lambda client: client.get("contacts", "c1", singular="contact", query=query))
    assert isinstance(error, NotFound)
    assert [bool(request.query) for request in sandbox.sandbox.requests] == [True, False]


@pytest.mark.parametrize(
    ("errors", "fields"),
    [
        ({"1": {"attributes": {"name": "tom"}}}, {"name": "tom"}),
        ({"1": {"message": "findes"}, "2": {"attributes": {"ean": 5}}}, {"record": "findes", "ean": "5"}),
        ([{"message": "nej"}, "også nej"], {"record": "nej"}),
        (["kun tekst"], {"record": "kun tekst"}),
        ({"1": None, "2": 7, "3": {"attributes": ["name"]}}, {}),
        ("nonsense", {}),
        (None, {}),
    ],
)
def test_validation_errors_are_read_in_any_form(errors: Any, fields: dict[str, str]) -> None:
    error = refusal(422, {"errorMessage": 12, "errorCode": ["x"], "validationErrors": errors})
    assert (error.fields, error.message, error.code) == (fields, "", None)
    assert str(error).startswith("Billy answered 422: ")


@pytest.mark.parametrize("body", [None, [], "html", {}])
def test_a_no_without_words_is_still_a_sentence(body: Any) -> None:
    assert str(refusal(409, body)) == "Billy answered 409: no reason given"


# -- no clear answer ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(kind="timeout-after"), "did not answer in time"),
        (Fault(kind="reset-after"), "the connection broke"),
        (Fault(kind="reset-mid"), "the connection broke"),
        (Fault(kind="5xx-after", status=502), "answered 502"),
        (Fault(kind="bad-json-after"), "answered 200 with a body that cannot be read"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_what_an_unclear_create_made_is_found_by_looking(sandbox: SandboxServer, fault: Fault, said: str) -> None:
    sandbox.sandbox.switch(faults=[fault])
    error = refused(sandbox, post, answer_seconds=0.5)
    assert isinstance(error, OutcomeUnknown) and said in str(error)
    listed, _ = ask(sandbox, lambda client: client.list("contacts", {}))
    assert [record["name"] for record in listed.values()] == ["Anden ApS"]


@pytest.mark.parametrize("body", [[], "ok", 1, None, b"\xff\xfe{}", b'{"contacts":'])
def test_a_success_that_is_no_json_object_is_unknown(imitate: Imitate, body: Any) -> None:
    server = imitate(lambda seen: Reply(201, body))
    assert isinstance(refused(server, post), OutcomeUnknown)
    assert len(server.seen) == 1


# -- tokens, redirects, secrets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("token", "switches", "status", "code"),
    [
        ("wrong", {}, 401, "OAUTH_INVALID_ACCESS_TOKEN"),
        ("", {}, 401, "AUTHENTICATION_REQUIRED"),
        (None, {"revoked_after": 0}, 401, "OAUTH_INVALID_ACCESS_TOKEN"),
        (None, {"forbidden_resource": "contacts"}, 403, "FORBIDDEN"),
    ],
    ids=["wrong", "none", "revoked", "no access"],
)
def test_a_token_that_is_refused_is_said_so_at_once(
    sandbox: SandboxServer, call: Call, token: str | None, switches: dict[str, Any], status: int, code: str
) -> None:
    sandbox.sandbox.switch(**switches)
    error = refused(sandbox, call, token=token)
    assert isinstance(error, TokenRefused) and (error.status, error.code) == (status, code)
    assert len(sandbox.sandbox.requests) == 1
    assert not sandbox.sandbox.ledger


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_its_target_never_asked(imitate: Imitate, call: Call, status: int) -> None:
    target = imitate(lambda seen: Reply(body={"contact": {"id": "c1"}, "contacts": [{"id": "c1"}]}))
    server = imitate(lambda seen: Reply(status, headers={"Location": f"{target.url}/contacts/c1"}))
    error = refused(server, call)
    assert type(error) is Refused and "redirect" in str(error) and "BILLY_API_URL" in str(error)
    assert (len(server.seen), target.seen) == (1, [])


def test_a_proxy_of_the_shell_does_not_get_what_is_for_this_machine(
    sandbox: SandboxServer, imitate: Imitate, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = imitate(lambda seen: Reply(body={"organization": {"id": "fra proxy"}}))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url.removesuffix("/v2"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert ask(sandbox, lambda client: client.organization()).id == sandbox.sandbox.books.organization_id
    assert proxy.seen == []


def test_a_record_never_keeps_what_opens_a_door(sandbox: SandboxServer) -> None:
    [contact_id] = sandbox.sandbox.add_contacts([ÆBLEHAVEN])
    answer = ask(sandbox, lambda client: client.get("contacts", contact_id, singular="contact"))
    secret = answer["contact"]["accessCode"]
    assert len(secret) > 8
    contact = Contact.model_validate(answer["contact"])
    assert secret not in repr(contact) + repr(contact.image())
    assert contact.image()["createdTime"] == answer["contact"]["createdTime"], "keys we do not know are kept"
    for kind in (Record, Contact, Organization):
        image = kind.model_validate({"id": "r1", "downloadUrl": "https://x.example/signed", "andet": 1}).image()
        assert "downloadUrl" not in image and image["andet"] == 1


TOKEN = "hemmelig-5f2c9e71"


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("reply", "kinds"),
    [
        (Reply(401, {"errorMessage": "wrong"}), (TokenRefused,)),
        (Reply(401, {"errorMessage": f"no such token: {TOKEN}"}), (TokenRefused,)),
        (Reply(422, {"errorMessage": "no"}), (Refused,)),
        (Reply(500, b"<html>"), (Unavailable, OutcomeUnknown)),
        (Reply(200, b"<html>"), (Unavailable, OutcomeUnknown)),
        (None, (Unavailable, NotSent)),
    ],
    ids=["401", "401 that quotes it", "422", "500", "unreadable", "no connection"],
)
def test_the_token_is_in_no_error_and_no_log(
    imitate: Imitate,
    caplog: pytest.LogCaptureFixture,
    call: Call,
    reply: Reply | None,
    kinds: tuple[type[BillyError], ...],
) -> None:
    server = imitate(lambda seen: reply or Reply())
    if reply is None:
        server.__exit__(None, None, None)
    with caplog.at_level(logging.DEBUG):
        error = refused(server, call, token=TOKEN)
    assert isinstance(error, kinds)
    assert all(seen.token == TOKEN for seen in server.seen)
    assert "send_request_headers" in caplog.text or reply is None, "httpx logs nothing that could be looked at"
    told = [caplog.text, repr(error), *traceback.format_exception(error)]
    assert TOKEN not in "".join(told)


def test_the_token_is_in_no_repr(sandbox: SandboxServer) -> None:
    client = open_client_for(sandbox, token=TOKEN)
    assert TOKEN not in f"{client!r} {client} {client._transport!r}"
    asyncio.run(client.__aexit__(None, None, None))
