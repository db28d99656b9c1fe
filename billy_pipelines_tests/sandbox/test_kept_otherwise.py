"""Switches by which names and prices are kept otherwise than they were sent."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from billy_pipelines.sandbox import Sandbox

NAME = "Café  🌟 Ærø, Bageri og Konditori i Høje Taastrup"
KEPT = {
    "as-sent": NAME,
    "cut": "Café  🌟 Ærø, Bageri og Konditori i Høje",
    "without-emoji": "Café   Ærø, Bageri og Konditori i Høje Taastrup",
    "ascii": "Cafe   Aeroe, Bageri og Konditori i Hoeje Taastrup",
    "squeezed": "Café 🌟 Ærø, Bageri og Konditori i Høje Taastrup",
}


def contact(name: str) -> dict[str, Any]:
    return {"contact": {"type": "company", "name": name, "countryId": "DK"}}


@pytest.mark.parametrize("way", KEPT)
def test_names_are_kept_as_switched_by_creates_and_updates(way: str, client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.switch(stored_names=way)
    made = client.post("/contacts", json=contact(NAME)).json()["contacts"][0]
    changed = client.put(f"/contacts/{made['id']}", json=contact(NAME + " Nord")).json()["contacts"][0]
    assert made["name"] == KEPT[way]
    assert changed["name"] == (KEPT[way] if way == "cut" else KEPT[way] + " Nord")
    assert [record["name"] for record in sandbox.contacts] == [changed["name"]]


@pytest.mark.parametrize(("decimals", "kept"), [(None, 0.1255), (3, 0.126), (2, 0.13), (0, 0)])
def test_prices_are_rounded_as_switched(
    decimals: int | None, kept: float, client: httpx.Client, sandbox: Sandbox
) -> None:
    sandbox.switch(price_decimals=decimals)
    product = {"name": "Vare", "prices": [{"currencyId": "DKK", "unitPrice": 0.1255}]}
    assert client.post("/products", json={"product": product}).status_code == 200
    assert [price["unitPrice"] for price in sandbox.records("productPrices")] == [kept]
