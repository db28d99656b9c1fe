"""Every resource: what is refused, what does not exist, who may read; billy-api.md sections 1, 2.3, 6.7."""

from __future__ import annotations

from typing import Any, get_args

import httpx
import pytest

from billy_pipelines.sandbox import Sandbox
from billy_pipelines.sandbox.names import Plural
from billy_pipelines.sandbox.resources import RESOURCES

from .test_records import error

REFUSED = [
    ("DELETE", "bankPayments/x"),
    ("DELETE", "bankPayments?ids[]=x"),
    *(
        (method, f"{plural}{path}")
        for plural in ("countries", "currencies", "countryGroups", "locales", "states", "cities", "zipcodes")
        for method, path in (("POST", ""), ("PUT", "/x"), ("DELETE", "/x"))
    ),
    *(
        (method, f"{plural}{path}")
        for plural in ("accountNatures", "balanceModifiers", "postings", "contactBalancePostings")
        for method, path in (("POST", ""), ("PUT", "/x"), ("PATCH", ""), ("DELETE", "/x"), ("DELETE", "?ids[]=x"))
    ),
    ("DELETE", "organizations/x"),
    ("DELETE", "salesTaxPayments/x"),
    *(
        (method, f"{p}{path}")
        for p in ("users", "salesTaxReturns")
        for method, path in (("POST", ""), ("DELETE", "/x"))
    ),
    ("PUT", "files/x"),
    ("DELETE", "files/x"),
    ("DELETE", "invoiceLateFees?ids[]=x"),
    ("DELETE", "invoiceReminders?ids[]=x"),
    ("GET", "bankAccounts"),
]


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_verbs_that_billy_refuses_are_405_even_without_a_token(anonymous: httpx.Client, method: str, path: str) -> None:
    """Observed: the table of section 2.3."""
    error(anonymous.request(method, f"/{path}"), 405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    "plural",
    [
        "webhooks",
        "recurringInvoices",
        "reports",
        "vatReports",
        "projects",
        "timeEntries",
        "categories",
        "paymentMethods",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_collections_that_do_not_exist_are_404(anonymous: httpx.Client, method: str, plural: str) -> None:
    """Observed."""
    error(anonymous.request(method, f"/{plural}"), 404, "UNKNOWN_RESOURCE")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/files"), ("PUT", "/salesTaxReturns/x"), ("POST", "/taxRates"), ("PUT", "/users/x")]
)
def test_what_billy_offers_and_the_sandbox_does_not_is_501(client: httpx.Client, method: str, path: str) -> None:
    """Our choice: no client shall take it for Billy's answer."""
    error(client.request(method, path, json={}), 501, "NOT_IMITATED")


def test_a_company_token_may_not_list_files(client: httpx.Client, anonymous: httpx.Client) -> None:
    """Observed, by one report: 403."""
    error(client.get("/files"), 403, "FORBIDDEN")
    error(anonymous.get("/files"), 401, "AUTHENTICATION_REQUIRED")


@pytest.mark.parametrize("plural", ["countries", "countryGroups", "currencies", "locales"])
def test_reference_lists_are_readable_without_a_token(anonymous: httpx.Client, plural: str) -> None:
    """Observed in Billy's own client."""
    assert anonymous.get(f"/{plural}").json()["meta"]["paging"]["total"] > 0


@pytest.mark.parametrize("plural", sorted(set(RESOURCES) - {"countries", "countryGroups", "currencies", "locales"}))
def test_everything_else_needs_a_token(anonymous: httpx.Client, plural: str) -> None:
    """That no list but those four is open is our choice."""
    if RESOURCES[plural].refused.get("list") != 405:
        error(anonymous.get(f"/{plural}"), 401, "AUTHENTICATION_REQUIRED")


def test_the_overview_counts_every_resource(control: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.add("products", [{"name": "a"}])
    counted = control.get("").json()["organizations"][0]["records"]
    assert (counted["products"], counted["accounts"]) == (1, len(sandbox.records("accounts")))
    assert not counted.keys() & {"invoices", "countries"}


def test_there_is_one_description_for_every_plural_name() -> None:
    assert list(RESOURCES) == [resource.plural for resource in RESOURCES.values()]
    assert sorted(RESOURCES) == sorted(get_args(Plural))
    assert len({resource.singular for resource in RESOURCES.values()}) == len(RESOURCES)


def test_what_descriptions_point_at_exists() -> None:
    for resource in RESOURCES.values():
        for key, declared in resource.properties.items():
            assert declared.plural is None or declared.plural in RESOURCES, (resource.plural, key)
        for plural, key in resource.used_by:
            assert key in RESOURCES[plural].indexed
        for each in resource.children:
            assert each.parent_key in RESOURCES[each.plural].indexed
        for name, one in resource.filters.items():
            assert one.index is None or one.index in resource.indexed, (resource.plural, name)
        keys = {*resource.indexed, *resource.unique, *resource.natural_keys, *resource.label} - {"name"}
        assert keys <= resource.properties.keys(), resource.plural
        assert set(resource.unique[:1]) <= set(resource.indexed)


def test_reference_ids_are_iso_codes(client: httpx.Client) -> None:
    """Documented for countries and currencies, observed for account natures; rates are made up and fixed."""
    assert client.get("/countries/DK").json()["country"]["localeId"] == "da_DK"
    assert client.get("/currencies/DKK").json()["currency"]["exchangeRate"] == 1
    assert client.get("/currencies/EUR").json()["currency"]["exchangeRate"] > 7
    natures = client.get("/accountNatures").json()["accountNatures"]
    assert {nature["id"] for nature in natures} == {"asset", "liability", "equity", "revenue", "expense"}


@pytest.mark.parametrize("plural", ["postings", "users", "invoiceReminders"])
def test_lists_of_what_is_not_held_are_empty(client: httpx.Client, plural: str) -> None:
    """Our choice: they answer in form and have nothing."""
    body = client.get(f"/{plural}").json()
    assert (body[plural], body["meta"]["paging"]["total"]) == ([], 0)
    error(client.get(f"/{plural}/x"), 404, "RECORD_NOT_FOUND")


@pytest.mark.parametrize(
    ("plural", "values"),
    [
        ("products", {"name": "Vare"}),
        ("accounts", {"name": "Konto", "groupId": None}),
    ],
)
def test_single_records_are_created_read_changed_and_deleted_like_contacts(
    client: httpx.Client, sandbox: Sandbox, plural: str, values: dict[str, Any]
) -> None:
    """Documented verbs; bodies singular, write answers plural."""
    singular = RESOURCES[plural].singular
    if "groupId" in values:
        values = {**values, "groupId": sandbox.records("accountGroups")[0]["id"]}
    [made] = client.post(f"/{plural}", json={singular: values}).json()[plural]
    assert {**made, **values} == made
    path = f"/{plural}/{made['id']}"
    assert client.get(path).json()[singular] == made
    [changed] = client.put(path, json={singular: {"isArchived": True}}).json()[plural]
    assert changed == {**made, "isArchived": True}
    assert client.delete(path).json()["meta"]["deletedRecords"] == {plural: [made["id"]]}
    error(client.get(path), 404, "RECORD_NOT_FOUND")
    assert [(c.operation, c.resource, c.id) for c in sandbox.ledger] == [
        (operation, plural, made["id"]) for operation in ("create", "update", "delete")
    ]
