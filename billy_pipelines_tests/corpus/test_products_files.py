"""Product and price lists: numbers decided by the whole column, prices that are not sales prices left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from billy_pipelines_tests.corpus.cases import Case, assert_understood

CASES = [
    Case(
        "own list in a Danish Excel",
        "products",
        "varer.csv",
        "Varenr.;Varenavn;Beskrivelse;Salgspris;Konto;Momssats\r\n"
        "0042;Blå prøvevare;Fin;kr. 1.355,90;1110;25%\r\n"
        "43;Rød;;395,-;1110;\r\n"
        "44;Grøn;;0,00;1110;\r\n"
        "45;Gul;;gratis;1110;50%\r\n".encode("cp1252"),
        rows={
            2: {
                "productNo": "0042",
                "name": "Blå prøvevare",
                "description": "Fin",
                "unitPrice": "1355.9",
                "accountNo": "1110",
                "salesTaxRuleset": "vat25",
            },
            3: {"productNo": "43", "name": "Rød", "unitPrice": "395", "accountNo": "1110"},
        },
        problems={
            (4, "Salgspris", "not_positive"),
            (5, "Salgspris", "number_form"),
            (5, "Momssats", "choice_unknown"),
        },
    ),
    Case(
        "prices that can be read both ways are refused as a column, not guessed",
        "products",
        "varer.csv",
        b"Varenavn;Pris\nA;1.234\nB;2.500\nC;\n",
        rows={4: {"name": "C"}},
        problems={(2, "Pris", "ambiguous_number"), (3, "Pris", "ambiguous_number")},
    ),
    Case(
        "until the option says what they are",
        "products",
        "varer.csv",
        b"Varenavn;Pris\nA;1.234\nB;2.500\n",
        rows={2: {"name": "A", "unitPrice": "1234"}, 3: {"name": "B", "unitPrice": "2500"}},
        options={"decimal": "comma"},
    ),
    Case(
        "e-conomic products: three price columns, one sales price",
        "products",
        "varer.csv",
        "Varenr.;Navn;Varegruppe;Salgspris;Kostpris;Vejl. pris;Enhed;Stregkode;Spærret\n"
        "1;Kaffe;2;49,50;20,00;60,00;stk;5790000000005;Nej\n2;Te;2;30,00;10,00;;stk;;Ja\n".encode(),
        rows={
            2: {"productNo": "1", "name": "Kaffe", "unitPrice": "49.5", "isArchived": "false"},
            3: {"productNo": "2", "name": "Te", "unitPrice": "30", "isArchived": "true"},
        },
        source={"profile": "e-conomic products"},
    ),
    Case(
        "JSON with prices of its own kind",
        "products",
        "varer.json",
        b'[{"name": "A", "productNo": "0042", "unitPrice": 1250.50, "isArchived": false},\n {"name": "B", "unitPrice": 1.234}]',
        rows={
            1: {"name": "A", "productNo": "0042", "unitPrice": "1250.5", "isArchived": "false"},
            2: {"name": "B", "unitPrice": "1.234"},
        },
    ),
    Case(
        "the same number twice",
        "products",
        "varer.csv",
        b"Varenr;Navn\n7;A\n8;B\n7;C\n",
        rows={2: {"productNo": "7", "name": "A"}, 3: {"productNo": "8", "name": "B"}},
        problems={(4, "Varenr", "duplicate_in_file")},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_price_list_is_read_exactly(tmp_path: Path, case: Case) -> None:
    assert_understood(tmp_path, case)
