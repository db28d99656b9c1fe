"""The columns of an invoice file that belong to one line, and the totals that lines are compared with."""

from __future__ import annotations

from billy_pipelines.schemas import products
from billy_pipelines.schemas.price_basis import PRICE_HEADERS
from billy_pipelines.schemas.row_schema import Column, Kind

UNCLEAR_DISCOUNTS = ("rabat", "linjerabat", "discount", "line discount")
"""Headers that do not say whether the discount is a percentage or an amount: `invoice_rules` asks for another."""

LINE = (
    Column(
        "productNo",
        "Number of the product sold.",
        next(column.aliases for column in products.COLUMNS if column.name == "productNo"),
        examples=("0042", "1001"),
        danish="Varenr.",
        description_da="Nummeret på varen.",
    ),
    Column(
        "productId",
        "Billy's id of the product.",
        ("billy vare-id", "billy produkt-id", "billy product id"),
        danish="Billy vare-id",
        description_da="Billys id for varen.",
    ),
    Column(
        "productName",
        "Name of the product.",
        ("varenavn", "produktnavn", "vare", "produkt", "ydelse", "titel", "betegnelse", "product", "item", "item name"),
        danish="Varenavn",
        description_da="Varens navn.",
    ),
    Column(
        "description",
        "Text of the line.",
        ("beskrivelse", "linjetekst", "tekst", "varetekst", "specifikation", "line text", "line description", "text"),
        examples=("Uge 14", "Opsætning"),
        danish="Linjetekst",
        description_da="Linjens tekst.",
    ),
    Column(
        "quantity",
        "How many; 1 when blank. May be below 0.",
        ("antal", "mængde", "stk", "timer", "qty", "hours"),
        examples=("4", "1.5"),
        kind=Kind.NUMBER,
        danish="Antal",
        description_da="Hvor mange; 1, når feltet er tomt. Må være under 0.",
    ),
    Column(
        "unitPrice",
        "Price of one in the invoice's currency; that of the product in Billy when blank.",
        (*PRICE_HEADERS, "timepris", "hourly rate"),
        examples=("125.50", "950"),
        kind=Kind.NUMBER,
        danish="Enhedspris",
        description_da="Prisen for én i fakturaens valuta; varens pris i Billy, når feltet er tomt.",
    ),
    Column(
        "discountPercent",
        "Discount on the line in percent, 0 to 100.",
        (*UNCLEAR_DISCOUNTS, "rabat %", "rabatprocent", "rabat i procent", "discount %", "percent discount"),
        examples=("", "10"),
        kind=Kind.PERCENT,
        danish="Rabat %",
        description_da="Rabat på linjen i procent, 0 til 100.",
    ),
    Column(
        "discountAmount",
        "Discount on the whole line as an amount, 0 or more.",
        ("rabatbeløb", "rabat kr", "rabat i kr", "rabat i kroner", "discount kr"),
        kind=Kind.NUMBER,
        danish="Rabatbeløb",
        description_da="Rabat på hele linjen som beløb, 0 eller mere.",
    ),
)

_CONTROL = "{what}, of the line or of the whole invoice; compared, never sent."
_CONTROL_DA = "{what}, for linjen eller hele fakturaen; sammenlignes, sendes aldrig."

TOTALS = (
    Column(
        "amountControl",
        _CONTROL.format(what="Amount without VAT"),
        (
            "beløb",
            "nettobeløb",
            "linjebeløb",
            "linjetotal",
            "beløb ekskl moms",
            "beløb uden moms",
            "i alt ekskl moms",
            "total ekskl moms",
            "subtotal",
            "amount",
            "net amount",
            "line amount",
            "line total",
            "total excl vat",
        ),
        examples=("1784.50", ""),
        kind=Kind.NUMBER,
        danish="Beløb",
        description_da=_CONTROL_DA.format(what="Beløb uden moms"),
    ),
    Column(
        "taxControl",
        _CONTROL.format(what="Amount of VAT"),
        ("moms", "momsbeløb", "heraf moms", "moms i alt", "vat", "vat amount", "tax", "tax amount", "taxes"),
        examples=("446.13", ""),
        kind=Kind.NUMBER,
        danish="Moms",
        description_da=_CONTROL_DA.format(what="Momsbeløb"),
    ),
    Column(
        "totalControl",
        _CONTROL.format(what="Amount with VAT"),
        (
            "i alt",
            "total",
            "i alt inkl moms",
            "total inkl moms",
            "beløb inkl moms",
            "beløb med moms",
            "bruttobeløb",
            "fakturabeløb",
            "fakturatotal",
            "at betale",
            "gross amount",
            "total incl vat",
            "grand total",
            "invoice total",
        ),
        examples=("2230.63", ""),
        kind=Kind.NUMBER,
        danish="I alt",
        description_da=_CONTROL_DA.format(what="Beløb med moms"),
    ),
)
