"""What rows refer to in the books: accounts by number, VAT rulesets (rule B13), and what is in use (rule B17)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import TokenRefused
from billy_pipelines.billy.models import Account, Contact, SalesTaxRule, SalesTaxRuleset
from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.schemas import references
from billy_pipelines.schemas.codes import Problem
from billy_pipelines.schemas.references import Accounts, ContactReferences, contact_in_use, resolve_contact
from billy_pipelines.schemas.resource import PlanTerms
from billy_pipelines.schemas.vat_rulesets import VatRulesets, read_vat_rulesets
from billy_pipelines.settings import Organization
from billy_pipelines_tests.support import open_client_for

T = TypeVar("T")

IMPORT = PlanTerms(Organization(name="default"), "import")
DELETE = PlanTerms(Organization(name="default"), "delete")
NOTHING: frozenset[str] = frozenset()


def ask(sandbox: SandboxServer, call: Callable[[BillyClient], Awaitable[T]]) -> T:
    async def go() -> T:
        async with open_client_for(sandbox) as client:
            return await call(client)

    return asyncio.run(go())


def account(number: int, nature: str | None = "revenue", **more: Any) -> Account:
    return Account.model_validate(
        {"id": f"a{number}", "accountNo": number, "name": f"Konto {number}", "natureId": nature, **more}
    )


def problem(found: object) -> Problem:
    assert isinstance(found, Problem)
    return found


# -- accounts ----------------------------------------------------------------------------------------------------------

CHART = Accounts.of(
    [account(1110), account(1120), account(1150), account(1310, "expense"), account(1160, isArchived=True)]
)


def test_an_account_is_found_by_its_number() -> None:
    found = CHART.find("1120", "accountNo", "en", revenue=True)
    assert isinstance(found, Account)
    assert found.id == "a1120"


def test_zeros_in_front_are_no_other_number() -> None:
    found = CHART.find("01120", "accountNo", "en")
    assert isinstance(found, Account)
    assert found.id == "a1120"


def test_an_unknown_account_is_named_with_the_nearest() -> None:
    found = problem(CHART.find("1119", "accountNo", "en", revenue=True))
    assert (found.code, found.column, found.value) == ("account_unknown", "accountNo", "1119")
    assert "Nearest: 1120 Konto 1120, 1110 Konto 1110, 1150 Konto 1150." in found.message


def test_sales_take_a_revenue_account_only() -> None:
    found = problem(CHART.find("1310", "accountNo", "en", revenue=True))
    assert found.code == "account_not_revenue"
    assert isinstance(CHART.find("1310", "expenseAccountNo", "en"), Account)


def test_an_account_whose_nature_is_not_told_is_believed() -> None:
    assert isinstance(Accounts.of([account(1, None)]).find("1", "accountNo", "en", revenue=True), Account)


def test_an_archived_account_is_not_used() -> None:
    assert problem(CHART.find("1160", "accountNo", "en", revenue=True)).code == "account_archived"


def test_a_number_that_two_accounts_have_is_ambiguous() -> None:
    twice = Accounts.of([account(1), account(1, id="b")])
    found = problem(twice.find("1", "accountNo", "en"))
    assert (found.code, "a1, b" in found.message) == ("ambiguous_match", True)


def test_without_a_chart_only_rows_that_need_it_are_wrong() -> None:
    assert problem(Accounts().find("1110", "accountNo", "en")).code == "reference_unavailable"


@pytest.mark.parametrize("archived_in_lists", ["included", "hidden"])
def test_archived_accounts_are_known_as_such(sandbox: SandboxServer, archived_in_lists: str) -> None:
    kept = next(each for each in sandbox.sandbox.records("accounts") if each["accountNo"] == 1150)
    sandbox.sandbox.change("accounts", kept["id"], isArchived=True)
    sandbox.sandbox.switch(archived_in_lists=archived_in_lists)
    chart = ask(sandbox, references.read_accounts)
    assert problem(chart.find("1150", "accountNo", "en")).code == "account_archived"
    assert isinstance(chart.find("1110", "accountNo", "en", revenue=True), Account)


def test_a_chart_that_is_refused_ends_no_job(sandbox: SandboxServer) -> None:
    sandbox.sandbox.switch(forbidden_resource="accounts")
    assert ask(sandbox, references.read_accounts) == Accounts()


def test_a_token_that_is_no_longer_good_ends_it(sandbox: SandboxServer) -> None:
    sandbox.sandbox.switch(revoked_after=0)
    with pytest.raises(TokenRefused):
        ask(sandbox, references.read_accounts)


# -- VAT (rule B13) ----------------------------------------------------------------------------------------------------

SHARES = {"t25": Decimal("0.25"), "t0": Decimal(0)}


def ruleset(key: str, fallback: str, **rates: str | None) -> SalesTaxRuleset:
    """`rates`: country -> tax rate."""
    rules = [
        SalesTaxRule.model_validate({"id": f"{key}-{country}", "countryId": country, "taxRateId": rate})
        for country, rate in rates.items()
    ]
    return SalesTaxRuleset.model_validate(
        {"id": key, "name": f"Regel {key}", "abbreviation": key.upper(), "fallbackTaxRateId": fallback}
    ).model_copy(update={"rules": rules})


def vat(*rulesets: SalesTaxRuleset, default: str | None = None, **mapping: str) -> VatRulesets:
    return VatRulesets({each.id: each for each in rulesets}, SHARES, default, mapping)


HOME = ruleset("home", "t0", DK="t25", SE="t0")
FREE = ruleset("free", "t0")
EVERYWHERE = ruleset("everywhere", "t25", SE="t0")
NOT_HERE = ruleset("nothere", "t25", DK="t0")


def found(rulesets: VatRulesets, choice: str) -> str:
    result = rulesets.find(choice, "salesTaxRuleset", "en")
    return result.code if isinstance(result, Problem) else result


def test_vat25_is_found_by_its_rate_for_denmark_b13() -> None:
    assert found(vat(FREE, HOME, NOT_HERE), "vat25") == "home"
    assert found(vat(FREE, EVERYWHERE, NOT_HERE), "vat25") == "everywhere"


def test_of_several_that_fit_the_companys_preset_is_vat25_b13() -> None:
    assert found(vat(HOME, EVERYWHERE, default="everywhere"), "vat25") == "everywhere"


def test_several_that_fit_without_a_preset_among_them_are_named_b13() -> None:
    unclear = problem(vat(HOME, EVERYWHERE, FREE, default="free").find("vat25", "salesTaxRuleset", "en"))
    assert unclear.code == "vat_unmapped"
    assert "There are: Regel home (home), Regel everywhere (everywhere)." in unclear.message


def test_rules_for_denmark_that_disagree_fit_nothing_b13() -> None:
    rules = [*(HOME.rules or []), SalesTaxRule.model_validate({"id": "x", "countryId": "DK", "taxRateId": "t0"})]
    assert found(vat(HOME.model_copy(update={"rules": rules})), "vat25") == "vat_unmapped"


@pytest.mark.parametrize("choice", ["vat0", "abroad"])
def test_unmapped_vat0_and_abroad_are_rejected_with_the_candidates_b13(choice: str) -> None:
    unclear = problem(vat(HOME, FREE).find(choice, "salesTaxRuleset", "en"))
    assert (unclear.code, unclear.value) == ("vat_unmapped", choice)
    assert "Regel home (home), Regel free (free)" in unclear.message


@pytest.mark.parametrize("said", ["free", "regel  FREE", "Free", "FREE"])
def test_a_mapping_names_a_ruleset_by_id_name_or_abbreviation_b13(said: str) -> None:
    assert found(vat(HOME, FREE, vat0=said), "vat0") == "free"


def test_a_mapping_outranks_the_rate_b13() -> None:
    assert found(vat(HOME, EVERYWHERE, vat25="everywhere"), "vat25") == "everywhere"


@pytest.mark.parametrize("said", ["gone", "", "Regel"])
def test_a_mapping_that_leads_nowhere_is_wrong_b13(said: str) -> None:
    assert found(vat(HOME, FREE, vat0=said), "vat0") == "vat_mapping_wrong"


def test_a_mapping_to_a_name_that_two_have_is_wrong_b13() -> None:
    twin = FREE.model_copy(update={"id": "twin"})
    assert found(vat(FREE, twin, vat0="Regel free"), "vat0") == "vat_mapping_wrong"


def test_without_rulesets_only_rows_that_name_one_are_wrong_b13() -> None:
    assert found(VatRulesets(mapping={"vat25": "home"}), "vat25") == "reference_unavailable"
    assert VatRulesets().of_new("salesTaxRuleset", "en") is None


def test_a_new_product_gets_vat25_b1() -> None:
    assert vat(HOME, FREE).of_new("salesTaxRuleset", "en") == "home"
    assert vat(HOME, FREE, vat25="free").of_new("salesTaxRuleset", "en") == "free"


def test_a_company_without_vat25_sets_the_vat_of_new_products_itself_b1() -> None:
    assert vat(FREE, NOT_HERE).of_new("salesTaxRuleset", "en") is None


def test_which_of_two_vat25_a_new_product_gets_must_be_said_b1() -> None:
    assert problem(vat(HOME, EVERYWHERE).of_new("salesTaxRuleset", "en")).code == "vat_unmapped"


def named(sandbox: SandboxServer, abbreviation: str) -> str:
    return str(
        next(each["id"] for each in sandbox.sandbox.records("salesTaxRulesets") if each["abbreviation"] == abbreviation)
    )


@pytest.mark.parametrize(
    "switches",
    [{}, {"include": "ignored"}, {"system_names": "renamed"}, {"unlisted_sort": "refused"}],
    ids=str,
)
def test_vat25_is_found_in_any_books_b13(sandbox: SandboxServer, switches: dict[str, str]) -> None:
    sandbox.sandbox.switch(**switches)
    rulesets = ask(sandbox, lambda client: read_vat_rulesets(client, {}, None))
    assert rulesets.find("vat25", "salesTaxRuleset", "en") == named(sandbox, "M")
    assert rulesets.share(named(sandbox, "M")) == Decimal("0.25")
    assert rulesets.share(named(sandbox, "F")) == 0


@pytest.mark.parametrize("forbidden", ["salesTaxRulesets", "taxRates"])
def test_vat_that_is_refused_ends_no_job_b13(sandbox: SandboxServer, forbidden: str) -> None:
    sandbox.sandbox.switch(forbidden_resource=forbidden)
    rulesets = ask(sandbox, lambda client: read_vat_rulesets(client, {}, None))
    expected = {"salesTaxRulesets": "reference_unavailable", "taxRates": "vat_unmapped"}[forbidden]
    assert found(rulesets, "vat25") == expected
    assert rulesets.of_new("salesTaxRuleset", "en") is None


def test_rules_that_cannot_be_read_are_not_taken_for_none_b13(sandbox: SandboxServer) -> None:
    sandbox.sandbox.switch(include="ignored", forbidden_resource="salesTaxRules")
    rulesets = ask(sandbox, lambda client: read_vat_rulesets(client, {}, None))
    assert rulesets.known_shares == {}


def test_a_rate_in_percent_is_understood(sandbox: SandboxServer) -> None:
    for rate in sandbox.sandbox.records("taxRates"):
        sandbox.sandbox.change("taxRates", rate["id"], rate=rate["rate"] * 100)
    rulesets = ask(sandbox, lambda client: read_vat_rulesets(client, {}, None))
    assert rulesets.share(named(sandbox, "M")) == Decimal("0.25")


# -- what is in use (rule B17) -----------------------------------------------------------------------------------------


def books(sandbox: SandboxServer, invoices: int = 2) -> tuple[list[str], list[str]]:
    """Two contacts and two products, of which the first each are on invoices."""
    contacts = sandbox.sandbox.add("contacts", [{"name": f"Kunde {n}", "countryId": "DK"} for n in range(2)])
    products = sandbox.sandbox.add("products", [{"name": f"Vare {n}"} for n in range(2)])
    line = {"productId": products[0], "quantity": 1, "unitPrice": 10}
    invoice = {"contactId": contacts[0], "entryDate": "2026-02-03", "lines": [line]}
    sandbox.sandbox.add("invoices", [invoice] * invoices)
    return contacts, products


@pytest.mark.parametrize("include", ["honoured", "ignored"])
def test_products_on_lines_are_in_use_b17(sandbox: SandboxServer, include: str) -> None:
    _, products = books(sandbox)
    sandbox.sandbox.switch(include=include)
    assert ask(sandbox, references.products_in_use) == frozenset({products[0]})


def test_lines_are_not_asked_for_one_by_one_when_they_are_many_b17(sandbox: SandboxServer) -> None:
    books(sandbox, references.MOST_LINE_LISTS + 1)
    sandbox.sandbox.switch(include="ignored")
    assert ask(sandbox, references.products_in_use) is None
    assert sandbox.sandbox.requests.select(path="/invoices")
    assert not sandbox.sandbox.requests.select(path="/invoiceLines")


@pytest.mark.parametrize("forbidden", ["invoices", "invoiceLines"])
def test_products_may_be_in_use_where_nobody_tells_b17(sandbox: SandboxServer, forbidden: str) -> None:
    books(sandbox)
    sandbox.sandbox.switch(include="ignored", forbidden_resource=forbidden)
    assert ask(sandbox, references.products_in_use) is None


def test_contacts_of_invoices_are_in_use_b17(sandbox: SandboxServer) -> None:
    contacts, _ = books(sandbox)
    used = ask(sandbox, lambda client: references.contact_usage_references(client, DELETE, NOTHING, []))
    assert [contact_in_use(Contact(id=each), used) for each in contacts] == [True, False]


def test_contacts_may_be_in_use_where_nobody_tells_b17(sandbox: SandboxServer) -> None:
    contacts, _ = books(sandbox)
    sandbox.sandbox.switch(forbidden_resource="invoices")
    used = ask(sandbox, lambda client: references.contact_usage_references(client, DELETE, NOTHING, []))
    assert contact_in_use(Contact(id=contacts[1]), used)
    assert contact_in_use(Contact(id=contacts[1]), None)


def test_what_nobody_needs_is_not_read(sandbox: SandboxServer) -> None:
    ask(sandbox, lambda client: references.contact_references(client, IMPORT, frozenset({"name", "email"}), []))
    assert sandbox.sandbox.requests == []


# -- a contact's expense account ---------------------------------------------------------------------------------------


def test_a_contacts_expense_account_is_looked_up() -> None:
    resolved = resolve_contact({"name": "A", "expenseAccountNo": "1310"}, ContactReferences(CHART), IMPORT)
    assert resolved.row == {"name": "A", "expenseAccountNo": "1310", "expenseAccountId": "a1310"}
    assert resolve_contact(resolved.row, ContactReferences(CHART), IMPORT) == resolved


def test_an_unknown_expense_account_rejects_the_contact() -> None:
    resolved = resolve_contact({"name": "A", "expenseAccountNo": "9"}, ContactReferences(CHART), IMPORT)
    assert [each.code for each in resolved.problems] == ["account_unknown"]


def test_a_delete_asks_for_no_expense_account() -> None:
    row = {"id": "c1", "expenseAccountNo": "9"}
    assert resolve_contact(row, ContactReferences(CHART), DELETE).problems == ()


# -- children that come with their records -----------------------------------------------------------------------------


def lines_of(records: dict[str, Any], *roots: dict[str, Any]) -> dict[str, list[Any]]:
    found = references.embedded(records, list(roots), relation="lines", plural="invoiceLines", parent="invoiceId")
    return {record_id: [line["id"] for line in lines] for record_id, lines in found.items()}


def test_embedded_children_are_those_of_their_record() -> None:
    assert lines_of({"i": {"lines": [{"id": "a"}]}, "k": {"lines": []}}) == {"i": ["a"], "k": []}


def test_side_loaded_children_are_sorted_to_their_records() -> None:
    """Beside the records, on whichever page; the key of their ids differs between sources, so it is not looked at."""
    pages = [{"invoiceLines": [{"id": "a", "invoiceId": "i"}]}, {"invoiceLines": [{"id": "b", "invoiceId": "i"}]}]
    assert lines_of({"i": {"lineIds": ["a", "b"]}, "k": {}}, *pages) == {"i": ["a", "b"], "k": []}


def test_children_that_nobody_brought_are_unknown_not_none() -> None:
    assert lines_of({"i": {}, "k": {"lines": ["a"]}}, {"invoices": []}) == {}
