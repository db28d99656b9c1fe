"""A history without any trouble, for those who then tell lies about it."""

from __future__ import annotations

from random import Random

from billy_pipelines_tests.campaign.rows import Books, Pen, make_books, make_rows
from billy_pipelines_tests.campaign.shapes import File, History, Row, Turn

MAKING, CHANGING, DELETING, INVOICING = range(4)
"""The four files of the history."""


def plain_history() -> History:
    """Four files, one after the other, without any trouble."""
    random = Random(4711)
    books = make_books(random, 0, contacts=20, products=12, invoices=0)
    rows = [
        Row({"name": f"Kunde {n} ApS", "city": f"By {n}"}, (f"Kunde {n} ApS", None, f"By {n}", None)) for n in range(6)
    ]
    rows.append(Row({"name": "Forkert", "email": "ingen@"}, ("Forkert", None, None, None)))
    contacts = books.live("contacts")
    changing = [
        Row(
            {"contactNo": contact["contactNo"], "city": f"Nyt {n}", "email": f"ny@{n}.example"},
            None,
            contact["id"],
            {("contacts", "cityText"): f"Nyt {n}", ("contactPersons", "email"): f"ny@{n}.example"},
        )
        for n, contact in enumerate(contacts[:5])
    ]
    some, others = books.records["products"][:6], books.records["products"][6:]
    deleting = Pen(random, Books({"products": others}), "products", "d")
    invoicing = Pen(random, Books({**books.records, "products": some}), "invoices", "i")
    files = (
        File("making.csv", "customers", "import", {"max_error_rate": 1.0}, tuple(rows)),
        File("changing.csv", "customers", "update", {}, tuple(changing)),
        File("deleting.csv", "products", "delete", {"confirm_count": 9}, tuple(make_rows(deleting, "delete", 5))),
        File("invoicing.csv", "invoices", "import", {"max_error_rate": 1.0}, tuple(make_rows(invoicing, "import", 8))),
    )
    turns = tuple(Turn("drop", (number,)) for number in range(len(files)))
    return History(0, {plural: tuple(each) for plural, each in books.records.items()}, {}, (), files, turns)
