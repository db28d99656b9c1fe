"""What happens to Billy, to PostgreSQL and in Billy's books while processes are at work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from billy_pipelines.sandbox import Fault, Sandbox
from billy_pipelines_tests.campaign.evidence import KEPT_BOOKS
from billy_pipelines_tests.campaign.shapes import Edit, Event, History, Values
from billy_pipelines_tests.campaign.stage import Server

EVERY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE"]
STORM = "3/1"
CHILDREN = {"contacts": ("contactPersons", "contactId"), "products": ("productPrices", "productId")}
CHILDREN |= {"invoices": ("invoiceLines", "invoiceId")}


class Happenings:
    """The world around the processes of one history. `happened` counts what came to pass."""

    def __init__(self, history: History, billy: Sandbox, server: Server, engine: Engine) -> None:
        self._history, self._billy, self._server, self._engine = history, billy, server, engine
        self.happened: Counter[str] = Counter()
        self._faults = history.faults
        self.added: dict[str, Values] = {}
        """Id -> record that a person made, as it was then: Billy's ledger begins later."""

    def begin(self) -> None:
        """Open the books and let Billy be as this history has it."""
        for plural, records in self._history.books.items():
            self._billy.add(plural, records)
        self._billy.switch(**self._history.switches)
        self._usual_faults()

    def calm(self) -> None:
        """No faults, no limit, no delay any more; what Billy is like stays."""
        self._billy.switch(faults=[], rate_limit=None, revoked_after=None, latency="0")

    def trouble(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """As it is usually, but with other faults."""
        self._faults = tuple(faults)
        self._billy.switch(latency=self._history.switches.get("latency", "0"))
        self._usual_faults()
        self._usual_limit()

    def happens(self, event: Event) -> Callable[[], Any] | None:
        """Let it happen; returns what ends it."""
        if event.edit is not None:
            self.edit(event.edit)
            return None
        self.happened["kill -9 of PostgreSQL" if event.kind == "postgres" else event.kind] += 1
        if event.kind == "postgres":
            self._server.kill(whole=event.whole)
            return self._server.bring_back
        if event.kind == "revoke":
            self._billy.switch(revoked_after=0)
            return lambda: self._billy.switch(revoked_after=None)
        if event.kind == "outage":
            self._billy.switch(faults=[Fault.model_validate({"kind": "5xx-before", "methods": EVERY_METHOD})])
            return self._usual_faults
        self._billy.switch(rate_limit=STORM, retry_after=event.retry_after)
        return self._usual_limit

    def edit(self, edit: Edit) -> None:
        """A person at work in Billy; a record that is gone already is left alone."""
        with suppress(KeyError):
            if edit.what == "add":
                self._add(edit.plural, edit.values)
            elif edit.what == "change":
                self._billy.change(edit.plural, edit.record_id, **edit.values)
            elif edit.what == "change_child":
                plural, parent = CHILDREN[edit.plural]
                kin = [r for r in self._billy.records(plural) if r[parent] == edit.record_id]
                if not kin:
                    return
                self._billy.change(plural, str(kin[edit.number % len(kin)]["id"]), **edit.values)
            elif edit.what == "delete":
                self._billy.delete(edit.plural, edit.record_id)
            else:
                made = self._made(edit)
                if not made:
                    return
                self._to_made(edit, made[edit.number % len(made)])
            self.happened["person's edit"] += 1

    def _to_made(self, edit: Edit, record_id: str) -> None:
        if edit.what == "delete_made":
            self._billy.delete(edit.plural, record_id)
        elif edit.what == "change_made":
            self._billy.change(edit.plural, record_id, **edit.values)
        else:
            contact, product = (
                record_id if edit.plural == plural else next(iter(self._billy.books.records(plural)))
                for plural in ("contacts", "products")
            )
            line = {"productId": product, "quantity": 1, "unitPrice": 5}
            self._add("invoices", {"contactId": contact, "lines": [line]})

    def _add(self, plural: str, values: Mapping[str, Any]) -> None:
        with self._billy.lock:
            before = {record["id"] for kept in KEPT_BOOKS for record in self._billy.records(kept)}
            self._billy.add(plural, [dict(values)])
            new = [record for kept in KEPT_BOOKS for record in self._billy.records(kept) if record["id"] not in before]
            self.added |= {str(record["id"]): dict(record) for record in new}

    def _usual_faults(self) -> None:
        self._billy.switch(faults=[Fault.model_validate(fault) for fault in self._faults])

    def _usual_limit(self) -> None:
        usual = self._history.switches
        self._billy.switch(rate_limit=usual.get("rate_limit"), retry_after=usual.get("retry_after", "none"))

    def _made(self, edit: Edit) -> list[str]:
        """Records whose making is on record: one whose outcome is still open would be made again, and rightly so."""
        query = text("SELECT billy_id FROM billy.billy_bulk_job_items WHERE status = 'created' ORDER BY billy_id")
        try:
            with self._engine.connect() as connection:
                known = connection.execute(query).scalars()
                there = self._billy.books.records(edit.plural)
                return [record_id for record_id in known if record_id in there]
        except DBAPIError:  # PostgreSQL is away just now
            return []
