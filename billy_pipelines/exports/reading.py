"""Reading a whole register out of Billy onto disk: pages in, Parquet out, and in memory little but the ids.

The list is proved whole by `billy/listing.py` (distinct ids equal to Billy's total, read again while they differ). Each
reading goes into files of its own; which of them count is known when the proof is there.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import UnexpectedAnswer
from billy_pipelines.billy.listing import Page, Proof, Query, RawRecord, prove
from billy_pipelines.billy.models import Record
from billy_pipelines.exports.tables import batches_of, export_of, parent_column, schemas_of
from billy_pipelines.files.snapshots import SnapshotWriter
from billy_pipelines.schemas.export import Children
from billy_pipelines.schemas.references import list_if_offered
from billy_pipelines.schemas.resource import Resource

OnProgress = Callable[[int, int | None], None]
"""Records read so far, and how many there are (None before Billy has said)."""
MOST_ASKED = 5_000
"""Records whose children are asked for one by one, where a list brings none: a quarter of an hour at 5 a second."""


@dataclass
class _Segment:
    """One reading of a list on disk."""

    writer: SnapshotWriter
    seen: set[str] = field(default_factory=set)


class Register:
    """One resource's records on their way from Billy to disk."""

    def __init__(
        self,
        client: BillyClient,
        resource: Resource[Any],
        references: Any,
        folder: Path,
        on_progress: OnProgress | None,
    ) -> None:
        self._client, self._resource, self._references = client, resource, references
        self._folder = folder
        self._on_progress = on_progress or (lambda _read, _total: None)
        self._export = export_of(resource)
        self._schemas = schemas_of(resource)
        self._children = _ChildrenReader(client, self._export.children)
        self._begun: list[_List] = []
        self._lists: list[tuple[_List, Proof]] = []
        self.readings = 0

    @property
    def unread_children(self) -> int:
        """Records whose children Billy would not tell."""
        return self._children.unread

    async def read(self) -> SnapshotWriter:
        """Read everything, archived records too, and give the tables, ready to be sealed.

        Whether a list without `isArchived` holds archived records is unknown, and unknown parameters are ignored
        (observed): so they are asked for when none came, and the answer is checked before it is believed.

        Raises:
            BillyError, OSError
        """
        try:
            plain = await self._list(self._export.query)
            if self._resource.archive is not None and not plain.has_archived:
                only: Query = {**self._export.query, "isArchived": "true"}
                page = await self._client.first_page(self._resource.endpoint, only)
                known = self._lists[0][1].reading_of
                if page and all(raw.get("isArchived") for raw in page) and str(page[0].get("id")) not in known:
                    await self._list(only)
            return await asyncio.to_thread(self._assembled)
        except BaseException:
            for one in self._begun:
                one.forget(one.last + 1)
            raise

    async def _list(self, query: Query) -> _List:
        one = _List(self, self._folder / f"list{len(self._lists)}")
        self._begun.append(one)
        proof = await prove(lambda asked: self._client.page(self._resource.endpoint, asked), query, one)
        self._lists.append((one, proof))
        self.readings = max(self.readings, proof.readings)
        return one

    async def batches(self, page: Page) -> dict[str, pa.RecordBatch]:
        """A page as rows of every table."""
        raw = await self._children.embed(page)
        return await asyncio.to_thread(self._batches, raw)

    def _batches(self, raw: Sequence[RawRecord]) -> dict[str, pa.RecordBatch]:
        records = [record for each in raw if self._export.belongs(record := self._record(each))]
        return batches_of(self._resource, self._schemas, records, self._references)

    def _record(self, raw: RawRecord) -> Record:
        try:
            record: Record = self._export.model.model_validate(raw)
        except ValidationError as error:
            keys = ", ".join(sorted({str(fault["loc"][0]) for fault in error.errors(include_input=False)}))
            raise UnexpectedAnswer(
                f"The {self._resource.singular} {raw.get('id')} cannot be read: {keys} is not what Billy documents."
            ) from None
        return record

    def writer(self, folder: Path) -> SnapshotWriter:
        """Where rows of every table go."""
        folder.mkdir(mode=0o700, parents=True)
        return SnapshotWriter(folder, self._schemas)

    def progress(self, read: int, total: int | None) -> None:
        """Tell whoever wants to know."""
        before = sum(len(proof.reading_of) for _, proof in self._lists)
        self._on_progress(before + read, None if total is None else before + total)

    def _assembled(self) -> SnapshotWriter:
        """The readings that count, as one; nearly always there is just one, and nothing is copied."""
        parts: list[tuple[_Segment, set[str]]] = []
        taken: set[str] = set()
        for one, proof in self._lists:
            for number, segment in one.segments.items():
                ids = {record for record, reading in proof.reading_of.items() if reading == number} - taken
                if ids:
                    parts.append((segment, ids))
            taken |= proof.reading_of.keys()
        for one, _ in self._lists:
            for segment in one.segments.values():
                segment.writer.close()
        if not parts:
            return self.writer(self._folder / "whole")
        if len(parts) == 1 and parts[0][0].seen == parts[0][1]:
            return parts[0][0].writer
        whole = self.writer(self._folder / "whole")
        for segment, ids in parts:
            wanted = pa.array(ids, pa.string())
            for name in self._schemas:
                column = parent_column(self._resource, name)
                with pq.ParquetFile(segment.writer.folder / f"{name}.parquet") as file:
                    for batch in file.iter_batches(batch_size=10_000):
                        whole.add(name, batch.filter(pc.is_in(batch.column(column), wanted)))
        return whole


class _List:
    """One list while it is being proved whole (`listing.Keeper`)."""

    def __init__(self, register: Register, folder: Path) -> None:
        self._register, self._folder = register, folder
        self._writing = asyncio.Lock()
        self.segments: dict[int, _Segment] = {}
        self.has_archived = False

    async def take(self, reading: int, _place: int, page: Page) -> None:
        """Write a page's records down, each id once a reading."""
        if reading not in self.segments:
            self.segments[reading] = _Segment(self._register.writer(self._folder / str(reading)))
        segment = self.segments[reading]
        fresh = {str(raw["id"]): raw for raw in page.records if raw.get("id") and str(raw["id"]) not in segment.seen}
        segment.seen |= fresh.keys()
        self.has_archived |= any(raw.get("isArchived") for raw in fresh.values())
        batches = await self._register.batches(Page(list(fresh.values()), page.paging, page.root))
        async with self._writing:
            await asyncio.to_thread(_write, segment, batches)
        self._register.progress(len(segment.seen), page.paging.total)

    @property
    def last(self) -> int:
        """The number of the last reading."""
        return max(self.segments, default=0)

    def forget(self, before: int) -> None:
        """Readings before that one are gone."""
        for reading in [number for number in self.segments if number < before]:
            segment = self.segments.pop(reading)
            segment.writer.abandon()
            shutil.rmtree(segment.writer.folder, ignore_errors=True)


def _write(segment: _Segment, batches: dict[str, pa.RecordBatch]) -> None:
    for name, batch in batches.items():
        segment.writer.add(name, batch)


class _ChildrenReader:
    """What hangs on records: embedded, beside them in the answer, in a list of its own, or asked for one by one."""

    def __init__(self, client: BillyClient, children: Children | None) -> None:
        self._client, self._children = client, children
        self._listed: dict[str, list[RawRecord]] | None = None
        self._list_tried = False
        self._asked = 0
        self._lock = asyncio.Lock()
        self.unread = 0

    async def embed(self, page: Page) -> list[RawRecord]:
        """The records of a page with their children in them."""
        children = self._children
        if children is None:
            return page.records
        beside = page.root.get(children.plural)
        grouped = _grouped(beside, children.parent) if isinstance(beside, list) else None
        found = []
        for raw in page.records:
            rows = raw.get(children.field)
            if not isinstance(rows, list):
                rows = await self._rows(children, raw) if grouped is None else grouped.get(str(raw["id"]), [])
            if rows is None:
                found.append({key: value for key, value in raw.items() if key != children.field})
            else:
                found.append({**raw, children.field: [{**row, children.parent: raw["id"]} for row in rows]})
        return found

    async def _rows(self, children: Children, raw: RawRecord) -> list[RawRecord] | None:
        record_id = str(raw["id"])
        async with self._lock:
            if not self._list_tried:
                self._list_tried = True
                listed = await list_if_offered(self._client, children.plural)
                self._listed = _grouped(listed[0].values(), children.parent) if listed else None
            # Whether that list holds the children of archived records is unknown: without any, such a one is asked for.
            if self._listed is not None and (record_id in self._listed or not raw.get("isArchived")):
                return self._listed.get(record_id, [])
            if self._asked >= MOST_ASKED:
                self.unread += 1
                return None
            self._asked += 1
            answer = await list_if_offered(self._client, children.plural, {children.parent: record_id})
        if answer is None:
            self._asked = MOST_ASKED  # one that is refused is refused for all
            self.unread += 1
            return None
        return [row for row in answer[0].values() if str(row.get(children.parent)) == record_id]


def _grouped(rows: Any, parent: str) -> dict[str, list[RawRecord]]:
    grouped: dict[str, list[RawRecord]] = {}
    for row in rows:
        if isinstance(row, dict) and row.get("id"):
            grouped.setdefault(str(row.get(parent)), []).append(row)
    return grouped
