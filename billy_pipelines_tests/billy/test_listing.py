"""Whole lists: what paging repeats and loses, what changes while it is read, and what is refused as no proof."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from billy_pipelines.billy import BillyError, ListingUnstable, NotFound, TokenRefused, UnexpectedAnswer, listing
from billy_pipelines.billy.listing import PASSES_WITHOUT_NEWS, Query
from billy_pipelines.sandbox import SandboxServer

from ..support import NoLimit, Server, open_client_for
from .imitation import Imitation, Reply, Seen, contacts, page

Imitate = Callable[[Callable[[Seen], Reply]], Imitation]
Listing = tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]


def read(server: Server, query: Query | None = None, *, limiter: NoLimit | None = None) -> Listing:
    """All contacts by id, and the roots of the pages they came from."""

    async def go() -> Listing:
        async with open_client_for(server, limiter=limiter) as client:
            return await client.list("contacts", query or {})

    return asyncio.run(go())


def ids_of(found: Listing) -> set[str]:
    return set(found[0])


class Between(NoLimit):
    """Something happens just before a request leaves; requests count from 1."""

    def __init__(self, request: int, event: Callable[[], Any]) -> None:
        super().__init__()
        self._request, self._event = request, event

    async def acquire(self) -> None:
        await super().acquire()
        if self.permits == self._request:
            self._event()


def add(server: SandboxServer, count: int, start: int = 0) -> list[str]:
    return server.sandbox.add_contacts({"name": f"Kontakt {number:05d}"} for number in range(start, start + count))


def readings(*passes: tuple[int, Sequence[Sequence[int]]]) -> Callable[[Seen], Reply]:
    """A list that is read several times: each time its total, and the numbers on each page; the last stays."""
    script: Iterator[tuple[int, Sequence[Sequence[int]]]] = iter(passes)
    now: tuple[int, Sequence[Sequence[int]]] = (0, [])

    def answer(seen: Seen) -> Reply:
        nonlocal now
        number = int(seen.query["page"])
        if number == 1:
            now = next(script, now)
        total, pages = now
        return Reply(body=page(contacts(*pages[number - 1]), total=total, page=number, pageCount=len(pages)))

    return answer


# -- several pages -----------------------------------------------------------------------------------------------------


def test_every_page_is_read_a_thousand_at_a_time(sandbox: SandboxServer) -> None:
    expected = add(sandbox, 2500)
    found, roots = read(sandbox, {"isArchived": "false"})
    assert list(found) == expected
    assert [len(root["contacts"]) for root in roots] == [1000, 1000, 500]
    queries = sorted(entry.query for entry in sandbox.sandbox.requests)
    assert queries == [f"isArchived=false&page={number}&pageSize=1000" for number in (1, 2, 3)]


@pytest.mark.parametrize("count", [0, 1, 999, 1000])
def test_one_page_costs_one_request(sandbox: SandboxServer, count: int) -> None:
    expected = add(sandbox, count)
    assert ids_of(read(sandbox)) == set(expected)
    assert len(sandbox.sandbox.requests) == 1


def test_what_is_loaded_beside_the_records_comes_with_every_page(sandbox: SandboxServer) -> None:
    bodies = [{"name": f"Kontakt {n}", "contactPersons": [{"email": f"{n}@kunde.example"}]} for n in range(1100)]
    sandbox.sandbox.add_contacts(bodies)
    found, roots = read(sandbox, {"include": "contact.contactPersons"})
    persons = {person["email"]: person["contactId"] for root in roots for person in root["contactPersons"]}
    assert len(persons) == 1100
    assert set(persons.values()) == set(found)


def test_how_many_pages_there_are_is_worked_out_where_billy_does_not_say(imitate: Imitate) -> None:
    numbers = {1: (0, 1), 2: (2, 3), 3: (4,)}
    server = imitate(lambda seen: Reply(body=page(contacts(*numbers[int(seen.query["page"])]), total=5, pageSize=2)))
    assert ids_of(read(server)) == {"c0", "c1", "c2", "c3", "c4"}
    assert len(server.seen) == 3


def test_addresses_in_an_answer_are_never_followed(imitate: Imitate) -> None:
    trap = imitate(lambda seen: Reply(body=page(contacts(9), total=1)))
    pages = {"1": contacts(0), "2": contacts(1)}
    urls = dict.fromkeys(("firstUrl", "nextUrl", "lastUrl", "previousUrl"), f"{trap.url}/contacts?page=2")
    server = imitate(lambda seen: Reply(body=page(pages[seen.query["page"]], total=2, pageCount=2, **urls)))
    assert ids_of(read(server)) == {"c0", "c1"}
    assert trap.seen == []
    assert [seen.path for seen in server.seen] == ["/v2/contacts"] * 2


# -- unstable paging ---------------------------------------------------------------------------------------------------


def test_pages_that_repeat_and_lose_rows_are_read_again_sorted(sandbox: SandboxServer) -> None:
    expected = add(sandbox, 2500)
    sandbox.sandbox.switch(unstable_paging=True)
    assert ids_of(read(sandbox)) == set(expected)
    queries = [entry.query for entry in sandbox.sandbox.requests]
    assert len(queries) == 6
    assert ["sortProperty=createdTime" in query for query in queries] == [False] * 3 + [True] * 3


def test_where_no_sort_helps_several_readings_together_are_whole(sandbox: SandboxServer) -> None:
    expected = add(sandbox, 2500)
    sandbox.sandbox.switch(unstable_paging=True, unlisted_sort="ignored")
    assert ids_of(read(sandbox)) == set(expected)
    assert len(sandbox.sandbox.requests) > 6, "nothing was reshuffled"


def test_a_sort_that_billy_refuses_is_not_asked_for_again(sandbox: SandboxServer) -> None:
    expected = add(sandbox, 2500)
    sandbox.sandbox.switch(unstable_paging=True, unlisted_sort="refused")
    assert ids_of(read(sandbox)) == set(expected)
    refused = [entry.query.rpartition("sortProperty=")[2] for entry in sandbox.sandbox.requests if entry.status == 400]
    assert [query.partition("&")[0] for query in refused] == ["createdTime", "name"]


def test_a_list_that_never_agrees_with_its_total_is_an_error(imitate: Imitate) -> None:
    server = imitate(readings((4, [[0, 1], [1, 2]])))
    with pytest.raises(ListingUnstable, match=r"has 4 records .* 7 readings of it gave 3 .* Nothing was written"):
        read(server)
    assert len(server.seen) == 2 * (1 + PASSES_WITHOUT_NEWS)


def test_more_records_than_the_total_are_an_error_too(imitate: Imitate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PASSES", 5)
    with pytest.raises(ListingUnstable, match="has 2 records"):
        read(imitate(readings((2, [[0, 1], [2]]))))


def test_records_without_an_id_prove_nothing(imitate: Imitate) -> None:
    nameless = [*contacts(0, 1), {"name": "Uden id"}]
    for total in (3, None):
        server = imitate(lambda seen, total=total: Reply(body=page(nameless, total=total)))  # type: ignore[misc]
        with pytest.raises(ListingUnstable):
            read(server)


# -- changes while it is read ------------------------------------------------------------------------------------------


def test_a_record_deleted_between_two_pages_neither_stays_nor_hides_another(sandbox: SandboxServer) -> None:
    expected = add(sandbox, 1500)
    gone = expected[3]
    found = read(sandbox, limiter=Between(2, lambda: sandbox.sandbox.delete_contact(gone)))
    assert ids_of(found) == {*expected} - {gone}
    assert len(sandbox.sandbox.requests) == 4


def test_a_record_made_between_two_pages_is_found(sandbox: SandboxServer) -> None:
    expected = add(sandbox, 1500)
    found = read(sandbox, limiter=Between(2, lambda: expected.extend(add(sandbox, 1, start=1500))))
    assert ids_of(found) == {*expected}
    assert len(expected) == 1501


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ([(4, [[0, 1], [1, 2]]), (3, [[1, 2], [2]]), (3, [[1, 2], [3]])], {"c1", "c2", "c3"}),
        ([(4, [[0, 1], [1, 2]]), (4, [[1, 3], [3, 4]]), (4, [[1, 2], [2, 3]])], {"c1", "c2", "c3", "c4"}),
        ([(3, [[0, 1], [1]]), (4, [[0, 1], [1, 2]]), (4, [[2, 3], [3]])], {"c0", "c1", "c2", "c3"}),
    ],
    ids=["deleted", "deleted and another made", "made"],
)
def test_what_changes_between_two_readings_is_not_mixed_up(
    imitate: Imitate, script: list[tuple[int, list[list[int]]]], expected: set[str]
) -> None:
    assert ids_of(read(imitate(readings(*script)))) == expected


def test_a_list_that_changes_all_the_time_is_an_error(imitate: Imitate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PASSES", 5)

    def answer(seen: Seen) -> Reply:
        return Reply(body=page(contacts(seen.number), total=100 + seen.number, pageCount=2))

    server = imitate(answer)
    with pytest.raises(ListingUnstable, match="changed its number of records again and again"):
        read(server)
    assert len(server.seen) == 2 * 5


# -- what proves nothing -----------------------------------------------------------------------------------------------


def test_an_answer_without_any_paging_is_the_whole_list(imitate: Imitate) -> None:
    server = imitate(lambda seen: Reply(body=page(contacts(0, 1, 2), total=None)))
    assert ids_of(read(server)) == {"c0", "c1", "c2"}
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (page(contacts(*range(1000)), total=None), "does not say how many"),
        ({"meta": {"paging": {"pageCount": 2}}, "contacts": contacts(0)}, "does not say how many"),
        (page([], total=7), "7 records but its first page is empty"),
        ({"meta": {"paging": {"total": "mange"}}, "contacts": []}, "paging that cannot be read"),
        ({"meta": {"paging": [1, 2]}, "contacts": []}, "paging that cannot be read"),
        ({"meta": {}, "contact": contacts(0)}, "no 'contacts' in it"),
        ({"meta": {}, "contacts": {"c0": {}}}, "no 'contacts' in it"),
        ({"meta": {}, "contacts": ["c0"]}, "no 'contacts' in it"),
    ],
)
def test_an_answer_that_cannot_be_proved_whole_is_refused(imitate: Imitate, body: Any, message: str) -> None:
    with pytest.raises(UnexpectedAnswer, match=message):
        read(imitate(lambda seen: Reply(body=body)))


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_a_list_that_does_not_exist_is_refused_at_once(imitate: Imitate) -> None:
    server = imitate(lambda seen: Reply(404, {"errorCode": "UNKNOWN_RESOURCE"}))
    with pytest.raises(NotFound, match="UNKNOWN_RESOURCE"):
        read(server)
    assert len(server.seen) == 1


@pytest.mark.parametrize(("status", "kind"), [(401, TokenRefused), (403, TokenRefused)])
def test_a_token_refused_later_is_not_taken_for_a_refused_sort(
    imitate: Imitate, status: int, kind: type[BillyError]
) -> None:
    incomplete = page(contacts(0), total=2)
    server = imitate(lambda seen: Reply(status) if "sortProperty" in seen.query else Reply(body=incomplete))
    with pytest.raises(kind):
        read(server)
    assert len(server.seen) == 2


def test_after_a_refusal_the_other_pages_are_given_up(imitate: Imitate) -> None:
    def answer(seen: Seen) -> Reply:
        return Reply(403) if seen.query["page"] == "2" else Reply(body=page(contacts(0), total=60, pageCount=60))

    async def go() -> int:
        async with open_client_for(server) as client:
            with pytest.raises(TokenRefused):
                await client.list("contacts", {})
            for _ in range(50):  # turns of the loop that the others have to end in, far fewer than 60 answers take
                await asyncio.sleep(0)
            return len(asyncio.all_tasks()) - 1

    server = imitate(answer)
    assert asyncio.run(go()) == 0
    assert len(server.seen) < 30
