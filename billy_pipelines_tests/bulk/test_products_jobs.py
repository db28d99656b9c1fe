"""Files of products against the books: the plan, the books after it, the verdicts; in each mode Billy may have
(rules B1, B7, B8, B13, B14, B17, B18)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from billy_pipelines.sandbox import Fault, SandboxServer
from billy_pipelines.schemas.products import PRODUCTS
from billy_pipelines.settings import Settings
from billy_pipelines_tests.bulk.whole_jobs import NEVER_SEEN, SWITCHES, Office

MAPPING = "organizations:\n  - name: default\n    vat: {vat0: F}\n"


@pytest.fixture
def office(
    settings: Settings, engine: Engine, sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Office:
    """Books with three products: one with two prices, one archived, one without a number."""
    dkk_and_eur = [{"currencyId": "DKK", "unitPrice": 100}, {"currencyId": "EUR", "unitPrice": 14}]
    sandbox.sandbox.add(
        "products",
        [
            {"id": "p1", "name": "Blå vare", "productNo": "0001", "description": "Blå", "prices": dkk_and_eur},
            {"id": "p2", "name": "Udgået vare", "productNo": "0002", "isArchived": True},
            {"id": "p3", "name": "Konsulenttime", "prices": [{"currencyId": "DKK", "unitPrice": 950}]},
        ],
    )
    return Office.of(PRODUCTS, settings, engine, sandbox, tmp_path, monkeypatch)


@pytest.fixture(params=SWITCHES, ids=str)
def any_billy(request: pytest.FixtureRequest, sandbox: SandboxServer) -> dict[str, Any]:
    sandbox.sandbox.switch(**request.param)
    return dict(request.param)


def prices(office: Office, product_id: str) -> dict[str, float]:
    return {
        each["currencyId"]: each["unitPrice"]
        for each in office.records("productPrices")
        if each["productId"] == product_id
    }


def product(office: Office, **wanted: Any) -> dict[str, Any]:
    """The one product in the books with these values."""
    [found] = [each for each in office.records("products") if wanted.items() <= each.items()]
    return found


def put_on_an_invoice(office: Office, product_id: str) -> None:
    [contact_id] = office.sandbox.sandbox.add("contacts", [{"name": "Kunde ApS", "countryId": "DK"}])
    line = {"productId": product_id, "quantity": 1, "unitPrice": 10}
    office.sandbox.sandbox.add("invoices", [{"contactId": contact_id, "entryDate": "2026-02-03", "lines": [line]}])


# -- import ------------------------------------------------------------------------------------------------------------

FILE = [
    {"productNo": "0001", "name": "Blå vare", "unitPrice": "125", "currency": "DKK"},
    {"productNo": "0002", "name": "Udgået vare", "unitPrice": "5"},
    {"name": "KONSULENTTIME", "unitPrice": "950"},
    {"productNo": "0004", "name": "Ny vare", "unitPrice": "7.5", "accountNo": "1150"},
    {"productNo": "0005", "name": "Konto mangler", "accountNo": "9999"},
    {"productNo": "0006", "name": "Ikke omsætning", "accountNo": "1310"},
    {"productNo": "0007", "name": "Eksportvare", "salesTaxRuleset": "abroad"},
    {"productNo": "0009", "name": "blå  VARE"},
]
WRONG = ["account_unknown", "account_not_revenue", "vat_unmapped"]
IMPORTS: dict[str, tuple[list[str], list[str], list[str]]] = {
    "skip": (
        ["skipped", "skipped", "skipped", "create", *["rejected"] * 4],
        ["skipped", "skipped", "skipped", "created", *["rejected"] * 4],
        ["exists", "archived", "exists", "", *WRONG, "possible_duplicate"],
    ),
    "update": (
        ["update", "skipped", "unchanged", "create", *["rejected"] * 4],
        ["updated", "skipped", "unchanged", "created", *["rejected"] * 4],
        ["", "archived", "", "", *WRONG, "possible_duplicate"],
    ),
    "create": (
        [*["create"] * 4, *["rejected"] * 3, "create"],
        [*["created"] * 4, *["rejected"] * 3, "created"],
        [*[""] * 4, *WRONG, ""],
    ),
    "fail": (
        ["rejected", "skipped", "rejected", "create", *["rejected"] * 4],
        ["rejected", "skipped", "rejected", "created", *["rejected"] * 4],
        ["already_exists", "archived", "already_exists", "", *WRONG, "possible_duplicate"],
    ),
}


@pytest.mark.parametrize("on_existing", IMPORTS)
def test_an_import_does_with_each_row_what_the_plan_says_b1_b7_b8_b13(
    office: Office, any_billy: dict[str, Any], on_existing: str
) -> None:
    actions, verdicts, codes = IMPORTS[on_existing]
    done = office.carry_out("import", FILE, on_existing=on_existing)
    assert (done.actions, done.verdicts, done.codes) == (actions, verdicts, codes)
    assert prices(office, "p1") == {"DKK": 125 if on_existing == "update" else 100, "EUR": 14}
    assert len(office.records("products")) == 3 + verdicts.count("created")
    new = product(office, productNo="0004")
    [account] = [each for each in office.records("accounts") if each["accountNo"] == 1150]
    [domestic] = [each for each in office.records("salesTaxRulesets") if each["abbreviation"] == "M"]
    assert (new["accountId"], new["salesTaxRulesetId"], new["isArchived"]) == (account["id"], domestic["id"], False)
    assert prices(office, new["id"]) == {"DKK": 7.5}


@pytest.mark.parametrize("on_existing", ["skip", "update"])
def test_the_same_file_again_changes_nothing(office: Office, any_billy: dict[str, Any], on_existing: str) -> None:
    office.carry_out("import", FILE[:4], on_existing=on_existing)
    before = len(office.sandbox.sandbox.ledger)
    done = office.carry_out("import", FILE[:4], on_existing=on_existing)
    assert set(done.verdicts) <= {"unchanged", "skipped"}
    assert len(office.sandbox.sandbox.ledger) == before


def test_a_skipped_row_names_the_price_that_differs_b8(office: Office) -> None:
    assert office.carry_out("import", FILE[:1]).plan[0].code == "exists"
    done = office.carry_out("import", FILE[:1], on_existing="update")
    assert done.plan[0].changes == "unitPrice DKK: 100 → 125"


def test_an_archived_product_comes_back_where_that_is_wanted_b7(office: Office, any_billy: dict[str, Any]) -> None:
    done = office.carry_out("import", FILE[1:2], on_existing="update", on_archived="restore")
    assert done.verdicts == ["updated"]
    assert product(office, id="p2")["isArchived"] is False
    assert prices(office, "p2") == {"DKK": 5}


def test_archived_products_that_no_list_shows_stay_as_they_are(office: Office) -> None:
    """The one thing that can go wrong there: a product that was archived is made again, under the same number."""
    office.sandbox.sandbox.switch(**NEVER_SEEN)
    assert office.carry_out("import", FILE[:2], on_existing="update").verdicts == ["updated", "created"]
    assert product(office, id="p2")["isArchived"] is True


def test_a_mapped_ruleset_is_used_b13(office: Office) -> None:
    office.settings.data_dir.mkdir(parents=True, exist_ok=True)
    (office.settings.data_dir / "organizations.yaml").write_text(MAPPING, encoding="utf-8")
    done = office.carry_out("import", [{"name": "Momsfri vare", "salesTaxRuleset": "vat0"}])
    assert done.verdicts == ["created"]
    [free] = [each for each in office.records("salesTaxRulesets") if each["abbreviation"] == "F"]
    assert product(office, name="Momsfri vare")["salesTaxRulesetId"] == free["id"]


@pytest.mark.parametrize("forbidden", ["accounts", "salesTaxRulesets", "taxRates"])
def test_a_list_that_is_refused_stops_only_the_rows_that_need_it_b13(office: Office, forbidden: str) -> None:
    office.sandbox.sandbox.switch(forbidden_resource=forbidden)
    rows = [
        {"name": "Ny vare", "unitPrice": "5"},
        {"name": "Med konto", "accountNo": "1110"},
        {"name": "Med moms", "salesTaxRuleset": "vat25"},
    ]
    expected = {
        "accounts": ["", "reference_unavailable", ""],
        "salesTaxRulesets": ["", "", "reference_unavailable"],
        "taxRates": ["", "", "vat_unmapped"],
    }[forbidden]
    assert office.carry_out("import", rows).codes == expected


def test_prices_with_vat_are_converted_by_the_products_own_vat_b14(office: Office, any_billy: dict[str, Any]) -> None:
    [free] = [each["id"] for each in office.records("salesTaxRulesets") if each["abbreviation"] == "F"]
    office.sandbox.sandbox.change("products", "p3", salesTaxRulesetId=free)
    rows = [
        {"productNo": "0001", "name": "Blå vare", "unitPrice": "99.99"},
        {"productNo": "", "name": "Konsulenttime", "unitPrice": "99.99"},
        {"productNo": "0004", "name": "Ny vare", "unitPrice": "125"},
    ]
    done = office.carry_out("import", rows, on_existing="update", prices_include_vat="true")
    assert done.verdicts == ["updated", "updated", "created"]
    assert [line.changes for line in done.plan[:2]] == ["unitPrice DKK: 100 → 79.992", "unitPrice DKK: 950 → 99.99"]
    assert (prices(office, "p1")["DKK"], prices(office, "p3")["DKK"]) == (79.992, 99.99)
    assert prices(office, product(office, productNo="0004")["id"]) == {"DKK": 100}
    assert "125 with VAT is sent as 100 without (25 %)." in done.warnings[2]
    again = office.carry_out("import", rows, on_existing="update", prices_include_vat="true")
    assert again.verdicts == ["unchanged"] * 3


def test_a_list_of_prices_sets_each_currency_and_drops_none(office: Office, any_billy: dict[str, Any]) -> None:
    rows = [
        {"productNo": "0001", "name": "Blå vare", "prices": [{"currencyId": "SEK", "unitPrice": 150}]},
        {"name": "Konsulenttime", "unitPrice": "950", "prices": [{"currencyId": "EUR", "unitPrice": 128}]},
    ]
    assert office.carry_out("import", rows, on_existing="update").verdicts == ["updated", "updated"]
    assert prices(office, "p1") == {"DKK": 100, "EUR": 14, "SEK": 150}
    assert prices(office, "p3") == {"DKK": 950, "EUR": 128}


# -- update ------------------------------------------------------------------------------------------------------------


def test_an_update_changes_only_what_the_file_has_b1_b8(office: Office, any_billy: dict[str, Any]) -> None:
    before = {each["id"]: dict(each) for each in office.records("products")}
    rows = [
        {"id": "p1", "unitPrice": "15", "currency": "EUR"},
        {"id": "", "productNo": "0404", "unitPrice": "1"},
        {"id": "p3", "unitPrice": "950"},
        {"id": "gone", "unitPrice": "1"},
        {"id": "", "unitPrice": "1"},
    ]
    done = office.carry_out("update", rows)
    assert done.actions == ["update", "rejected", "unchanged", "rejected", "rejected"]
    assert done.verdicts == ["updated", "rejected", "unchanged", "rejected", "rejected"]
    assert done.codes == ["", "not_found", "", "not_found", "no_key"]
    assert prices(office, "p1") == {"DKK": 100, "EUR": 15}
    assert {each["id"]: dict(each) for each in office.records("products")} == before
    assert office.carry_out("update", rows[:1]).verdicts == ["unchanged"]


def test_a_cleared_description_goes_the_rest_stays_b4(office: Office) -> None:
    done = office.carry_out("update", [{"productNo": "0001", "description": "#RYD"}])
    assert done.verdicts == ["updated"]
    assert (product(office, id="p1")["description"], prices(office, "p1")) == (None, {"DKK": 100, "EUR": 14})


def test_a_price_changed_by_somebody_since_the_plan_is_left_alone(office: Office) -> None:
    job_id = office.plan("update", [{"productNo": "0001", "unitPrice": "125"}])
    [price] = [p for p in office.records("productPrices") if (p["productId"], p["currencyId"]) == ("p1", "DKK")]
    office.sandbox.sandbox.change("productPrices", price["id"], unitPrice=111)
    done = office.apply(job_id)
    assert (done.verdicts, done.codes) == (["failed"], ["changed_since_plan"])
    assert prices(office, "p1")["DKK"] == 111


# -- delete ------------------------------------------------------------------------------------------------------------


def test_a_product_in_use_is_archived_the_others_are_deleted_b17_b18(office: Office, any_billy: dict[str, Any]) -> None:
    put_on_an_invoice(office, "p1")
    rows = [{"id": "p1"}, {"id": "p3"}, {"id": "gone"}, {"productNo": "0404"}]
    done = office.carry_out("delete", rows)
    assert done.actions == ["archive", "delete", "rejected", "rejected"]
    assert done.verdicts == ["archived", "deleted", "rejected", "rejected"]
    assert done.codes == ["", "", "not_found", "not_found"]
    assert {each["id"]: each["isArchived"] for each in office.records("products")} == {"p1": True, "p2": True}
    assert prices(office, "p1") == {"DKK": 100, "EUR": 14}


def test_a_product_in_use_stays_where_archiving_is_not_wanted_b17(office: Office, any_billy: dict[str, Any]) -> None:
    put_on_an_invoice(office, "p1")
    done = office.carry_out("delete", [{"id": "p1"}, {"id": "p3"}], archive_if_used=False)
    assert (done.verdicts, done.codes) == (["rejected", "deleted"], ["in_use", ""])
    assert product(office, id="p1")["isArchived"] is False


def test_products_are_archived_where_nobody_tells_what_is_in_use_b17(office: Office) -> None:
    office.sandbox.sandbox.switch(forbidden_resource="invoices")
    assert office.carry_out("delete", [{"id": "p1"}, {"id": "p3"}]).verdicts == ["archived", "archived"]


def test_a_product_that_billy_keeps_for_its_own_reasons_is_archived_b18(office: Office) -> None:
    office.sandbox.sandbox.mark_in_use("p3")
    done = office.carry_out("delete", [{"id": "p3"}])
    assert (done.actions, done.verdicts) == (["delete"], ["archived"])


# -- unclear answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["5xx-after", "reset-after", "bad-json-after"])
def test_an_unclear_answer_doubles_neither_a_product_nor_a_price(office: Office, kind: str) -> None:
    """New products with prices, and a price in a currency a product did not have: each is made once."""
    office.sandbox.sandbox.switch(faults=[Fault(kind=kind, every=2, methods=["POST"])])
    new = [{"productNo": f"1{n:02}", "name": f"Ny {n}", "unitPrice": "5", "currency": "DKK"} for n in range(8)]
    more = {"productNo": "0001", "name": "Blå vare", "unitPrice": "150", "currency": "SEK"}
    done = office.carry_out("import", [more, *new], on_existing="update")
    assert office.sandbox.sandbox.faults_fired[kind] > 0
    assert done.verdicts == ["updated", *["created"] * 8]
    assert prices(office, "p1") == {"DKK": 100, "EUR": 14, "SEK": 150}
    names = [each["name"] for each in office.records("products")]
    assert sorted(names) == sorted({*names})
    assert len(office.records("productPrices")) == 3 + 1 + 8
