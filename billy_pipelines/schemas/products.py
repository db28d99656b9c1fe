"""Products: what stands in the files of a price list or register of goods."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import pandas as pd

from billy_pipelines.billy.models import Product
from billy_pipelines.schemas import product_meaning as meaning
from billy_pipelines.schemas import product_requests as requests
from billy_pipelines.schemas.cleaning import comparable_column
from billy_pipelines.schemas.price_basis import PRICE_HEADERS, TAX_MODE, stated_tax_mode, tax_modes
from billy_pipelines.schemas.product_export import PRODUCTS_EXPORT
from billy_pipelines.schemas.product_undo import PRODUCTS_UNDO
from billy_pipelines.schemas.profiles import PROFILES
from billy_pipelines.schemas.resource import Resource
from billy_pipelines.schemas.row_schema import Column, Context, Kind, Report, RowSchema, UniqueKey
from billy_pipelines.schemas.shared_rules import Objects, only_digits, rewrite_list

PRICES_EXAMPLE = '[{"currencyId": "EUR", "unitPrice": 17}]'

RULESETS = {
    "vat25": (
        *("25", "25 pct", "25.0", "25,0", "25.00", "25,00", "0.25", "0,25", "u25", "moms", "med moms", "dansk moms"),
        *("salgsmoms", "momspligtig", "standard", "vat", "danish vat", "taxable", "true", "sand", "ja", "yes"),
    ),
    "vat0": (
        *("0", "0 pct", "0.0", "0,0", "0.00", "0,00", "momsfri", "momsfrit", "momsfritaget", "uden moms", "ingen moms"),
        *("ingen", "none", "no vat", "vat free", "vat exempt", "exempt", "zero", "zero rate"),
        *("false", "falsk", "nej", "no"),
    ),
    "abroad": ("udland", "udlandet", "udenlandsk", "eksport", "export", "foreign", "eu", "udenfor eu", "outside eu"),
}
"""Ruleset -> how files write it. Which of Billy's own vat0 and abroad are is mapped per organization (rule B13)."""

COLUMNS = (
    Column(
        "name",
        "Name of the product.",
        (
            "navn",
            "varenavn",
            "produktnavn",
            "produkt",
            "vare",
            "titel",
            "title",
            "betegnelse",
            "varebetegnelse",
            "product",
            "product name",
            "product title",
            "item",
            "item name",
        ),
        required=True,
        may_clear=False,
        examples=("Blå prøvevare", "Konsulenttime"),
        danish="Varenavn",
        description_da="Varens navn.",
    ),
    Column(
        "description",
        "Text that invoice lines begin with.",
        ("beskrivelse", "varebeskrivelse", "produktbeskrivelse", "varetekst", "tekst", "product description", "text"),
        examples=("Blå, 10 cm", ""),
        danish="Beskrivelse",
        description_da="Tekst, som fakturalinjer begynder med.",
    ),
    Column(
        "productNo",
        "Your own product number, as text.",
        (
            "varenr",
            "varenummer",
            "produktnr",
            "produktnummer",
            "artikelnr",
            "artikelnummer",
            "sku",
            "item no",
            "item number",
            "product number",
            "article number",
        ),
        may_clear=False,
        examples=("0042", "1001"),
        danish="Varenr.",
        description_da="Jeres eget varenummer, som tekst.",
    ),
    Column(
        "suppliersProductNo",
        "The supplier's number for it.",
        (
            "leverandørens varenr",
            "leverandørens varenummer",
            "leverandør varenr",
            "leverandørvarenummer",
            "lev varenr",
            "supplier product no",
            "supplier product number",
            "suppliers product number",
            "supplier sku",
            "supplier item number",
        ),
        danish="Leverandørens varenr.",
        description_da="Leverandørens nummer for varen.",
    ),
    Column(
        "accountNo",
        "Number of the revenue account its sales are booked on.",
        (
            "konto",
            "kontonr",
            "kontonummer",
            "omsætningskonto",
            "salgskonto",
            "indtægtskonto",
            "account",
            "account number",
            "revenue account",
            "sales account",
        ),
        may_clear=False,
        examples=("1110", ""),
        danish="Konto",
        description_da="Nummeret på den omsætningskonto, salget bogføres på.",
    ),
    Column(
        "unitPrice",
        "Price of one, above 0; without VAT unless taxMode or the option prices_include_vat says otherwise.",
        (*PRICE_HEADERS, "varepris"),
        may_clear=False,
        examples=("125.50", "950"),
        kind=Kind.PRICE,
        danish="Salgspris",
        description_da="Prisen for én, over 0; uden moms, medmindre Prisgrundlag eller indstillingen "
        "prices_include_vat siger andet.",
    ),
    Column(
        "currency",
        "Currency of the price; DKK for a new product when blank.",
        ("valuta", "valutakode", "currency code", "price currency"),
        may_clear=False,
        examples=("DKK", ""),
        kind=Kind.CURRENCY,
        danish="Valuta",
        description_da="Prisens valuta; DKK for en ny vare, når feltet er tomt.",
    ),
    TAX_MODE,
    Column(
        "salesTaxRuleset",
        "VAT on sales: vat25, vat0 or abroad; vat25 for a new product when blank.",
        (
            "momssats",
            "moms",
            "moms %",
            "momsprocent",
            "momskode",
            "momstype",
            "momsregel",
            "vat",
            "vat rate",
            "vat code",
            "tax",
            "tax rate",
        ),
        may_clear=False,
        examples=("vat25", ""),
        kind=Kind.CHOICE,
        danish="Momssats",
        description_da="Moms af salget: vat25 (25 %), vat0 (momsfri) eller abroad (udland); vat25 for en ny vare, når "
        "feltet er tomt.",
        choices=RULESETS,
        danish_examples=("25 %", ""),
    ),
    Column(
        "isArchived",
        "Whether the product is archived; false for a new one when blank.",
        ("spærret", "arkiveret", "udgået", "inaktiv", "archived", "blocked", "inactive", "discontinued"),
        may_clear=False,
        examples=("false", ""),
        kind=Kind.BOOLEAN,
        danish="Spærret",
        description_da="Om varen er arkiveret; nej for en ny, når feltet er tomt.",
        danish_examples=("nej", ""),
    ),
    Column(
        "prices",
        "Further prices, one per currency, as JSON.",
        ("priser", "price list"),
        may_clear=False,
        examples=(PRICES_EXAMPLE, ""),
        kind=Kind.LIST,
        danish="Priser",
        description_da="Flere priser, én pr. valuta, som JSON.",
    ),
    Column(
        "id",
        "Billy's id of an existing product.",
        ("billy id",),
        may_clear=False,
        danish="Billy id",
        description_da="Billys id for en vare, der findes.",
    ),
)

NO_SALES_PRICE = "is not what it is sold for; only a sales price becomes unitPrice"
NEVER_USED = {
    **dict.fromkeys(("kostpris", "cost price", "cost", "indkøbspris", "purchase price"), f"a cost {NO_SALES_PRICE}"),
    **dict.fromkeys(("nettopris", "net price"), f"what a supplier charges {NO_SALES_PRICE}"),
    **dict.fromkeys(("vejl pris", "vejledende pris", "retail price", "rrp"), f"a recommended price {NO_SALES_PRICE}"),
    **dict.fromkeys(("lager", "lagerbeholdning", "beholdning", "stock", "inventory"), "stock is not kept through here"),
    **dict.fromkeys(("stregkode", "barcode"), "Billy has no barcode, and a barcode is no product number"),
    **dict.fromkeys(("enhed", "unit", "måleenhed"), "Billy's API describes no unit"),
}
"""Columns of goods that are never used, whatever they are called nearly like."""


def check_account(cleaned: pd.DataFrame, _: Context, report: Report) -> None:
    """Rule: the account is given by its number."""
    only_digits(cleaned, "accountNo", report)


def check_prices(cleaned: pd.DataFrame, _: Context, report: Report) -> None:
    """Rule: `prices` has one price above 0 per currency, that of unitPrice included; nothing else goes on."""

    def known(position: int, objects: Objects) -> Objects:
        own = _own_price(cleaned, position)
        seen = {own[0]: own[1]} if own else {}
        kept: Objects = []
        for one in objects:
            currency = str(one.get("currencyId") or one.get("currency") or "").strip().upper()
            price = _number(one.get("unitPrice"))
            if len(currency) != 3 or price is None or price <= 0:
                raise ValueError(PRICES_EXAMPLE)
            if seen.setdefault(currency, price) != price or any(one["currencyId"] == currency for one in kept):
                report(position, "two_prices", "prices", currency=currency)
            kept.append({"currencyId": currency, "unitPrice": str(price)})
        return kept

    rewrite_list(cleaned, "prices", known, report)


def _own_price(cleaned: pd.DataFrame, position: int) -> tuple[str, Decimal] | None:
    """Currency and price of the row's own columns."""
    price = _number(cleaned.at[position, "unitPrice"]) if "unitPrice" in cleaned else None
    currency = str(cleaned.at[position, "currency"]) if "currency" in cleaned else ""
    return None if price is None else (currency or "DKK", price)


def _number(value: object) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and not isinstance(value, bool) else None


def state_price_basis(cleaned: pd.DataFrame, context: Context, report: Report) -> None:
    """Rule: a price that includes VAT says so in `taxMode`; where only a person can know, the option must say it (B14).

    Nothing is converted here: by how much depends on the product's VAT, which for a product that exists Billy knows.
    """
    if "unitPrice" not in cleaned:
        return
    stated, modes = stated_tax_mode(context), tax_modes(cleaned)
    unsaid = (cleaned["unitPrice"] != "") & (modes == "")
    if stated == "ask":
        for position in cleaned.index[unsaid]:
            report(int(position), "price_basis_unknown", "unitPrice")
    elif stated == "incl":
        cleaned["taxMode"] = modes.mask(unsaid, "incl")


PRODUCTS_SCHEMA = RowSchema(
    name="products",
    singular="product",
    columns=COLUMNS,
    rules=(check_account, check_prices, state_price_basis),
    unique=(
        UniqueKey(("id",), lambda cleaned: cleaned["id"]),
        UniqueKey(("productNo",), lambda cleaned: comparable_column(cleaned["productNo"])),
    ),
    profiles=PROFILES.get("products", ()),
    ignored=NEVER_USED,
)

PRODUCTS = Resource[Product](
    schema=PRODUCTS_SCHEMA,
    endpoint="products",
    endpoint_singular="product",
    family="products",
    operations=("import", "update", "delete"),
    match_keys=meaning.MATCH_KEYS,
    read_all=requests.read_all_products,
    read_one=requests.read_one_product,
    is_archived=lambda record: bool(record.isArchived),
    contradictions=meaning.contradictions,
    differences=meaning.differences,
    is_complete=meaning.is_complete,
    update_obstacle=meaning.update_obstacle,
    create_body=meaning.create_body,
    as_record=meaning.row_as_product,
    created_record=requests.created_product,
    write_update=requests.write_product_update,
    label=meaning.label,
    load_references=requests.product_references,
    resolve=meaning.resolve,
    in_use=meaning.in_use,
    writable=meaning.WRITABLE,
    by_hand=(("description",), ("suppliersProductNo",)),
    known_by=("productNo", "suppliersProductNo"),
    is_rounded=meaning.is_rounded_price,
    export=PRODUCTS_EXPORT,
    undo=PRODUCTS_UNDO,
)
