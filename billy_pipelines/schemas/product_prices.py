"""A product's prices as a row says them: one per currency, with or without VAT in them (rule B14).

Billy's are without VAT; one with VAT is converted by the VAT its product has.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from billy_pipelines.billy.models import Product, ProductPrice
from billy_pipelines.schemas.resource import Row

PRICE = "unitPrice"
BASE_CURRENCY = "DKK"
PRECISION = Decimal("0.000001")
"""Billy's own is unknown. Less 25 % VAT, an amount in øre has three decimals; on 10,000 pieces the fourth counts."""
FEWEST_KEPT = 2
KEPT = [Decimal(1).scaleb(-places) for places in range(FEWEST_KEPT, 6)]
"""Ways Billy may round a price, to fewer decimals than that."""
MOST_DIGITS = 15
"""So many a JSON number keeps on its way through others' floating point."""
SHARES = "vatShares"
"""In a resolved row whose prices include VAT: id of a ruleset -> its VAT as a share."""


@dataclass(frozen=True)
class Price:
    """A price as the row says it. `net` is what Billy gets, None where the VAT in it is not known."""

    stated: Decimal
    net: Decimal | None
    share: Decimal = Decimal(0)
    """Of VAT in `stated`."""

    def is_in_billy(self, present: Decimal | None) -> bool:
        """Whether Billy's price is this one. A converted one has more decimals than Billy may keep (unknown), so it is
        the same when rounded to two or more: else each run would change it again."""
        if present is None or self.net is None:
            return False
        kept = [self.net.quantize(places, ROUND_HALF_UP) for places in KEPT] if self.share else []
        return present in (self.net, *kept)


def is_rounded(sent: Decimal, present: Decimal) -> bool:
    """Whether an amount in Billy is the one that was sent but for decimals that Billy does not keep; two it keeps."""
    places = max(FEWEST_KEPT, -_exponent(present))
    return -_exponent(sent) > places and abs(sent - present) < Decimal(1).scaleb(-places)


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def plain(number: Decimal) -> str:
    """A number as rows write it."""
    return format(number.normalize(), "f")


def includes_vat(row: Row) -> bool:
    """Whether the row's prices have VAT in them."""
    return row.get("taxMode") == "incl"


def stated_prices(row: Row) -> dict[str, Decimal]:
    """By currency: the row's own columns first, then those of its list."""
    stated: dict[str, Decimal] = {}
    if row.get(PRICE):
        stated[row.get("currency") or BASE_CURRENCY] = Decimal(row[PRICE])
    for one in row.get("prices") or []:
        stated.setdefault(one["currencyId"], Decimal(one["unitPrice"]))
    return stated


def is_long(price: Decimal) -> bool:
    """Whether a price has more digits than arrive."""
    return max(price.adjusted() + 1, len(price.as_tuple().digits), -_exponent(price)) > MOST_DIGITS


def wanted_prices(row: Row, ruleset_id: str | None) -> dict[str, Price]:
    """The row's prices by currency, as they are for a product with that VAT."""
    stated = stated_prices(row)
    if not includes_vat(row):
        return {currency: Price(price, price) for currency, price in stated.items()}
    share = (row.get(SHARES) or {}).get(ruleset_id or "")
    if share is None:
        return {currency: Price(price, None) for currency, price in stated.items()}
    return {currency: _without_vat(price, Decimal(share)) for currency, price in stated.items()}


def _without_vat(stated: Decimal, share: Decimal) -> Price:
    net = (stated / (1 + share)).quantize(PRECISION, ROUND_HALF_UP) if share else stated
    return Price(stated, net, share)


def present_prices(record: Product) -> dict[str, ProductPrice]:
    """A product's prices by currency; there is one of each (documented)."""
    return {price.currencyId: price for price in reversed(record.prices or []) if price.currencyId}


def amount_of(price: ProductPrice | None) -> Decimal | None:
    """The number of a price, as Billy writes it."""
    return None if price is None or price.unitPrice is None else Decimal(str(price.unitPrice))


def price_field(currency: str) -> str:
    """What the price in a currency is called in plan and journal."""
    return f"{PRICE} {currency}"


def currency_of(field_name: str) -> str | None:
    """The currency, if that is a change of a price."""
    name, _, currency = field_name.partition(" ")
    return currency if name == PRICE and currency else None


def number(text: str) -> float:
    """A number for a body: Billy's are JSON numbers, whole ones bare (observed)."""
    exact = Decimal(text)
    return int(exact) if exact == exact.to_integral_value() else float(exact)
