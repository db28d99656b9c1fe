"""Currency signs in the cells of money columns: an amount is never read in another currency than it is written in.

`€ 100,00` in a row without a currency would be booked as 100 kroner.
"""

from __future__ import annotations

import pandas as pd

from billy_pipelines.schemas.row_schema import Context, Report
from billy_pipelines.schemas.words import is_currency

KRONER = "DKK"
"""What amounts are in where the row names no currency."""
IN_KRONER = ("exchangeRate",)
"""Amounts that are in kroner whatever the row's currency is: a rate is kroner for one unit of it."""
SHARED_SIGNS = {
    "kr": ("DKK", "SEK", "NOK"),
    "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD"),
}
"""Sign -> currencies that are written so. Every other unit is a currency's own code."""


def check_money_units(cleaned: pd.DataFrame, context: Context, report: Report) -> None:
    """Rule: a currency in a cell is that of the row, which is kroner where the row names none."""
    for name, units in context.units.items():
        marked = units[~units.isin(["", "percent"])]
        if marked.empty:
            continue
        if "currency" in cleaned and name not in IN_KRONER:
            currencies = cleaned["currency"].loc[marked.index].replace("", KRONER)
        else:
            currencies = pd.Series(KRONER, index=marked.index, dtype="str")
        pairs = marked + "\n" + currencies
        agreeing = [pair for pair in pairs.unique() if _agree(*pair.split("\n", 1))]
        for position, currency in currencies[~pairs.isin(agreeing)].items():
            report(int(str(position)), "currency_differs", name, currency=currency)


def _agree(unit: str, currency: str) -> bool:
    """Whether an amount with that unit can be in the currency. A currency that is unknown has an error of its own."""
    return currency in SHARED_SIGNS.get(unit, (unit,)) or not is_currency(currency)
