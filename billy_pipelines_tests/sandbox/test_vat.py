"""Accounts, rulesets, rates and VAT periods: billy-api.md sections 1, 6.6, 7."""

from __future__ import annotations

from datetime import date

import httpx
import pytest

from billy_pipelines.sandbox import Sandbox

from .conftest import TOKENS, Shop
from .test_records import attributes, error


def test_a_company_has_a_danish_chart_of_accounts(client: httpx.Client, sandbox: Sandbox) -> None:
    """Numbers like 1110, natures and roles are observed; the chart is made up."""
    accounts = {each["accountNo"]: each for each in client.get("/accounts").json()["accounts"]}
    assert accounts[1110]["name"] == "Salg af varer/ydelser"
    assert {each["natureId"] for each in accounts.values()} == {"asset", "liability", "equity", "revenue", "expense"}
    roles = {each["systemRole"] for each in accounts.values()}
    assert roles == {None, "accountsReceivable", "accountsPayable", "realizedCurrencyDifference"}
    assert accounts[5710]["isBankAccount"] is accounts[5710]["isPaymentEnabled"] is True
    groups = {each["id"] for each in client.get("/accountGroups").json()["accountGroups"]}
    assert {each["groupId"] for each in accounts.values()} <= groups
    company = client.get("/organization").json()["organization"]
    assert company["defaultSalesAccountId"] == accounts[1110]["id"]


def test_account_filters_are_unproven(client: httpx.Client, sandbox: Sandbox) -> None:
    """Unverified: a switch."""
    total = len(sandbox.records("accounts"))
    queries = ["accountNo=1110", "isBankAccount=true", "systemRole=accountsPayable"]
    assert [len(client.get(f"/accounts?{query}").json()["accounts"]) for query in queries] == [total] * 3
    sandbox.switch(unproven_filters="honoured")
    assert [len(client.get(f"/accounts?{query}").json()["accounts"]) for query in queries] == [1, 2, 1]


def test_an_account_in_use_stays_and_its_nature_is_fixed(client: httpx.Client, sandbox: Sandbox) -> None:
    """Immutable is documented; the refusal to delete is our choice."""
    accounts = {each["accountNo"]: each["id"] for each in sandbox.records("accounts")}
    sandbox.add("products", [{"name": "a", "accountId": accounts[1150]}])
    error(client.delete(f"/accounts/{accounts[1150]}"), 422)
    assert client.delete(f"/accounts/{accounts[1140]}").json()["meta"]["deletedRecords"]
    response = client.put(f"/accounts/{accounts[1110]}", json={"account": {"natureId": "asset"}})
    assert list(attributes(response)) == ["natureId"]
    group = sandbox.records("accountGroups")[0]["id"]
    body = {"name": "Ny", "accountNo": "1160", "groupId": group}
    assert list(attributes(client.post("/accounts", json={"account": body}))) == ["accountNo"]


@pytest.mark.parametrize("plural", ["accounts", "salesTaxRulesets", "taxRates", "salesTaxReturns"])
def test_ids_differ_between_companies_and_stay_when_the_sandbox_starts_again(plural: str) -> None:
    """Observed of rulesets: never hard-code them."""
    one, again = (Sandbox(organizations=[{"token": "a"}, {"token": "b"}]) for _ in range(2))
    ids = [{each["id"] for each in one.records(plural, token)} for token in ("a", "b")]
    assert not ids[0] & ids[1]
    assert ids[0] == {each["id"] for each in again.records(plural, "a")}


@pytest.mark.parametrize(
    ("country", "kind", "rate"),
    [
        ("DK", "company", "Salgsmoms 25%"),
        ("DK", "person", "Salgsmoms 25%"),
        ("DE", "company", "EU-varesalg"),
        ("DE", "person", "Salgsmoms 25%"),
        ("NO", "company", "Eksport uden moms"),
        ("NO", "person", "Eksport uden moms"),
    ],
)
def test_the_rate_follows_from_ruleset_country_and_kind_of_contact(
    shop: Shop, country: str, kind: str, rate: str
) -> None:
    """The structure is documented, the order by priority a guess (unverified), the company's rules are made up."""
    shop.sandbox.change("contacts", shop.contact, countryId=country, type=kind)
    body = shop.post().json()
    names = {each["id"]: each["name"] for each in shop.sandbox.records("taxRates")}
    assert names[body["invoiceLines"][0]["taxRateId"]] == rate
    assert body["invoices"][0]["tax"] == (25 if "25%" in rate else 0)


def test_another_companys_rules_count_for_it(shop: Shop) -> None:
    """Tests may give a company any set-up: here lowest priority first, and no fallback."""
    [rate] = shop.sandbox.add("taxRates", [{"name": "Halv", "rate": 0.055}])
    [dear] = shop.sandbox.add("taxRates", [{"name": "Dyr", "rate": 0.4}])
    rules = [
        {"countryId": "SE", "taxRateId": dear, "priority": 2},
        {"countryId": "SE", "taxRateId": rate, "priority": 1},
    ]
    [ruleset] = shop.sandbox.add("salesTaxRulesets", [{"name": "Egen", "rules": rules}])
    shop.sandbox.change("products", shop.product, salesTaxRulesetId=ruleset)
    shop.sandbox.change("contacts", shop.contact, countryId="SE")
    assert shop.create()["tax"] == 5.5
    shop.sandbox.change("contacts", shop.contact, countryId="DK")
    body = shop.post().json()
    assert (body["invoices"][0]["tax"], body["invoiceLines"][0]["taxRateId"]) == (0, None)


def test_rulesets_are_filtered_by_abbreviation_if_at_all(client: httpx.Client, sandbox: Sandbox) -> None:
    """Unverified: a switch. `F` for the VAT-free set is observed."""
    assert len(client.get("/salesTaxRulesets?abbreviation=F").json()["salesTaxRulesets"]) == 5
    sandbox.switch(unproven_filters="honoured")
    [found] = client.get("/salesTaxRulesets?abbreviation=F").json()["salesTaxRulesets"]
    assert found["name"] == "Salg uden moms"


def test_system_names_follow_the_language_or_are_unusual(client: httpx.Client, sandbox: Sandbox) -> None:
    """Documented for Accept-Language; unusual names are a switch, so that no client relies on them."""

    def seen(plural: str, **headers: str) -> set[str]:
        return {each["name"] for each in client.get(f"/{plural}", headers=headers).json()[plural]}

    assert {"Bank", "Debitorer"} <= seen("accounts")
    assert {"Bank", "Accounts receivable"} <= seen("accounts", **{"Accept-Language": "en_US"})
    assert "Sale with VAT" in seen("salesTaxRulesets", **{"Accept-Language": "en_US"})
    assert seen("accounts", **{"Accept-Language": "fr_FR"}) == seen("accounts")
    usual = seen("salesTaxRulesets") | seen("taxRates") | seen("accounts")
    sandbox.switch(system_names="renamed")
    unusual = seen("salesTaxRulesets") | seen("taxRates") | seen("accounts")
    assert not usual & unusual
    abbreviations = {each["abbreviation"] for each in client.get("/salesTaxRulesets").json()["salesTaxRulesets"]}
    assert "F" not in abbreviations
    ruleset = sandbox.records("salesTaxRulesets")[0]
    assert client.get(f"/salesTaxRulesets/{ruleset['id']}").json()["salesTaxRuleset"]["name"] in unusual


def test_a_name_of_ones_own_is_not_translated(client: httpx.Client, sandbox: Sandbox) -> None:
    """Our choice: only the system's names are."""
    account = sandbox.records("accounts")[0]["id"]
    client.put(f"/accounts/{account}", json={"account": {"name": "Salg af is"}})
    found = client.get(f"/accounts/{account}", headers={"Accept-Language": "en_US"}).json()["account"]
    assert found["name"] == "Salg af is"


def test_vat_periods_are_listed_and_settled_on_order(client: httpx.Client, sandbox: Sandbox) -> None:
    """Our choice of values; the keys are those of Billy's property table."""
    periods = client.get("/salesTaxReturns").json()["salesTaxReturns"]
    assert len(periods) == 8
    assert [each["isSettled"] for each in periods] == [False] * 8
    assert [each["startDate"][5:] for each in periods[:4]] == ["01-01", "04-01", "07-01", "10-01"]
    sandbox.change("salesTaxReturns", periods[0]["id"], isSettled=True)
    assert client.get(f"/salesTaxReturns/{periods[0]['id']}").json()["salesTaxReturn"]["isSettled"] is True


def test_a_company_can_start_with_settled_periods() -> None:
    last_year = int(Sandbox().records("salesTaxReturns")[0]["startDate"][:4])
    until = date(last_year, 6, 30)
    sandbox = Sandbox(organizations=[{"token": "a", "vat_settled_until": until}])
    for _ in range(2):
        settled = [each["period"] for each in sandbox.records("salesTaxReturns") if each["isSettled"]]
        assert settled == [f"{last_year}-1", f"{last_year}-2"]
        sandbox.reset()


def test_the_second_company_has_books_of_its_own(sandbox: Sandbox) -> None:
    own = {each["id"] for each in sandbox.records("accounts")}
    [product] = sandbox.add("products", [{"name": "a"}], token=TOKENS[1])
    assert sandbox.records("products") == []
    [record] = sandbox.records("products", TOKENS[1])
    assert (record["id"], record["accountId"] in own) == (product, False)
