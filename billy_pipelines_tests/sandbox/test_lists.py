"""Lists: paging, sorting, filters and include; billy-api.md section 3."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from billy_pipelines.sandbox import Sandbox, SandboxServer, made_up_contacts

from .test_records import error


def names(client: httpx.Client, **params: Any) -> list[str]:
    response = client.get("/contacts", params=params)
    assert response.status_code == 200, response.text
    return [contact["name"] for contact in response.json()["contacts"]]


def test_a_list_has_paging_with_eight_keys(client: httpx.Client, sandbox: Sandbox, server: SandboxServer) -> None:
    sandbox.add_contacts({"name": str(number)} for number in range(5))
    base = f"{server.url}/contacts?sortProperty=createdTime"

    def paging(page: int) -> dict[str, Any]:
        params: dict[str, str | int] = {"sortProperty": "createdTime", "page": page, "pageSize": 2}
        found: dict[str, Any] = client.get("/contacts", params=params).json()["meta"]["paging"]
        return found

    last = f"{base}&page=3&pageSize=2"
    assert paging(1) == {
        "page": 1,
        "pageCount": 3,
        "pageSize": 2,
        "total": 5,
        "firstUrl": f"{base}&pageSize=2",
        "previousUrl": None,
        "nextUrl": f"{base}&page=2&pageSize=2",
        "lastUrl": last,
    }
    assert (paging(2)["previousUrl"], paging(2)["nextUrl"]) == (f"{base}&page=1&pageSize=2", last)
    assert paging(3)["nextUrl"] is None
    assert names(client, page=3, pageSize=2) == ["4"]
    assert names(client, page=4, pageSize=2) == []
    assert len(client.get(last).json()["contacts"]) == 1


def test_a_page_holds_1000_and_larger_ones_are_clamped_or_refused(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.add_contacts(made_up_contacts(1001))
    assert len(names(client)) == 1000
    assert len(names(client, pageSize=5000)) == 1000
    assert len(names(client, page=2)) == 1
    sandbox.switch(page_size_above_1000="error")
    error(client.get("/contacts?pageSize=1001"), 400, "INVALID_PAGE_SIZE")
    error(client.get("/contacts?page=0"), 400, "INVALID_PAGING")


def test_paging_without_a_sort_repeats_and_loses_rows_when_unstable(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.add_contacts({"name": f"{number:03d}"} for number in range(200))
    sandbox.switch(unstable_paging=True)

    def all_pages(**params: Any) -> list[str]:
        return [name for page in range(1, 5) for name in names(client, page=page, pageSize=50, **params)]

    assert len(all_pages()) == 200
    assert len(set(all_pages())) < 200
    expected = [f"{number:03d}" for number in range(200)]
    assert all_pages(sortProperty="createdTime") == expected
    assert all_pages(sortProperty="name", sortDirection="DESC") == expected[::-1]
    sandbox.switch(unlisted_sort="ignored")
    assert len(set(all_pages(sortProperty="name"))) < 200


def test_a_sort_on_contacts_is_accepted_ignored_or_refused(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.add_contacts([{"name": "b", "phone": None}, {"name": "a", "phone": "1"}])
    assert names(client, sortProperty="name") == ["a", "b"]
    assert names(client, sortProperty="phone") == ["b", "a"]
    assert names(client, sortProperty="nonsense") == ["b", "a"]
    sandbox.switch(unlisted_sort="ignored")
    assert names(client, sortProperty="name") == ["b", "a"]
    sandbox.switch(unlisted_sort="refused")
    error(client.get("/contacts?sortProperty=name"), 400, "INVALID_SORT_PROPERTY")
    assert names(client) == ["b", "a"]


def test_contact_no_filters_exactly_and_follows_changes(client: httpx.Client, sandbox: Sandbox) -> None:
    first, _, third = sandbox.add_contacts(
        [{"name": "a", "contactNo": "17"}, {"name": "b", "contactNo": "017"}, {"name": "c"}]
    )
    assert names(client, contactNo="17") == ["a"]
    client.put(f"/contacts/{third}", json={"contact": {"contactNo": "17"}})
    assert names(client, contactNo="17") == ["a", "c"]
    client.put(f"/contacts/{first}", json={"contact": {"contactNo": None}})
    assert names(client, contactNo="17") == ["c"]
    client.delete(f"/contacts/{third}")
    assert names(client, contactNo="17") == []


def test_type_filters_and_a_wrong_value_is_refused(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.add_contacts([{"name": "a"}, {"name": "b", "type": "person"}])
    assert names(client, type="company") == ["a"]
    assert names(client, type="person") == ["b"]
    error(client.get("/contacts?type=customer"), 404, "INVALID_FILTER")


def test_archived_contacts_are_in_unfiltered_lists_or_hidden(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.add_contacts([{"name": "a"}, {"name": "b", "isArchived": True, "contactNo": "1"}])
    assert names(client) == ["a", "b"]
    assert (names(client, isArchived="true"), names(client, isArchived="false")) == (["b"], ["a"])
    sandbox.switch(archived_in_lists="hidden")
    assert names(client) == ["a"]
    assert (names(client, isArchived="true"), names(client, isArchived="false")) == (["b"], ["a"])
    assert names(client, contactNo="1") == []
    error(client.get("/contacts?isArchived=maybe"), 404, "INVALID_FILTER")


def test_unknown_parameters_are_ignored_so_a_mistyped_filter_returns_everything(
    client: httpx.Client, sandbox: Sandbox
) -> None:
    sandbox.add_contacts([{"name": "a", "contactNo": "1"}, {"name": "b"}])
    assert names(client, contactno="1", nonsense="x", q="a", registrationNo="1") == ["a", "b"]


def test_persons_come_only_with_include(client: httpx.Client, sandbox: Sandbox) -> None:
    contact_id, _ = sandbox.add_contacts([{"name": "a", "contactPersons": [{"email": "a@b.example"}]}, {"name": "b"}])
    person = sandbox.contact_persons[0]

    def body(include: str, path: str = "/contacts") -> dict[str, Any]:
        found: dict[str, Any] = client.get(path, params={"include": include}).json()
        return found

    embedded = body("contact.country:embed,contact.contactPersons:embed")
    assert [contact["contactPersons"] for contact in embedded["contacts"]] == [[person], []]
    assert embedded.keys() == {"meta", "contacts"}
    for include in ("contact.contactPersons", "contact.contactPersons:sideload"):
        beside = body(include)
        assert [contact["contactPersonIds"] for contact in beside["contacts"]] == [[person["id"]], []]
        assert beside["contactPersons"] == [person]
    for include in ("contactPersons", "contactPersons:embed", ""):
        plain = body(include)
        assert plain.keys() == {"meta", "contacts"}
        assert not plain["contacts"][0].keys() & {"contactPersons", "contactPersonIds"}
    one = f"/contacts/{contact_id}"
    assert body("contact.contactPersons:embed", one)["contact"]["contactPersons"] == [person]
    assert body("contact.contactPersons", one)["contactPersons"] == [person]
    sandbox.switch(include="ignored")
    assert "contactPersons" not in body("contact.contactPersons:embed", one)["contact"]


@pytest.mark.parametrize(
    ("plural", "singular", "key"),
    [("countries", "country", "DK"), ("currencies", "currency", "DKK"), ("locales", "locale", "da_DK")],
)
def test_reference_lists_are_readable_without_a_token_and_never_written(
    anonymous: httpx.Client, plural: str, singular: str, key: str
) -> None:
    listed = anonymous.get(f"/{plural}").json()
    assert key in [row["id"] for row in listed[plural]]
    assert listed["meta"]["paging"]["total"] == len(listed[plural])
    assert anonymous.get(f"/{plural}/{key}").json()[singular]["id"] == key
    error(anonymous.get(f"/{plural}/missing"), 404, "RECORD_NOT_FOUND")
    error(anonymous.post(f"/{plural}", json={}), 405, "METHOD_NOT_ALLOWED")
    error(anonymous.delete(f"/{plural}/{key}"), 405, "METHOD_NOT_ALLOWED")
