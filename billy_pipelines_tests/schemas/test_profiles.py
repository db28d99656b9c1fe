"""The exports of known programs: small files as those programs write them, and what their rows say here."""

from __future__ import annotations

from typing import Any

import pytest

from billy_pipelines.bulk.reading import Upload, check_rows
from billy_pipelines.files.columns import Fields
from billy_pipelines.files.compound import COMBINED
from billy_pipelines.files.headers import HeaderMap, folded
from billy_pipelines.files.recognition import profile_for
from billy_pipelines.files.table import UnreadableFile
from billy_pipelines.schemas.profiles import PROFILES
from billy_pipelines.schemas.reading_options import ReadingOptions
from billy_pipelines.schemas.registry import SCHEMAS
from billy_pipelines.schemas.row_schema import Profile, RowSchema
from billy_pipelines_tests.files.in_memory import rows_of, table_of, understood

CASES = [(schema, profile) for schema in SCHEMAS.values() for profile in schema.profiles]


def read(resource: str, header: str, *lines: str, **said: Any) -> tuple[HeaderMap, Fields, list[dict[str, str]]]:
    headers, fields = understood(table_of(header, *lines), SCHEMAS[resource], **said)
    return headers, fields, rows_of(fields)


@pytest.mark.parametrize("resource", ["customers", "contacts"])
def test_our_own_export(resource: str) -> None:
    headers, _, found = read(
        resource,
        "id;name;email;phone;address;city;zipcode;country;vatNo",
        "abc;Æblehaven Prøve ApS;faktura@aeblehaven.example;;Prøvevej 1;Ry;0800;DK;99000007",
    )
    assert headers.title == "Billy Pipelines export"
    assert found == [
        {"id": "abc", "name": "Æblehaven Prøve ApS", "email": "faktura@aeblehaven.example", "address": "Prøvevej 1"}
        | {"city": "Ry", "zipcode": "0800", "country": "DK", "vatNo": "99000007"}
    ]


def test_economic_customers() -> None:
    headers, _, found = read(
        "contacts",
        "Kundenr.;Navn;Gruppe;Adresse;Postnr.;By;Land;CVR-nr.;EAN-nr.;E-mail;Telefon;Betalingsbetingelse;Valuta;Momszone;Spærret",
        "17;Prøve ApS;1;Åvej 2;8000;Aarhus C;Danmark;99000007;;post@proeve.example;;Netto 8 dage;DKK;1;nej",
    )
    assert headers.profile == "economic_customers"
    assert found == [
        {"contactNo": "17", "name": "Prøve ApS", "address": "Åvej 2", "zipcode": "8000", "city": "Aarhus C"}
        | {"country": "Danmark", "vatNo": "99000007", "email": "post@proeve.example"}
        | {"paymentTerms": "Netto 8 dage", "isArchived": "nej"}
    ]
    assert list(headers.ignored) == ["Gruppe", "Valuta", "Momszone"]
    assert headers.unknown == {}


def test_economic_customers_are_customers_too() -> None:
    headers, _, found = read("customers", "Kundenr.;Navn;Gruppe;Momszone;Spærret;Betalingsbetingelse", "17;A;1;1;nej;")
    assert found == [{"contactNo": "17", "name": "A", "isArchived": "nej"}]
    assert list(headers.ignored) == ["Gruppe", "Momszone"]


def test_rackbeat_customers() -> None:
    headers, _, found = read(
        "customers",
        "Kundenr;Navn;Gruppe;Adresse1;Adresse2;Postnummer;By;Land;momszone",
        "17;Prøve ApS;1;Åvej 2;Baghuset;8000;Aarhus C;DK;4",
    )
    assert headers.profile == "rackbeat_customers"
    assert found == [
        {"contactNo": "17", "name": "Prøve ApS", "address": "Åvej 2 Baghuset", "zipcode": "8000", "city": "Aarhus C"}
        | {"country": "DK"}
    ]


def test_uniconta_debtors_konto_is_the_customer_number() -> None:
    headers, _, found = read(
        "contacts",
        "Konto;CVR-nr.;Kontonavn;Adresse 1;Adresse 2;Adresse 3;Postnummer;Bynavn;Land;Sprog;Telefon;Kontaktperson",
        "17;99000007;Prøve ApS;Åvej 2;;2. th.;8000;Aarhus C;Danmark;Dansk;;Anna Prøvesen",
    )
    assert headers.profile == "uniconta_debtors"
    assert found == [
        {"contactNo": "17", "vatNo": "99000007", "name": "Prøve ApS", "address": "Åvej 2 2. th.", "zipcode": "8000"}
        | {"city": "Aarhus C", "country": "Danmark", "language": "Dansk", "contactPerson": "Anna Prøvesen"}
    ]


def test_konto_is_a_ledger_account_among_products() -> None:
    headers, _, _ = read("products", "Varenr.;Varenavn;Konto;Pris", "1;A;1110;10")
    assert headers.fields["accountNo"] == "Konto"
    assert headers.profile == ""


def test_c5_customers_have_postcode_and_town_in_one_column() -> None:
    headers, _, found = read(
        "contacts",
        "Konto;Navn;Adresse;Post/By;Kundegruppe;Betalingsbetingelse;MomsZone",
        "17;Søren Prøvesen;Åvej 2;DK-8000 Aarhus C;1;Netto 30;1",
    )
    assert headers.profile == "c5_customers"
    assert found == [
        {"contactNo": "17", "name": "Søren Prøvesen", "address": "Åvej 2", "zipcode": "8000", "city": "Aarhus C"}
        | {"paymentTerms": "Netto 30"}
    ]
    assert headers.column_of("city") == "Post/By"


def test_dinero_contacts() -> None:
    headers, _, found = read(
        "customers",
        "Navn;Att.;Adresse;Postnr.;By;Land;Telefon;E-mail;CVR-nr.;EAN-nr.",
        "Prøve ApS;Anna Prøvesen;Åvej 2;8000;Aarhus C;DK;;post@proeve.example;99000007;",
    )
    assert headers.profile == "dinero_contacts"
    assert found == [
        {"name": "Prøve ApS", "contactPerson": "Anna Prøvesen", "address": "Åvej 2", "zipcode": "8000"}
        | {"city": "Aarhus C", "country": "DK", "email": "post@proeve.example", "vatNo": "99000007"}
    ]


def test_crm_customers_keep_private_notes_out() -> None:
    headers, _, found = read(
        "customers",
        "Firmanavn;Kundenummer;CVR nummer;Adresse;Postnummer;By;Land;Faktureringsmail;Telefon;Webside;Noter",
        "Prøve ApS;17;99000007;Åvej 2;8000;Aarhus C;DK;faktura@proeve.example;;proeve.example;Betaler sent",
    )
    assert headers.profile == "crm_customers"
    assert found == [
        {"name": "Prøve ApS", "contactNo": "17", "vatNo": "99000007", "address": "Åvej 2", "zipcode": "8000"}
        | {"city": "Aarhus C", "country": "DK", "invoiceEmail": "faktura@proeve.example"}
    ]
    assert headers.ignored["Noter"] == "not used in Effihub or CRM customers"


SHOPIFY_CUSTOMER = (
    "First Name;Last Name;Email;Accepts Email Marketing;Company;Address1;Address2;City;Province;Province Code;Country;"
    "Country Code;Zip;Phone;Total Spent;Total Orders;Tags;Note;Tax Exempt"
)
SHOPIFY_CUSTOMER_2024 = (
    "Customer ID;First Name;Last Name;Email;Accepts Email Marketing;Default Address Company;Default Address Address1;"
    "Default Address Address2;Default Address City;Default Address Province Code;Default Address Country Code;"
    "Default Address Zip;Default Address Phone;Phone;Accepts SMS Marketing;Total Spent;Total Orders;Note;"
    "Tax Exempt;Tags"
)


def test_shopify_customers_are_companies_or_persons() -> None:
    headers, _, found = read(
        "customers",
        SHOPIFY_CUSTOMER,
        "Anna;Prøvesen;anna@proeve.example;no;Prøve ApS;Åvej 2;Baghus;Aarhus;;;Denmark;DK;'8000;'+4500000000;9.00;1;;;",
        "Søren;Prøvesen;soeren@proeve.example;no;;Åvej 3;;Ry;;;Denmark;DK;'8680;;0.00;0;vip;ringer ofte;",
    )
    assert headers.profile == "shopify_customers"
    assert found == [
        {"name": "Prøve ApS", "contactPerson": "Anna Prøvesen", "email": "anna@proeve.example"}
        | {
            "address": "Åvej 2 Baghus",
            "city": "Aarhus",
            "country": "DK",
            "zipcode": "'8000",
            "phone": "'+4500000000",
        },
        {"name": "Søren Prøvesen", "email": "soeren@proeve.example", "address": "Åvej 3", "city": "Ry"}
        | {"country": "DK", "zipcode": "'8680"},
    ]
    assert headers.ignored["Country"] == "country is taken from the column 'Country Code'"
    assert headers.unknown == {}


def test_shopify_customers_with_the_names_of_today() -> None:
    headers, _, found = read(
        "customers",
        SHOPIFY_CUSTOMER_2024,
        "7;Søren;Prøvesen;soeren@proeve.example;no;;Åvej 3;;Ry;;DK;8680;+45 1;+45 2;no;0.00;0;;no;",
    )
    assert headers.profile == "shopify_customers"
    assert found == [
        {"name": "Søren Prøvesen", "email": "soeren@proeve.example", "address": "Åvej 3", "city": "Ry"}
        | {"country": "DK", "zipcode": "8680", "phone": "+45 2"}
    ]
    assert headers.unknown == {}


def test_shopify_customers_without_a_company_column_are_persons() -> None:
    _, _, found = read("customers", "First Name;Last Name;Email;Total Spent", "Søren;Prøvesen;;0.00")
    assert found == [{"name": "Søren Prøvesen"}]


def test_outlook_contacts_in_english() -> None:
    headers, _, found = read(
        "customers",
        "Title;First Name;Middle Name;Last Name;Company;Business Street;Business Street 2;Business City;"
        "Business Postal Code;Business Country/Region;Home Street;Business Phone;Mobile Phone;E-mail Address;Notes",
        ";Anna;M.;Prøvesen;Prøve ApS;Åvej 2;;Aarhus C;8000;Danmark;Hjemvej 1;;+45 2;anna@proeve.example;privat",
    )
    assert headers.profile == "outlook_contacts"
    assert found == [
        {"name": "Prøve ApS", "contactPerson": "Anna M. Prøvesen", "email": "anna@proeve.example"}
        | {"address": "Åvej 2", "city": "Aarhus C", "zipcode": "8000", "country": "Danmark"}
    ]
    assert "Home Street" in headers.unknown


def test_outlook_contacts_in_danish() -> None:
    headers, _, found = read(
        "customers",
        "Titel;Fornavn;Efternavn;Firma;Gade (arb.);By (arb.);Postnummer (arb.);Telefon (arb.);Mobiltelefon;"
        "E-mail-adresse",
        "Fru;Anna;Prøvesen;;Åvej 2;Aarhus C;8000;+45 1;+45 2;anna@proeve.example",
    )
    assert headers.profile == "outlook_contacts_da"
    assert found == [
        {"name": "Anna Prøvesen", "email": "anna@proeve.example", "phone": "+45 1", "address": "Åvej 2"}
        | {"city": "Aarhus C", "zipcode": "8000"}
    ]


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        ("google_contacts", "First Name;Middle Name;Last Name;Birthday;Organization Name"),
        ("google_contacts_old", "Given Name;Additional Name;Family Name;Birthday;Organization 1 - Name;Name"),
    ],
)
def test_google_contacts(profile: str, names: str) -> None:
    headers, _, found = read(
        "customers",
        "E-mail 1 - Value;E-mail 2 - Value;Phone 1 - Value;Address 1 - Street;Address 1 - City;"
        f"Address 1 - Postal Code;Address 1 - Country;Notes;{names}",
        "anna@proeve.example;x@proeve.example;+45 1;Åvej 2;Aarhus C;8000;Danmark;;Anna;;Prøvesen;1990-01-01;Prøve ApS"
        + ";Anna Prøvesen" * names.endswith(";Name"),
    )
    assert headers.profile == profile
    assert found == [
        {"email": "anna@proeve.example", "phone": "+45 1", "address": "Åvej 2", "city": "Aarhus C"}
        | {"zipcode": "8000", "country": "Danmark", "name": "Prøve ApS", "contactPerson": "Anna Prøvesen"}
    ]


def test_economic_products_only_the_sales_price_is_a_price() -> None:
    headers, fields, found = read(
        "products",
        "Varenr.;Navn;Varegruppe;Salgspris;Kostpris;Vejl. pris;Enhed;Stregkode;Spærret",
        "0042;Blå prøvevare;1;1.250,00;800,00;1.500,00;stk.;5790000000005;Nej",
    )
    assert headers.profile == "economic_products"
    assert found == [{"productNo": "0042", "name": "Blå prøvevare", "unitPrice": "1.250,00", "isArchived": "Nej"}]
    assert fields.decimal_fallback == "comma"
    assert fields.prices_include_vat == "unknown"


def test_shopify_products_variants_have_the_title_above_and_pictures_are_no_products() -> None:
    headers, fields, found = read(
        "products",
        "Handle;Title;Body (HTML);Vendor;Option1 Value;Variant SKU;Variant Price;Variant Taxable;Variant Barcode;"
        "Status",
        "kop;Kop;<p>En kop</p>;Prøve;Blå;KOP-B;199.00;true;;active",
        "kop;;;;Rød;KOP-R;219.00;true;;",
        "kop;;;;;;;;;",
        "bog;Bog;;Prøve;Default Title;BOG;99.95;false;;draft",
    )
    assert headers.profile == "shopify_products"
    assert [(row["name"], row.get("productNo"), row.get("unitPrice")) for row in found] == [
        ("Kop", "KOP-B", "199.00"),
        ("Kop", "KOP-R", "219.00"),
        ("Kop", None, None),
        ("Bog", "BOG", "99.95"),
    ]
    assert [row.get("salesTaxRuleset") for row in found] == ["true", "true", None, "false"]
    assert fields.excluded == {2: ("Variant Price", "")}
    assert (fields.decimal_fallback, fields.prices_include_vat) == ("point", "ask")


@pytest.mark.parametrize(
    ("profile", "header"),
    [
        (
            "woocommerce_products",
            "ID;Type;SKU;Name;Published;Description;Tax status;Tax class;Regular price;Sale price",
        ),
        (
            "woocommerce_products_da",
            "ID;Type;Varenummer (SKU);Navn;Udgivet;Beskrivelse;Momsstatus;Momsklasse;Normalpris;Tilbudspris",
        ),
    ],
)
def test_woocommerce_products_have_ids_that_are_not_billys(profile: str, header: str) -> None:
    headers, fields, found = read(
        "products",
        header,
        "12;simple;KOP;Kop;1;<p>En kop</p>;taxable;;199;149",
        "13;variable;BLUSE;Bluse;1;;taxable;;;",
        "14;variation;BLUSE-S;Bluse - S;1;;taxable;parent;299;",
    )
    assert headers.profile == profile
    assert found[0] == {"productNo": "KOP", "name": "Kop", "salesTaxRuleset": "taxable", "unitPrice": "199"}
    assert "id" not in fields.cells
    assert fields.excluded == {1: ("Type", "variable")}
    assert (fields.decimal_fallback, fields.prices_include_vat) == ("", "ask")


def test_dandomain_prices() -> None:
    header = "PRICE_PROD_NUM;CURRENCY_CODE;PRICE_B2B_ID;AMOUNT;UNIT_PRICE;PROD_NAME;PROD_COST_PRICE;PROD_RETAIL_PRICE"
    headers, fields, found = read("products", header, "0042;DKK;0;1;125,50;Kop;50,00;150,00")
    assert headers.profile == "dandomain_prices"
    assert found == [{"productNo": "0042", "currency": "DKK", "unitPrice": "125,50", "name": "Kop"}]
    assert (fields.decimal_fallback, fields.prices_include_vat) == ("comma", "ask")


def test_shopify_orders_are_invoices_with_their_order_number_as_key() -> None:
    headers, fields, found = read(
        "invoices",
        "Name;Email;Financial Status;Paid at;Currency;Subtotal;Shipping;Taxes;Total;Discount Code;Discount Amount;"
        "Created at;Lineitem quantity;Lineitem name;Lineitem price;Lineitem sku;Billing Name;Billing Zip;"
        "Billing Company;Lineitem discount;Id",
        "#1001;a@proeve.example;paid;2025-10-07;DKK;300.00;0.00;60.00;300.00;;0.00;2025-10-07 09:50:26 +0200;2;Kop;"
        "100.00;KOP;Anna Prøvesen;'75008;Prøve ApS;0.00;5550000001",
        "#1001;a@proeve.example;;;;;;;;;;2025-10-07 09:50:26 +0200;1;Bog;100.00;BOG;;;;10.00;",
        "#1002;b@proeve.example;paid;2025-10-08;EUR;10.00;0.00;2.00;10.00;;0.00;2025-10-08 09:50:26 +0200;1;Kop;10.00;"
        "KOP;Søren Prøvesen;;;0.00;5550000002",
    )
    assert headers.title == "Shopify orders"
    order = {"invoice": "#1001", "contactEmail": "a@proeve.example", "currency": "DKK", "contactName": "Prøve ApS"}
    order |= {"attention": "Anna Prøvesen", "externalId": "5550000001", "entryDate": "2025-10-07 09:50:26 +0200"}
    assert found == [
        order
        | {"taxControl": "60.00", "totalControl": "300.00", "quantity": "2", "productName": "Kop"}
        | {"unitPrice": "100.00", "productNo": "KOP", "discountAmount": "0.00"},
        order
        | {"quantity": "1", "productName": "Bog", "unitPrice": "100.00", "productNo": "BOG", "discountAmount": "10.00"},
        {"invoice": "#1002", "contactEmail": "b@proeve.example", "currency": "EUR", "contactName": "Søren Prøvesen"}
        | {"externalId": "5550000002", "entryDate": "2025-10-08 09:50:26 +0200", "taxControl": "2.00"}
        | {"totalControl": "10.00", "quantity": "1", "productName": "Kop", "unitPrice": "10.00", "productNo": "KOP"}
        | {"discountAmount": "0.00"},
    ]
    assert (fields.decimal_fallback, fields.prices_include_vat, fields.excluded) == ("point", "ask", {})
    assert headers.unknown == {"Billing Zip": ""}


def test_shopify_orders_without_companies_are_of_the_buyer() -> None:
    headers, _, found = read(
        "invoices",
        "Name;Financial Status;Created at;Lineitem quantity;Lineitem price;Billing Name",
        "#1;paid;2025-10-07;1;10.00;Anna Prøvesen",
    )
    assert found[0]["contactName"] == "Anna Prøvesen"
    assert headers.column_of("contactName") == "Billing Name"


def test_partly_refunded_shopify_orders_are_left_out() -> None:
    _, fields, _ = read(
        "invoices",
        "Name;Financial Status;Created at;Lineitem quantity;Lineitem price",
        "#1;partially_refunded;2025-10-07;1;10.00",
        "#2;pending;2025-10-07;1;10.00",
    )
    assert fields.excluded == {0: ("Financial Status", "partially_refunded")}


def test_woocommerce_orders_keep_their_lines_in_one_cell_and_are_refused_by_what_is_missing() -> None:
    header = (
        "order_id;date;order_status;billing_first_name;billing_last_name;billing_company;billing_postcode;billing_country;"
        "order_total;order_item_1"
    )
    headers, fields, found = read(
        "invoices", header, "17;5/31/2016 0:37;completed;Anna;Prøvesen;;8000;DK;125.00;name:Kop|quantity:1|total:125"
    )
    assert headers.profile == "woocommerce_orders"
    assert found == [
        {"invoice": "17", "entryDate": "5/31/2016 0:37", "contactName": "Anna Prøvesen", "totalControl": "125.00"}
    ]
    assert list(headers.unknown) == ["order_item_1"]
    assert (fields.date_order_fallback, fields.prices_include_vat) == ("month_first", "ask")


def test_smartweb_orders_product_amount_is_a_quantity() -> None:
    headers, fields, found = read(
        "invoices",
        "ORDER_ID;ORDER_DATE;ORDER_CURRENCY;ORDER_VAT;ORDER_TOTAL;PRODUCT_NUMBER;PRODUCT_TITLE1;PRODUCT_TITLE2;PRODUCT_TITLE3;"
        "PRODUCT_AMOUNT;PRODUCT_PRICE;PRODUCT_DISCOUNT;DELIVERY_PRICE;PAYMENT_PRICE",
        "17;2026-04-01;DKK;25;250;KOP;Kop;Blå;;2;125;0;0;0",
    )
    assert headers.profile == "smartweb_orders"
    assert found == [
        {"invoice": "17", "entryDate": "2026-04-01", "currency": "DKK", "totalControl": "250", "productNo": "KOP"}
        | {"productName": "Kop Blå", "quantity": "2", "unitPrice": "125"}
    ]
    assert fields.prices_include_vat == "ask"


def test_a_journals_invoice_list_has_totals_and_no_lines() -> None:
    headers, fields, found = read(
        "invoices",
        "Debitor;Momskode;konto;Kunde nummer;Faktura;Fakturadato;Navn;Fakturabeløb;Valuta",
        "Debitor;U25;1010;17;5001;29-06-2017;Prøve ApS;2.061,25;dkk",
    )
    assert headers.profile == "journal_invoices"
    assert found == [
        {"contactNo": "17", "invoice": "5001", "entryDate": "29-06-2017", "contactName": "Prøve ApS"}
        | {"totalControl": "2.061,25", "currency": "dkk"}
    ]
    assert (fields.decimal_fallback, fields.date_order_fallback) == ("comma", "day_first")


def test_a_time_system_does_not_say_the_invoices_date() -> None:
    header = "Kundenr;Sag;Dato;Medarbejder;Varenr;Tekst;Antal;Enhedspris"
    line = "17;S-1;30-03-2026;AP;TIME;Opsætning;1,5;950,00"
    with pytest.raises(UnreadableFile, match="no column entryDate") as caught:
        read("invoices", header, line)
    assert caught.value.code == "missing_column"
    headers, _, found = read("invoices", header, line, set={"entryDate": "2026-04-01"})
    assert headers.profile == "time_system"
    assert found == [
        {"contactNo": "17", "invoice": "S-1", "productNo": "TIME", "description": "Opsætning", "quantity": "1,5"}
        | {"unitPrice": "950,00", "entryDate": "2026-04-01"}
    ]


def cleaned(resource: str, header: str, *lines: str, **said: Any) -> tuple[list[dict[str, Any] | None], list[set[str]]]:
    """Rows as validation leaves them, and the codes of each, warnings among them."""
    options = ReadingOptions(**said)
    table = table_of(header, *lines)
    headers, fields = understood(table, SCHEMAS[resource], **said)
    checked = check_rows(Upload(table, headers, fields, {}), SCHEMAS[resource], options)
    found = [{problem.code for problem in checked.validated.problems.get(at, [])} for at in range(len(lines))]
    return list(checked.validated.rows), found


ECONOMIC = "Varenr.;Navn;Varegruppe;Salgspris"


def prices(*written: str, **said: Any) -> list[str | None]:
    rows, _ = cleaned("products", ECONOMIC, *(f"{n};Vare {n};1;{price}" for n, price in enumerate(written)), **said)
    return [row["unitPrice"] if row else None for row in rows]


def test_a_column_that_shows_its_decimal_sign_is_read_so_whatever_the_program_usually_writes() -> None:
    assert prices("12.50", "1.250", "99.995") == ["12.5", "1.25", "99.995"]
    assert prices("12,50", "1.250", "99.995") == ["12.5", "1250", "99995"]


def test_a_column_that_leaves_its_decimal_sign_open_is_read_as_the_program_usually_writes() -> None:
    assert prices("1.250", "99.995") == ["1250", "99995"]
    assert prices("1.250", "99.995", decimal="point") == ["1.25", "99.995"]
    assert prices("1.250", "99.995", profile="none") == [None, None]


def test_a_column_that_contradicts_itself_is_refused_in_spite_of_the_program() -> None:
    assert prices("12.50", "12,50", "1.250") == [None, None, None]
    assert prices("1.250", "fri", "2.500") == ["1250", None, "2500"]  # no number at all contradicts nothing


WOO = "order_id;date;billing_first_name;billing_last_name;order_total;product_no;quantity;unit_price"


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        (["03-04-2026"], ["2026-04-03"]),
        (["03/04/2026"], ["2026-03-04"]),
        (["03/04/2026", "13/04/2026"], ["2026-04-03", "2026-04-13"]),
        (["3/4/2026 0:37", "2026-05-01"], ["2026-03-04", "2026-05-01"]),
    ],
)
def test_woocommerce_dates_are_month_first_only_where_nothing_else_can_be_seen(
    written: list[str], read_as: list[str]
) -> None:
    lines = (f"{number};{date};Anna;Prøvesen;;K;1;10" for number, date in enumerate(written))
    rows, _ = cleaned("invoices", WOO, *lines, prices_include_vat=True)
    assert [row and row["entryDate"] for row in rows] == read_as


@pytest.mark.parametrize(
    ("status", "is_out"),
    [
        *((status, True) for status in ("wc-cancelled", "wc-refunded", "wc-failed", "Annulleret", "refunderet")),
        *((status, True) for status in ("Mislykket", "refunded")),
        *((status, False) for status in ("wc-completed", "Gennemført", "completed", "")),
    ],
)
def test_woocommerce_orders_that_were_not_sold_are_left_out(status: str, is_out: bool) -> None:
    line = "17;2026-04-01;Anna;Prøvesen;10;K;1;10"
    _, fields, _ = read("invoices", f"{WOO};order_status", f"{line};{status}")
    assert fields.excluded == ({0: ("order_status", status)} if is_out else {})


def test_shopify_orders_that_were_cancelled_are_left_out_with_all_their_lines() -> None:
    _, fields, _ = read(
        "invoices",
        "Name;Financial Status;Created at;Lineitem quantity;Lineitem price;Cancelled at",
        *("#1;paid;2025-10-07;1;10.00;2025-10-08 09:50:26 +0200", "#1;;;2;10.00;", "#2;paid;2025-10-07;1;10.00;"),
    )
    assert fields.excluded == dict.fromkeys([0, 1], ("Cancelled at", "2025-10-08 09:50:26 +0200"))


def test_dandomain_prices_for_quantities_and_groups_are_not_the_products_price() -> None:
    headers, fields, _ = read(
        "products",
        "PRICE_PROD_NUM;CURRENCY_CODE;PRICE_B2B_ID;AMOUNT;UNIT_PRICE;PROD_NAME",
        *("42;DKK;0;1;125,00;Kop", "42;DKK;0;10;99,00;Kop", "42;DKK;3;1;80,00;Kop", "43;DKK;;1,00;10,00;Bog"),
    )
    assert fields.excluded == {1: ("AMOUNT", "10"), 2: ("PRICE_B2B_ID", "3")}
    assert headers.ignored["AMOUNT"] == "tells which rows of DanDomain prices are left out"


SHOPIFY_PRODUCT = "Handle;Title;Variant SKU;Variant Price"


def test_a_shopify_variant_has_the_title_of_its_own_product_only() -> None:
    _, _, found = read(
        "products",
        SHOPIFY_PRODUCT,
        *("kop;Kop;KOP-B;199.00", "kop;;KOP-R;219.00", "bog;;BOG;99.95", ";;LØS;1.00", "kop;;KOP-G;199.00"),
    )
    assert [row.get("name") for row in found] == ["Kop", "Kop", None, None, None]


def test_without_the_column_that_tells_products_apart_nothing_is_inherited() -> None:
    _, _, found = read(
        "products", "Title;Variant SKU;Variant Price", "Kop;KOP-B;1.00", ";BOG;2.00", profile="shopify_products"
    )
    assert [row.get("name") for row in found] == ["Kop", None]


SMARTWEB = "ORDER_ID;ORDER_DATE;PRODUCT_NUMBER;PRODUCT_TITLE;PRODUCT_AMOUNT;PRODUCT_PRICE;CUSTOMER"
SMARTWEB_SAID: dict[str, Any] = {"prices_include_vat": True, "mapping": {"CUSTOMER": "contactNo"}}


@pytest.mark.parametrize("header", ["PRODUCT_DISCOUNT", "DELIVERY_PRICE", "PAYMENT_PRICE"])
def test_an_amount_of_smartwebs_that_would_get_lost_stops_its_order(header: str) -> None:
    lines = (
        "17;2026-04-01;KOP;Kop;2;125,00;1;0,00",
        "17;2026-04-01;BOG;Bog;1;50,00;1;39,00",
        "18;2026-04-01;A;A;1;5,00;1;",
    )
    rows, found = cleaned("invoices", f"{SMARTWEB};{header}", *lines, **SMARTWEB_SAID)
    assert rows[:2] == [None, None]
    assert rows[2] is not None
    assert found == [{"invoice_rejected"}, {"amount_not_taken"}, set()]
    _, fields, _ = read("invoices", f"{SMARTWEB};{header}", *lines, **SMARTWEB_SAID)
    assert fields.not_taken == {1: (header, "39,00")}


def test_where_smartweb_says_what_the_order_comes_to_that_decides() -> None:
    header = f"{SMARTWEB};DELIVERY_PRICE;ORDER_TOTAL"
    lines = (
        "17;2026-04-01;KOP;Kop;2;125,00;1;39,00;289,00",
        "18;2026-04-01;A;A;1;5,00;1;39,00;",
        "19;2026-04-01;A;A;1;5,00;1;0;",
    )
    rows, found = cleaned("invoices", header, *lines, **SMARTWEB_SAID)
    assert found == [{"total_differs"}, {"amount_not_taken"}, set()]
    assert rows[:2] == [None, None]


PLAIN = {
    "customers": (
        "Navn;Adresse;Postnr;By;Tlf.;Mail;CVR-nr.",
        "Kundenr.;Navn;Adresse;Postnr.;By;Land;CVR-nr.;EAN-nr.;E-mail;Telefon",
        "Firma;Fornavn;Efternavn;Mail",
        "email;firstname;lastname;zipcode;company_name",
        "Medlemsnr;Navn;Adresse;Mobil;E-mail;Fødselsdato;CPR;Kontingent",
        "Konto;Navn;Adresse;Postnr;By",
        "First Name;Last Name;Company;Email;Phone",
        "name;email;phone;address;city;zipcode;country",
    ),
    "products": (
        "Varenr.;Navn;Salgspris",
        "Varenummer;Betegnelse;Enhed;Bruttopris;Rabatgruppe;EAN",
        "SKU;Title;Price",
        "ID;Name;Type;Price",
        "Varenr;Varenavn;Konto;Pris ekskl. moms;Momssats",
    ),
    "invoices": (
        "Fakturanr.;Kundenr.;Fakturadato;Varenr.;Antal;Enhedspris",
        "Kundenr;Dato;Tekst;Antal;Pris",
        "order_id;date;customer;product;quantity;price",
        "Name;Email;Total;Currency;Created at",
    ),
}


@pytest.mark.parametrize(
    ("resource", "header"), [(resource, header) for resource, headers in PLAIN.items() for header in headers]
)
def test_a_list_somebody_made_is_no_programs_export(resource: str, header: str) -> None:
    assert profile_for(SCHEMAS[resource], header.split(";"), ReadingOptions()) is None


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=lambda schema: schema.name)
def test_a_template_of_ours_is_no_other_programs_export(schema: RowSchema) -> None:
    for names in ([c.name for c in schema.columns], [c.danish or c.name for c in schema.columns]):
        found = profile_for(schema, names, ReadingOptions())
        assert found is None or (found.name in ("own_export", "dinero_contacts") and set(found.meaning) <= {"Att."})


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=lambda schema: schema.name)
def test_every_resource_has_its_profiles_under_names_of_their_own(schema: RowSchema) -> None:
    assert schema.profiles == PROFILES[schema.name]
    names = [folded(name) for profile in schema.profiles for name in {folded(profile.name), folded(profile.title)}]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("schema", "profile"), CASES, ids=lambda case: case.name)
def test_a_profile_speaks_of_fields_that_exist(schema: RowSchema, profile: Profile) -> None:
    fields = set(SCHEMAS["contacts"].fields) if schema.name == "customers" else set(schema.fields)
    targets = {target for target in profile.meaning.values() if target} | set(profile.joined)
    assert targets | set(profile.inherits) | set(profile.constants) <= fields | set(COMBINED)


@pytest.mark.parametrize(("schema", "profile"), CASES, ids=lambda case: case.name)
def test_a_profile_recognises_its_own_signature_and_says_each_header_once(schema: RowSchema, profile: Profile) -> None:
    assert profile_for(schema, profile.signature, ReadingOptions()) == profile
    headers = [folded(name) for name in (*profile.meaning, *(n for names in profile.joined.values() for n in names))]
    assert len(headers) == len(set(headers))
