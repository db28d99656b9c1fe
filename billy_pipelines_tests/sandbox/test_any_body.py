"""Whatever is sent, the sandbox answers in Billy's forms and its books stay sound."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billy_pipelines.sandbox import Sandbox
from billy_pipelines.sandbox.properties import Property
from billy_pipelines.sandbox.resources import RESOURCES
from billy_pipelines.sandbox.totals import exact, rounded

from .conftest import Shop

WRITABLE = [resource for resource in RESOURCES.values() if "create" not in resource.refused]
FILTERS = sorted({name for each in RESOURCES.values() for name in each.filters})
PARAMETERS = [*FILTERS, "sortProperty", "sortDirection", "include", "page", "pageSize"]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["DK", "DKK", "EUR", "2026-02-03", "9999-12-31", "net", "percent", "approved", "excl", "12.5", ""]),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.text(max_size=3), SCALARS, max_size=2))


def plausible(declared: Property) -> st.SearchStrategy[Any]:
    """Values that such a key may well have; a reference stands for a record that is there."""
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "flag": st.booleans(),
        "integer": st.integers(-100, 100),
        "number": st.integers(-(10**7), 10**7).map(lambda number: number / 1000),
        "date": st.dates().map(str),
        "choice": st.sampled_from(sorted(declared.choices) or [""]),
        "record": st.just(f"<{declared.plural}>"),
        "rows": st.just("<paid>"),
    }
    likely = kinds.get(declared.kind, st.text(max_size=5))
    return st.one_of(likely, likely, likely, likely, VALUES)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, str, dict[str, Any]]:
    """A resource and a body of some of its keys."""
    resource = draw(st.sampled_from(WRITABLE))
    body = {}
    for key in draw(st.lists(st.sampled_from([*resource.properties, "_clientId"]), max_size=5, unique=True)):
        body[key] = draw(plausible(resource.properties.get(key, Property("integer"))))
    for each in resource.children:
        if draw(st.booleans()):
            body[each.name] = draw(st.one_of(st.just(f"<{each.name}>"), VALUES))
    return resource.plural, resource.singular, body


GOOD: dict[str, dict[str, Any]] = {
    "contacts": {"name": "Ny", "countryId": "DK"},
    "contactPersons": {"contactId": "<contacts>", "name": "Ny"},
    "products": {"name": "Ny"},
    "productPrices": {"productId": "<products>", "unitPrice": 1, "currencyId": "EUR"},
    "invoices": {"contactId": "<contacts>", "entryDate": "2026-02-03", "lines": "<lines>"},
    "invoiceLines": {"invoiceId": "<invoices>", "productId": "<products>", "unitPrice": 1},
    "bankPayments": {
        "entryDate": "2026-02-03",
        "cashAmount": 1,
        "cashSide": "debit",
        "cashAccountId": "<bank>",
        "associations": "<paid>",
    },
    "accounts": {"name": "Ny", "groupId": "<accountGroups>"},
}


def filled(value: Any, known: dict[str, Any]) -> Any:
    return known.get(value, value) if isinstance(value, str) else value


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given_body=bodies(),
    verb=st.sampled_from(["POST", "PUT", "PATCH"]),
    state=st.sampled_from(["draft", "approved"]),
    editable=st.booleans(),
)
def test_no_body_breaks_it(
    shop: Shop, given_body: tuple[str, str, dict[str, Any]], verb: str, state: str, editable: bool
) -> None:
    plural, singular, body = given_body
    shop.sandbox.switch(
        draft_edit="accepted" if editable else "refused", approved_invoices="editable" if editable else "locked"
    )
    if verb != "PUT":
        body = {**GOOD.get(plural, {}), **body}
    shop.sandbox.add("invoices", [{"contactId": shop.contact, "state": state, "lines": [shop.line(12.34, 3)]}])
    known = {f"<{name}>": rows[-1]["id"] for name in RESOURCES if (rows := shop.sandbox.records(name))}
    known |= {
        "<products>": shop.product,
        "<bank>": next(each["id"] for each in shop.sandbox.records("accounts") if each["isBankAccount"]),
        "<paid>": [{"subjectReference": f"invoice:{known['<invoices>']}"}],
        "<lines>": [shop.line(3.33, 0.5), shop.line(-7)],
        "<prices>": [{"currencyId": "DKK", "unitPrice": 5}],
        "<contactPersons>": [{"email": "a@b.example"}] if plural == "contacts" else known.get("<contactPersons>"),
    }
    body = {key: filled(value, known) for key, value in body.items()}
    before = len(shop.sandbox.ledger)
    if verb == "PATCH":
        response = shop.client.patch(f"/{plural}", json={plural: [body, body]})
    else:
        rows = shop.sandbox.records(plural)
        path = f"/{plural}/{rows[0]['id']}" if verb == "PUT" and rows else f"/{plural}"
        response = shop.client.request(verb if rows else "POST", path, json={singular: body})
    assert response.status_code in (200, 422), response.text
    answer = response.json()
    assert answer["meta"]["success"] is (response.status_code == 200)
    assert (len(shop.sandbox.ledger) > before) is (response.status_code == 200)
    assert shop.client.get("/invoices", params={"include": "invoice.lines:embed"}).status_code == 200
    check_sums(shop.sandbox)


def check_sums(sandbox: Sandbox) -> None:
    """Every invoice is the sum of its lines."""
    for invoice in sandbox.records("invoices"):
        lines = [line for line in sandbox.records("invoiceLines") if line["invoiceId"] == invoice["id"]]
        total = sum((exact(line["amount"]) for line in lines), exact(0))
        assert lines
        if abs(total) < 10**12:  # beyond it floats have no cents
            assert exact(invoice["grossAmount" if invoice["taxMode"] == "incl" else "amount"]) == total
            assert rounded(exact(invoice["amount"]) + exact(invoice["tax"])) == exact(invoice["grossAmount"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plural=st.sampled_from(sorted(RESOURCES)),
    names=st.lists(
        st.sampled_from(PARAMETERS),
        max_size=4,
    ),
    text=st.one_of(
        st.text(max_size=8),
        st.sampled_from(["invoice.contact:embed", "contact.name", "entryDate", "true", "year:2026", "0", "2026-02-03"]),
    ),
)
def test_no_query_breaks_it(shop: Shop, plural: str, names: list[str], text: str) -> None:
    shop.sandbox.switch(unproven_filters="honoured")
    shop.create()
    response = shop.client.get(f"/{plural}", params=dict.fromkeys(names, text))
    assert response.status_code in (200, 400, 403, 404, 405), response.text
    assert response.json()["meta"]["statusCode"] == response.status_code


@pytest.mark.parametrize("path", ["/contacts/%00", "/contacts/a%2Fb", "/%F0%9F%98%80", "/contacts?include=%00"])
def test_odd_addresses_are_answered_in_form(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.json()["meta"]["statusCode"] == response.status_code
