"""Invoice lists: rows that make one invoice, one bad line that rejects all of it, totals that are no prices."""

from __future__ import annotations

from pathlib import Path

import pytest

from billy_pipelines_tests.corpus.cases import Case, assert_understood

HEADER = "Faktura;Kundenr.;Fakturadato;Varenr.;Tekst;Antal;Enhedspris;Beløb\n"

CASES = [
    Case(
        "two invoices, header fields on the first line only",
        "invoices",
        "fakturaer.csv",
        (
            HEADER
            + "F1;0017;01-04-2026;A;Uge 13;4;125,50;502,00\nF1;;;B;Kørsel;1,5;100,00;150,00\nF2;18;02-04-2026;A;;1;125,50;\n"
        ).encode(),
        rows={
            2: {
                "invoice": "F1",
                "contactNo": "0017",
                "entryDate": "2026-04-01",
                "taxMode": "excl",
                "lines": [
                    {
                        "line": 2,
                        "productNo": "A",
                        "description": "Uge 13",
                        "quantity": "4",
                        "unitPrice": "125.5",
                        "amountControl": "502",
                    },
                    {
                        "line": 3,
                        "productNo": "B",
                        "description": "Kørsel",
                        "quantity": "1.5",
                        "unitPrice": "100",
                        "amountControl": "150",
                    },
                ],
            },
            3: {"part_of": 0},
            4: {
                "invoice": "F2",
                "contactNo": "18",
                "entryDate": "2026-04-02",
                "taxMode": "excl",
                "lines": [{"line": 4, "productNo": "A", "quantity": "1", "unitPrice": "125.5"}],
            },
        },
    ),
    Case(
        "one bad line rejects its invoice and is named, the other invoice stands",
        "invoices",
        "fakturaer.csv",
        (HEADER + "F1;17;01-04-2026;A;;4;125,50;\nF1;;;B;;mange;100,00;\nF2;18;02-04-2026;A;;1;125,50;\n").encode(),
        rows={
            4: {
                "invoice": "F2",
                "contactNo": "18",
                "entryDate": "2026-04-02",
                "taxMode": "excl",
                "lines": [{"line": 4, "productNo": "A", "quantity": "1", "unitPrice": "125.5"}],
            },
        },
        problems={(3, "Antal", "number_form"), (2, "Faktura", "invoice_rejected")},
    ),
    Case(
        "prices that include VAT, which nobody has said how to take",
        "invoices",
        "fakturaer.csv",
        b"Faktura;Kundenr.;Fakturadato;Varenr.;Antal;Pris inkl. moms\nF1;17;01-04-2026;A;1;125,00\n",
        problems={(2, "Pris inkl. moms", "price_basis_unknown")},
    ),
    Case(
        "JSON with nested lines",
        "invoices",
        "fakturaer.json",
        b'[{"contactNo": "17", "entryDate": "2026-04-01",\n  "lines": [{"productNo": "A", "quantity": 2, "unitPrice": 10.5},\n'
        b'            {"productNo": "B", "quantity": 1, "unitPrice": 1.234}]}]',
        rows={
            2: {
                "invoice": "1",
                "contactNo": "17",
                "entryDate": "2026-04-01",
                "taxMode": "excl",
                "lines": [
                    {"line": 2, "productNo": "A", "quantity": "2", "unitPrice": "10.5"},
                    {"line": 3, "productNo": "B", "quantity": "1", "unitPrice": "1.234"},
                ],
            },
            3: {"part_of": 0},
        },
    ),
    Case(
        "no date is no date, never today",
        "invoices",
        "fakturaer.csv",
        b"Faktura;Kundenr.;Fakturadato;Varenr.;Antal;Enhedspris\nF1;17;;A;1;10,00\n",
        problems={(2, "Fakturadato", "required")},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_invoice_list_is_read_exactly(tmp_path: Path, case: Case) -> None:
    assert_understood(tmp_path, case)
