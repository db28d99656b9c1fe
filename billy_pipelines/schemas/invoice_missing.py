"""Which contact or product an invoice's row would have made on the way (`create_missing`), as a row of that resource.

Only what the row says becomes part of it; the rest are the defaults of any new record (rule B1). Nothing is made of a
row that could not be found by it again: then the next invoice of the same customer would make it once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billy_pipelines.schemas.cleaning import clean_vat, foreign_prefix
from billy_pipelines.schemas.contact_meaning import MATCH_KEYS
from billy_pipelines.schemas.invoice_lookups import CONTACT_FIELDS
from billy_pipelines.schemas.invoice_meaning import number
from billy_pipelines.schemas.resource import KeyKind, Made, Row

MADE = (Made("contacts", loose=(("email",),)), Made("products", loose=(("unitPrice", "currency", "taxMode"),)))
"""What invoices may have made. Lines that sell a product at different prices do not say what it costs."""

_COUNTRY_OF_PREFIX = {"EL": "GR", "XI": "GB"}
"""VAT prefixes that are no country codes."""


def contact_to_make(row: Row, *, by_name: bool) -> dict[str, Any] | None:
    """The contact an invoice names, None where none can be made of what it says: an id is Billy's to give.

    Without a name it is blank, and another row has to say it. A name alone is enough only where a name alone finds a
    contact (rule B5): else the row must bring more, a customer number, an EAN, a good CVR number, or an e-mail address.
    """
    made = {own: str(row[field]) for field, own in CONTACT_FIELDS.items() if row.get(field)}
    found_again = any(key.of_row(made) for key in MATCH_KEYS if by_name or key.kind is not KeyKind.WEAK)
    if "id" in made or not found_again:
        return None
    made.setdefault("name", "")
    if row.get("contactType"):
        made["type"] = str(row["contactType"])
    if prefix := foreign_prefix(clean_vat(made.get("vatNo"))):
        # Its VAT number says where it is; with the default, Denmark, it would get Danish VAT.
        made["country"] = _COUNTRY_OF_PREFIX.get(prefix, prefix)
    return made


def product_to_make(line: Mapping[str, Any], row: Row) -> dict[str, Any] | None:
    """The product a line sells, at the line's price before any discount; None where it names an id.

    Without a name it is blank, and another line has to say it.
    """
    if line.get("productId"):
        return None
    made = {"name": str(line.get("productName") or "")}
    if line.get("productNo"):
        made["productNo"] = str(line["productNo"])
    price = number(line.get("unitPrice"))
    if price is not None and price > 0:
        made |= {"unitPrice": str(line["unitPrice"]), "currency": str(row["currency"])}
        made["taxMode"] = str(row.get("taxMode") or "excl")
    return made
