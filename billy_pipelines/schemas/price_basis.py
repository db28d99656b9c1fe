"""Whether the prices of a file include VAT: stated by a column, the option, or asked for; never guessed (rule B14)."""

from __future__ import annotations

import pandas as pd

from billy_pipelines.schemas.row_schema import Column, Context, Kind

PRICE_HEADERS = (
    "pris",
    "salgspris",
    "enhedspris",
    "stk pris",
    "stykpris",
    "pris pr stk",
    "pris pr enhed",
    "pris ekskl moms",
    "pris inkl moms",
    "price",
    "sales price",
    "selling price",
    "price excl vat",
    "price incl vat",
)
"""What a price of one is called. Those that say they include VAT are known too; the reader of headers then asks."""

TAX_MODE = Column(
    "taxMode",
    "Whether prices include VAT (incl) or not (excl); excl when nothing says otherwise.",
    ("prisgrundlag", "momsberegning", "inkl/ekskl moms", "prices include vat", "priser inklusive moms"),
    may_clear=False,
    examples=("excl", ""),
    kind=Kind.CHOICE,
    danish="Prisgrundlag",
    description_da="Om priser er med moms (inkl) eller uden (ekskl); uden, når intet andet er sagt.",
    choices={
        "incl": (
            *("inkl", "inkl moms", "inklusive", "inklusive moms", "med moms", "incl vat", "including vat", "gross"),
            *("brutto", "ja", "yes", "true", "sand"),
        ),
        "excl": (
            *(
                "ekskl",
                "ekskl moms",
                "eksklusive",
                "eksklusive moms",
                "uden moms",
                "excl vat",
                "ex vat",
                "excluding vat",
            ),
            *("net", "netto", "nej", "no", "false", "falsk"),
        ),
    },
    danish_examples=("ekskl", ""),
)


def stated_tax_mode(context: Context) -> str:
    """What option, header and profile together say of a file's prices: `incl`, `excl`, `ask`, '' for nothing."""
    return {"true": "incl", "false": "excl", "ask": "ask"}.get(context.prices_include_vat, "")


def tax_modes(cleaned: pd.DataFrame) -> pd.Series[str]:
    """The column `taxMode`, blank where the file has none."""
    return cleaned["taxMode"] if "taxMode" in cleaned else pd.Series("", index=cleaned.index, dtype="str")
