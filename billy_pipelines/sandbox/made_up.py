"""Made-up contacts, products and invoices that cannot pass for real ones: `.example` addresses, CVR numbers with wrong
check digits.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

_FIRST = ("Æblehaven", "Østerkær", "Ålekroen", "Blåbær", "Grønbæk", "Søndervang", "Fyrtårnet", "Kløvermarken")
_TRADE = ("Bageri", "Cykler", "Gartneri", "Smedje", "Tryk", "Vinduer", "Møbler", "Rådgivning")
_FORM = ("ApS", "A/S", "I/S", "K/S")
_STREET = ("Prøvevej", "Møllestræde", "Ågade", "Øster Allé")
_TOWN = (("0800", "Høje Taastrup"), ("8000", "Aarhus C"), ("5000", "Odense C"), ("9000", "Aalborg"))
_COLOUR = ("Blå", "Grøn", "Rød", "Sort", "Hvid", "Gul")
_THING = ("prøvestol", "prøvelampe", "prøvekop", "prøvehylde", "rådgivningstime", "prøvekasse")
_WEIGHTS = (2, 7, 6, 5, 4, 3, 2, 1)


def made_up_contacts(count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Bodies of contacts, each with one contact person; the same for the same seed. `contactNo` runs from 100001."""
    generator = random.Random(seed)
    for number in range(100_001, 100_001 + count):
        zipcode, town = generator.choice(_TOWN)
        yield {
            "type": "company",
            "name": f"{generator.choice(_FIRST)} {generator.choice(_TRADE)} {number} {generator.choice(_FORM)}",
            "countryId": "DK",
            "street": f"{generator.choice(_STREET)} {generator.randint(1, 199)}",
            "zipcodeText": zipcode,
            "cityText": town,
            "contactNo": str(number),
            "phone": f"+45 00 {generator.randint(0, 99):02d} {generator.randint(0, 99):02d} 00",
            "registrationNo": wrong_cvr(generator),
            "isCustomer": generator.random() < 0.8,
            "isSupplier": generator.random() < 0.3,
            "contactPersons": [
                {"name": "Bogholderiet", "email": f"faktura@kontakt-{number}.example", "isPrimary": True},
            ],
        }


def made_up_products(count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Bodies of products with a price in kroner, some in euro too. `productNo` runs from 200001."""
    generator = random.Random(seed)
    for number in range(200_001, 200_001 + count):
        kroner = generator.randint(1_000, 250_000) / 100
        prices = [{"currencyId": "DKK", "unitPrice": kroner}]
        if generator.random() < 0.2:
            prices.append({"currencyId": "EUR", "unitPrice": round(kroner / 7.46, 2)})
        yield {
            "name": f"{generator.choice(_COLOUR)} {generator.choice(_THING)} {number}",
            "productNo": str(number),
            "prices": prices,
        }


def made_up_invoices(
    count: int, contact_ids: Sequence[str], product_ids: Sequence[str], seed: int = 0
) -> Iterator[dict[str, Any]]:
    """Bodies of invoices of 2025 with one to four lines, most of them approved, for contacts and products there are."""
    generator = random.Random(seed)
    for _ in range(count):
        lines = [
            {
                "productId": generator.choice(product_ids),
                "quantity": generator.randint(1, 20),
                "unitPrice": generator.randint(1_000, 250_000) / 100,
            }
            for _ in range(generator.randint(1, 4))
        ]
        yield {
            "contactId": generator.choice(contact_ids),
            "entryDate": (date(2025, 1, 1) + timedelta(days=generator.randint(0, 364))).isoformat(),
            "state": "approved" if generator.random() < 0.8 else "draft",
            "lines": lines,
        }


def wrong_cvr(generator: random.Random) -> str:
    """Eight digits that look like a CVR number and fail its check (weights 2 7 6 5 4 3 2 1, sum divisible by 11)."""
    digits = [generator.randint(1, 9), *(generator.randint(0, 9) for _ in range(7))]
    if sum(weight * digit for weight, digit in zip(_WEIGHTS, digits, strict=True)) % 11 == 0:
        digits[-1] = (digits[-1] + 1) % 10
    return "".join(map(str, digits))
