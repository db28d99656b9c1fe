"""What a product row means in Billy: its references, the body of a create, the differences and the writes of an update
(rules B1, B4, B13, B14)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.models import Account, Product, SalesTaxRuleset
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.schemas import product_meaning as meaning
from billy_pipelines.schemas import product_prices
from billy_pipelines.schemas import product_requests as requests
from billy_pipelines.schemas.product_meaning import ProductReferences
from billy_pipelines.schemas.references import Accounts
from billy_pipelines.schemas.resource import Change, PlanTerms, Resolved, Row
from billy_pipelines.schemas.vat_rulesets import VatRulesets
from billy_pipelines.settings import Organization
from billy_pipelines_tests.support import open_client_for

T = TypeVar("T")


def ruleset(key: str, rate: str) -> SalesTaxRuleset:
    return SalesTaxRuleset.model_validate({"id": key, "name": key, "fallbackTaxRateId": rate, "rules": []})


SHARES = {"t25": Decimal("0.25"), "t12": Decimal("0.12"), "t0": Decimal(0)}
RULESETS = {
    "r25": ruleset("r25", "t25"),
    "r0": ruleset("r0", "t0"),
    "r12": ruleset("r12", "t12"),
    "odd": ruleset("odd", "?"),
}
VAT = VatRulesets(RULESETS, SHARES, "r25", {"vat0": "r0", "abroad": "odd"})
ACCOUNTS = Accounts.of([Account.model_validate({"id": "a1110", "accountNo": 1110, "natureId": "revenue"})])
REFERENCES = ProductReferences(ACCOUNTS, VAT)


def terms(operation: str) -> PlanTerms:
    return PlanTerms(Organization(name="default"), operation)


def resolved(row: Row, operation: str = "import", references: ProductReferences = REFERENCES) -> Resolved:
    return meaning.resolve(row, references, terms(operation))


def product(**keys: Any) -> Product:
    """A product as Billy has it; `prices` by currency."""
    prices = keys.pop("prices", {})
    body = {"id": "p1", "name": "Vare", "salesTaxRulesetId": "r25", "isArchived": False, **keys}
    listed = [{"id": f"x{currency}", "currencyId": currency, "unitPrice": price} for currency, price in prices.items()]
    return Product.model_validate({**body, "prices": listed})


def changes(row: Row, record: Product, operation: str = "update") -> dict[str, tuple[Any, Any]]:
    found = meaning.differences(resolved(row, operation).row, record)
    return {change.field: (change.old, change.new) for change in found}


def ask(sandbox: SandboxServer, call: Callable[[BillyClient], Awaitable[T]]) -> T:
    async def go() -> T:
        async with open_client_for(sandbox) as client:
            return await call(client)

    return asyncio.run(go())


# -- a create (rule B1) ------------------------------------------------------------------------------------------------


def test_a_row_becomes_a_body_with_billys_keys() -> None:
    row = {
        "name": "Blå prøvevare",
        "description": "Blå, 10 cm",
        "productNo": "0042",
        "suppliersProductNo": "L-7",
        "accountNo": "1110",
        "unitPrice": "125.5",
        "currency": "EUR",
        "salesTaxRuleset": "vat0",
        "prices": [{"currencyId": "SEK", "unitPrice": "1400"}],
    }
    assert meaning.create_body(resolved(row).row) == {
        "name": "Blå prøvevare",
        "description": "Blå, 10 cm",
        "productNo": "0042",
        "suppliersProductNo": "L-7",
        "accountId": "a1110",
        "salesTaxRulesetId": "r0",
        "isArchived": False,
        "prices": [{"currencyId": "EUR", "unitPrice": 125.5}, {"currencyId": "SEK", "unitPrice": 1400}],
    }


def test_a_new_product_is_live_and_has_vat25_b1() -> None:
    found = resolved({"name": "Vare"})
    assert found.problems == found.for_creates == ()
    assert meaning.create_body(found.row) == {"name": "Vare", "isArchived": False, "salesTaxRulesetId": "r25"}


def test_an_update_brings_no_defaults_b1() -> None:
    archived = product(isArchived=True, salesTaxRulesetId="r0", accountId="other", prices={"EUR": 3})
    assert changes({"name": "Vare"}, archived) == {}
    assert changes({"name": "Vare"}, archived, "import") == {}


def test_the_price_is_in_the_companys_currency_where_the_row_names_none() -> None:
    row = resolved({"name": "Vare", "unitPrice": "7"}, references=ProductReferences(vat=VAT, base_currency="EUR")).row
    assert meaning.create_body(row)["prices"] == [{"currencyId": "EUR", "unitPrice": 7}]


def test_what_cannot_be_looked_up_rejects_the_row_all_at_once() -> None:
    found = resolved({"name": "Vare", "accountNo": "9", "salesTaxRuleset": "vat25"}, references=ProductReferences())
    assert [each.code for each in found.problems] == ["reference_unavailable", "reference_unavailable"]
    assert [each.column for each in found.problems] == ["accountNo", "salesTaxRuleset"]


def test_a_company_without_vat25_is_told_who_sets_the_vat_b1() -> None:
    found = resolved({"name": "Vare"}, references=ProductReferences())
    assert [(each.code, each.warning) for each in found.problems] == [("vat_left_to_billy", True)]
    assert "salesTaxRulesetId" not in meaning.create_body(found.row)


def test_unclear_vat25_rejects_new_products_only_b1() -> None:
    unclear = VatRulesets({"a": ruleset("a", "t25"), "b": ruleset("b", "t25")}, SHARES)
    found = resolved({"name": "Vare"}, references=ProductReferences(vat=unclear))
    assert [each.code for each in found.for_creates] == ["vat_unmapped"]
    assert found.problems == ()


def test_a_delete_looks_nothing_up() -> None:
    row = {"id": "p1", "accountNo": "9", "salesTaxRuleset": "abroad", "unitPrice": "1", "taxMode": "incl"}
    assert resolved(row, "delete") == Resolved(row)


@pytest.mark.parametrize("operation", ["import", "update"])
def test_a_row_looked_up_again_stays_as_it_is(operation: str) -> None:
    row = {"name": "V", "accountNo": "1110", "unitPrice": "125", "taxMode": "incl"}
    first = resolved(row, operation)
    assert resolved(first.row, operation) == first


@pytest.mark.parametrize("price", ["1234567890123456", "0.1234567890123456", "1" + "0" * 20])
def test_a_price_that_a_number_cannot_carry_is_rejected(price: str) -> None:
    assert [each.code for each in resolved({"name": "V", "unitPrice": price}).problems] == ["price_digits"]


# -- differences -------------------------------------------------------------------------------------------------------


def test_each_field_that_differs_is_named() -> None:
    record = product(description="Gammel", productNo="1", suppliersProductNo="L1", accountId="a1", prices={"DKK": 10})
    row = {
        "name": "Ny vare",
        "description": "Ny",
        "productNo": "2",
        "suppliersProductNo": "L2",
        "accountNo": "1110",
        "salesTaxRuleset": "vat0",
        "isArchived": "true",
        "unitPrice": "12.5",
    }
    assert changes(row, record) == {
        "name": ("Vare", "Ny vare"),
        "description": ("Gammel", "Ny"),
        "productNo": ("1", "2"),
        "suppliersProductNo": ("L1", "L2"),
        "accountId": ("a1", "a1110"),
        "salesTaxRulesetId": ("r25", "r0"),
        "isArchived": ("false", "true"),
        "unitPrice DKK": ("10", "12.5"),
    }


def test_what_is_equal_in_meaning_is_no_difference() -> None:
    record = product(name="VARE  a", accountId="a1110", prices={"DKK": 125.5, "EUR": 17})
    row = {
        "name": "vare A",
        "accountNo": "1110",
        "salesTaxRuleset": "vat25",
        "unitPrice": "125.5",
        "isArchived": "false",
    }
    assert changes(row, record) == {}


def test_a_mark_clears_a_text_b4() -> None:
    assert changes({"description": None}, product(description="Gammel")) == {"description": ("Gammel", None)}
    assert changes({"description": None}, product()) == {}


def test_only_the_price_in_the_rows_currency_is_compared() -> None:
    record = product(prices={"DKK": 125.5, "EUR": 17})
    assert changes({"unitPrice": "18", "currency": "EUR"}, record) == {"unitPrice EUR": ("17", "18")}
    assert changes({"unitPrice": "19", "currency": "SEK"}, record) == {"unitPrice SEK": (None, "19")}


def test_each_price_of_a_list_is_compared_in_its_currency() -> None:
    prices = [{"currencyId": "EUR", "unitPrice": "17"}, {"currencyId": "SEK", "unitPrice": "190"}]
    record = product(prices={"DKK": 125.5, "EUR": 17, "SEK": 200})
    assert changes({"prices": prices}, record) == {"unitPrice SEK": ("200", "190")}


def test_an_equal_name_proves_nothing_where_the_numbers_differ() -> None:
    assert meaning.contradictions({"productNo": "2"}, product(productNo="1")) == ["productNo"]
    assert meaning.contradictions({"productNo": "0A"}, product(productNo="0a")) == []
    assert meaning.contradictions({}, product(productNo="1")) == []
    assert meaning.contradictions({"productNo": "2"}, product()) == []


def test_a_product_is_called_by_number_and_name() -> None:
    assert meaning.label({"productNo": "0042", "name": "Vare"}) == "0042 Vare"
    assert meaning.label({"id": "p1"}) == "p1"


# -- prices with VAT in them (rule B14) --------------------------------------------------------------------------------


def prices_of(row: Row) -> list[Any]:
    return [price["unitPrice"] for price in meaning.create_body(row).get("prices", [])]


@pytest.mark.parametrize(
    ("stated", "ruleset_word", "net"),
    [("125", "vat25", 100), ("99.99", "vat25", 79.992), ("99.99", "vat0", 99.99), ("395", "", 316)],
)
def test_a_price_with_vat_is_sent_without_b14(stated: str, ruleset_word: str, net: float) -> None:
    row = {"name": "V", "unitPrice": stated, "taxMode": "incl"}
    found = resolved(row | ({"salesTaxRuleset": ruleset_word} if ruleset_word else {}))
    assert found.for_creates == ()
    assert prices_of(found.row) == [net]


def test_a_price_that_does_not_divide_keeps_six_decimals_b14() -> None:
    mapped = VatRulesets(RULESETS, SHARES, mapping={"vat25": "r12"})
    row = {"name": "V", "unitPrice": "100", "taxMode": "incl", "salesTaxRuleset": "vat25"}
    assert prices_of(resolved(row, references=ProductReferences(vat=mapped)).row) == [89.285714]


def test_a_conversion_is_told_b14() -> None:
    [told] = resolved({"name": "V", "unitPrice": "125", "taxMode": "incl"}).problems
    assert (told.code, told.warning) == ("price_converted", True)
    assert told.message == "125 with VAT is sent as 100 without (25 %)."


def test_a_conversion_follows_the_vat_that_the_product_has_in_billy_b14() -> None:
    row = {"unitPrice": "125", "taxMode": "incl"}
    assert changes(row, product(prices={"DKK": 90})) == {"unitPrice DKK": ("90", "100")}
    assert changes(row, product(salesTaxRulesetId="r0", prices={"DKK": 90})) == {"unitPrice DKK": ("90", "125")}


def test_a_conversion_follows_the_vat_that_the_row_gives_it_b14() -> None:
    row = {"unitPrice": "125", "taxMode": "incl", "salesTaxRuleset": "vat0"}
    assert changes(row, product(prices={"DKK": 100}))["unitPrice DKK"] == ("100", "125")


def test_vat_of_unknown_height_rejects_the_price_b14() -> None:
    """New with a ruleset that says nothing of Denmark, new with none, and present with such a one."""
    row = {"name": "V", "unitPrice": "125", "taxMode": "incl"}
    assert [each.code for each in resolved(row | {"salesTaxRuleset": "abroad"}).problems] == ["vat_rate_unknown"]
    found = resolved(row, references=ProductReferences())
    assert [each.code for each in found.for_creates] == ["vat_rate_unknown"]
    obstacle = meaning.update_obstacle(resolved(row).row, product(salesTaxRulesetId="odd"), "en")
    assert obstacle is not None
    assert obstacle.code == "vat_rate_unknown"
    assert "unitPrice DKK" in changes(row, product(salesTaxRulesetId="odd", prices={"DKK": 125}))
    assert meaning.update_obstacle(resolved(row).row, product(), "en") is None


@pytest.mark.parametrize("kept", [79.992, 79.99])
def test_a_price_with_vat_is_unchanged_however_many_decimals_billy_keeps_b14(kept: float) -> None:
    row = {"unitPrice": "99.99", "taxMode": "incl"}
    assert changes(row, product(prices={"DKK": kept})) == {}
    assert changes(row, product(prices={"DKK": 79.98})) == {"unitPrice DKK": ("79.98", "79.992")}


def test_a_price_without_vat_is_compared_exactly() -> None:
    assert changes({"unitPrice": "0.125"}, product(prices={"DKK": 0.13})) == {"unitPrice DKK": ("0.13", "0.125")}


@given(cents=st.integers(1, 10**9), key=st.sampled_from(["r25", "r12", "r0"]), places=st.integers(2, 6))
def test_a_converted_price_is_right_and_found_unchanged_afterwards_b14(cents: int, key: str, places: int) -> None:
    """Whatever Billy keeps of it, from two decimals on."""
    stated, share = Decimal(cents) / 100, SHARES[f"t{key[1:]}"]
    row = {"unitPrice": product_prices.plain(stated), "taxMode": "incl", "vatShares": {key: str(share)}}
    net = product_prices.wanted_prices(row, key)["DKK"].net
    assert net is not None
    assert abs(net * (1 + share) - stated) < Decimal("0.000001")
    kept = net.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    assert meaning.differences(row, product(salesTaxRulesetId=key, prices={"DKK": float(kept)})) == []


# -- reading and writing -----------------------------------------------------------------------------------------------

MODES = [
    {},
    {"include": "ignored"},
    {"archived_in_lists": "hidden"},
    {"unlisted_sort": "refused", "unstable_paging": True},
]


def seeded(sandbox: SandboxServer) -> dict[str, str]:
    """Three products by name, one of them archived."""
    dkk_and_eur = [{"currencyId": "DKK", "unitPrice": 125.5}, {"currencyId": "EUR", "unitPrice": 17}]
    bodies: list[dict[str, Any]] = [
        {"name": "To priser", "productNo": "1", "prices": dkk_and_eur},
        {"name": "Uden pris"},
        {"name": "Arkiveret", "isArchived": True, "prices": [{"currencyId": "DKK", "unitPrice": 9}]},
    ]
    ids = sandbox.sandbox.add("products", bodies)
    return {str(body["name"]): each for body, each in zip(bodies, ids, strict=True)}


def amounts(record: Product) -> dict[str | None, float | None] | None:
    return None if record.prices is None else {price.currencyId: price.unitPrice for price in record.prices}


@pytest.mark.parametrize("switches", MODES, ids=str)
def test_all_products_are_read_with_their_prices(sandbox: SandboxServer, switches: dict[str, Any]) -> None:
    ids = seeded(sandbox)
    sandbox.sandbox.switch(**switches)
    found = {record.id: amounts(record) for record in ask(sandbox, requests.read_all_products)}
    assert found == {
        ids["To priser"]: {"DKK": 125.5, "EUR": 17},
        ids["Uden pris"]: {},
        ids["Arkiveret"]: {"DKK": 9},
    }


@pytest.mark.parametrize("switches", MODES, ids=str)
def test_one_product_is_read_as_the_list_has_it(sandbox: SandboxServer, switches: dict[str, Any]) -> None:
    seeded(sandbox)
    sandbox.sandbox.switch(**switches)

    async def both(client: BillyClient) -> list[tuple[Product, Product]]:
        listed = await requests.read_all_products(client)
        return [(record, await requests.read_one_product(client, record.id)) for record in listed]

    pairs = ask(sandbox, both)
    assert len(pairs) == 3
    assert all(listed.image() == one.image() for listed, one in pairs)


def test_prices_that_are_refused_are_unknown_not_none(sandbox: SandboxServer) -> None:
    seeded(sandbox)
    sandbox.sandbox.switch(include="ignored", forbidden_resource="productPrices")
    records = ask(sandbox, requests.read_all_products)
    assert [record.prices for record in records] == [None, None, None]
    assert not any(meaning.is_complete({}, record) for record in records)


@pytest.mark.parametrize("include", ["honoured", "ignored"])
def test_a_price_is_set_beside_those_in_other_currencies(sandbox: SandboxServer, include: str) -> None:
    product_id = seeded(sandbox)["To priser"]
    sandbox.sandbox.switch(include=include)

    async def change(client: BillyClient) -> Product:
        record = await requests.read_one_product(client, product_id)
        wanted = [Change("name", "To priser", "Tre priser"), Change("unitPrice EUR", "17", "18.25")]
        return await requests.write_product_update(
            client, record, [*wanted, Change("unitPrice SEK", None, "190")], False
        )

    after = ask(sandbox, change)
    assert (after.name, amounts(after)) == ("Tre priser", {"DKK": 125.5, "EUR": 18.25, "SEK": 190})
    assert ask(sandbox, lambda client: requests.read_one_product(client, product_id)).image() == after.image()


def test_an_update_sends_only_what_changes(sandbox: SandboxServer) -> None:
    product_id = seeded(sandbox)["To priser"]

    async def change(client: BillyClient) -> None:
        record = await requests.read_one_product(client, product_id)
        await requests.write_product_update(client, record, [Change("unitPrice DKK", "125.5", "126")], False)

    ask(sandbox, change)
    assert [(entry.operation, entry.resource) for entry in sandbox.sandbox.ledger] == [("update", "productPrices")]


def test_a_new_product_comes_back_with_its_prices(sandbox: SandboxServer) -> None:
    row = resolved({"name": "Vare", "unitPrice": "7"}, references=ProductReferences()).row

    async def create(client: BillyClient) -> Product:
        return requests.created_product(await client.create("products", "product", meaning.create_body(row)))

    made = ask(sandbox, create)
    assert amounts(made) == {"DKK": 7}
    assert ask(sandbox, lambda client: requests.read_one_product(client, made.id)).image() == made.image()


# -- what is read for the rows -----------------------------------------------------------------------------------------


def references_of(sandbox: SandboxServer, operation: str, *fields: str) -> ProductReferences:
    return ask(sandbox, lambda client: requests.product_references(client, terms(operation), frozenset(fields), []))


def test_only_what_rows_need_is_read(sandbox: SandboxServer) -> None:
    assert references_of(sandbox, "update", "id", "name") == ProductReferences()
    assert sandbox.sandbox.requests == []
    assert references_of(sandbox, "delete", "accountNo").accounts == Accounts()
    references_of(sandbox, "import", "name")
    assert not sandbox.sandbox.requests.select(path="/accounts")


def test_the_companys_currency_is_asked_for(sandbox: SandboxServer) -> None:
    company = sandbox.sandbox.records("organizations")[0]
    sandbox.sandbox.change("organizations", company["id"], baseCurrencyId="EUR")
    assert references_of(sandbox, "update", "unitPrice").base_currency == "EUR"


def test_the_organizations_mapping_decides_b13(sandbox: SandboxServer) -> None:
    mapped = PlanTerms(Organization(name="default", vat={"vat0": "F"}), "import")
    found = ask(sandbox, lambda client: requests.product_references(client, mapped, frozenset({"salesTaxRuleset"}), []))
    free = next(each for each in sandbox.sandbox.records("salesTaxRulesets") if each["abbreviation"] == "F")
    assert found.vat.find("vat0", "salesTaxRuleset", "en") == free["id"]
