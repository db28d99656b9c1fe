"""Taking back what a job did to a product: which keys people write, and the row a deleted product was."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billy_pipelines.schemas.product_meaning import ARCHIVED, OWN_KEYS
from billy_pipelines.schemas.product_prices import plain
from billy_pipelines.schemas.undoing import ChildList, Image, Undoing

_PRICES = ChildList("prices", "productPrices", "productPrice", "productId", ("currencyId", "unitPrice"))


def _row(image: Image) -> dict[str, Any]:
    """Fields with a value and the prices; nothing is said of the rest."""
    row = {
        name: str(bool(image[name])).lower() if name == ARCHIVED else image[name]
        for name in OWN_KEYS
        if image.get(name) not in (None, "")
    }
    prices = [price for price in image.get("prices") or [] if price.get("unitPrice") is not None]
    if prices:
        row["prices"] = [
            {"currencyId": price.get("currencyId"), "unitPrice": plain(Decimal(str(price["unitPrice"])))}
            for price in prices
        ]
    return row


PRODUCTS_UNDO = Undoing(more_keys=("unit",), children=(_PRICES,), row=_row)
