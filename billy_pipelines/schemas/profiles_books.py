"""Exports of accounting programs, customer registers, address books and time systems; and our own."""

from __future__ import annotations

from billy_pipelines.schemas.row_schema import Profile

NOT_USED = ""


def unused(*headers: str) -> dict[str, str]:
    """Headers that are known and not used; some would be taken for a field by their names."""
    return dict.fromkeys(headers, NOT_USED)


OWN_EXPORT = Profile(
    name="own_export",
    title="Billy Pipelines export",
    signature=("id", "name", "email", "phone", "address", "city", "zipcode", "country", "vatNo"),
)

ECONOMIC_CUSTOMERS = Profile(
    name="economic_customers",
    title="e-conomic customers",
    signature=("Kundenr.", "Navn", "Gruppe", "Momszone"),
    meaning={
        "Kundenr.": "contactNo",
        "Navn": "name",
        "Postnr.": "zipcode",
        "By": "city",
        "Land": "country",
        "CVR-nr.": "vatNo",
        "EAN-nr.": "ean",
        "E-mail": "email",
        "Telefon": "phone",
        "Betalingsbetingelse": "paymentTerms",
        "Spærret": "isArchived",
        **unused("Gruppe", "Momszone", "Valuta"),
    },
)

RACKBEAT_CUSTOMERS = Profile(
    name="rackbeat_customers",
    title="Rackbeat customers",
    signature=("Kundenr", "Navn", "Gruppe", "Adresse1", "Momszone"),
    meaning={
        "Kundenr": "contactNo",
        "Navn": "name",
        "Postnummer": "zipcode",
        "By": "city",
        "Land": "country",
        "Gruppe": NOT_USED,
        "Momszone": NOT_USED,
    },
)

UNICONTA_DEBTORS = Profile(
    name="uniconta_debtors",
    title="Uniconta debtors",
    signature=("Konto", "Kontonavn", "Postnummer"),
    meaning={
        "Konto": "contactNo",
        "Kontonavn": "name",
        "CVR-nr.": "vatNo",
        "Postnummer": "zipcode",
        "Bynavn": "city",
        "Land": "country",
        "Sprog": "language",
        "Telefon": "phone",
        "Kontaktperson": "contactPerson",
        "Gruppe": NOT_USED,
    },
)

C5_CUSTOMERS = Profile(
    name="c5_customers",
    title="C5 or Navision customers",
    signature=("Konto", "Navn", "Post/By"),
    meaning={
        "Konto": "contactNo",
        "Navn": "name",
        "Post/By": "zipcode+city",
        "Betalingsbetingelse": "paymentTerms",
        **unused("Kundegruppe", "MomsZone", "Momszone 1/2/3"),
    },
)

DINERO_CONTACTS = Profile(
    name="dinero_contacts",
    title="Dinero contacts",
    # No list of its columns is published. All of these together are asked for, and none means anything special.
    signature=(
        *("Navn", "Att.", "Adresse", "Postnr.", "By"),
        *("Land", "Telefon", "E-mail", "CVR-nr.", "EAN-nr."),
    ),
    meaning={"Att.": "contactPerson"},
)

CRM_CUSTOMERS = Profile(
    name="crm_customers",
    title="Effihub or CRM customers",
    signature=("Firmanavn", "Kundenummer", "Faktureringsmail", "Webside"),
    meaning={
        "Firmanavn": "name",
        "Kundenummer": "contactNo",
        "CVR nummer": "vatNo",
        "Postnummer": "zipcode",
        "By": "city",
        "Land": "country",
        "Faktureringsmail": "invoiceEmail",
        "Telefon": "phone",
        "Webside": NOT_USED,
        "Noter": NOT_USED,
    },
)

OUTLOOK_CONTACTS = Profile(
    name="outlook_contacts",
    title="Outlook contacts",
    signature=("First Name", "Last Name", "Company", "Business Phone", "E-mail Address"),
    meaning={
        "Company": "name",
        "E-mail Address": "email",
        "Business Phone": "phone",
        "Mobile Phone": "phone",
        "Business City": "city",
        "Business Postal Code": "zipcode",
        "Business Country/Region": "country",
        **unused("Title", "Notes", "Birthday", "Anniversary"),
    },
    joined={"address": ("Business Street", "Business Street 2", "Business Street 3")},
)

OUTLOOK_CONTACTS_DA = Profile(
    name="outlook_contacts_da",
    title="Outlook contacts (Danish)",
    signature=("Fornavn", "Efternavn", "Firma", "Telefon (arb.)", "E-mail-adresse"),
    meaning={
        "Firma": "name",
        "E-mail-adresse": "email",
        "Telefon (arb.)": "phone",
        "Mobiltelefon": "phone",
        "By (arb.)": "city",
        "Postnummer (arb.)": "zipcode",
        "Land/område (arb.)": "country",
        **unused("Titel", "Noter", "Fødselsdag"),
    },
    joined={"address": ("Gade (arb.)", "Gade 2 (arb.)", "Gade 3 (arb.)")},
)

_GOOGLE = {
    "E-mail 1 - Value": "email",
    "Phone 1 - Value": "phone",
    "Address 1 - Street": "address",
    "Address 1 - City": "city",
    "Address 1 - Postal Code": "zipcode",
    "Address 1 - Country": "country",
    "Notes": NOT_USED,
    "Birthday": NOT_USED,
}

GOOGLE_CONTACTS = Profile(
    name="google_contacts",
    title="Google contacts",
    signature=("First Name", "Last Name", "Organization Name", "E-mail 1 - Value"),
    meaning={"Organization Name": "name", **_GOOGLE},
)

GOOGLE_CONTACTS_OLD = Profile(
    name="google_contacts_old",
    title="Google contacts (before 2024)",
    signature=("Given Name", "Family Name", "Organization 1 - Name", "E-mail 1 - Value"),
    meaning={"Name": NOT_USED, "Organization 1 - Name": "name", **_GOOGLE},
)

ECONOMIC_PRODUCTS = Profile(
    name="economic_products",
    title="e-conomic products",
    signature=("Varenr.", "Navn", "Varegruppe", "Salgspris"),
    meaning={
        "Varenr.": "productNo",
        "Navn": "name",
        "Salgspris": "unitPrice",
        "Spærret": "isArchived",
        **unused("Varegruppe", "Kostpris", "Vejl. pris", "Enhed", "Stregkode"),
    },
    decimal="comma",
)

JOURNAL_INVOICES = Profile(
    name="journal_invoices",
    title="Uniconta or journal invoice list",
    signature=("Debitor", "Momskode", "Kunde nummer", "Faktura", "Fakturabeløb"),
    meaning={
        "Faktura": "invoice",
        "Kunde nummer": "contactNo",
        "Navn": "contactName",
        "Fakturadato": "entryDate",
        "Valuta": "currency",
        "Fakturabeløb": "totalControl",  # with VAT; what was sold the list does not say
        **unused("Debitor", "Momskode", "konto"),
    },
    decimal="comma",
    date_order="day_first",
)

TIME_SYSTEM = Profile(
    name="time_system",
    title="time or case entries",
    signature=("Kundenr", "Sag", "Medarbejder", "Antal"),
    meaning={
        "Kundenr": "contactNo",
        "Sag": "invoice",
        "Varenr": "productNo",
        "Tekst": "description",
        "Antal": "quantity",
        "Enhedspris": "unitPrice",
        "Dato": NOT_USED,  # when the work was done; the invoice's date is said with the option set
        "Medarbejder": NOT_USED,
    },
)
