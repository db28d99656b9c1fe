"""Exported files: what a Danish Excel, another program and an import read in them."""

from __future__ import annotations

import csv
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from billy_pipelines.bulk.reading import read_upload
from billy_pipelines.exports.exporting import ExportError, Format, columns_of, default_columns, export_file
from billy_pipelines.exports.tables import schemas_of
from billy_pipelines.files.snapshots import Manifest, Snapshot, SnapshotDamaged, write_snapshot
from billy_pipelines.files.table import Limits
from billy_pipelines.schemas.cleaning import clean_text
from billy_pipelines.schemas.reading_options import ReadingOptions
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines_tests.exports.books import HOSTILE

TAKEN_AT = datetime.fromisoformat("2026-11-25T03:15:07+00:00")
ORIGIN = {"billyOrganization": "org-1", "billySnapshot": "2026-11-25T03:15:07Z"}
Cells = dict[str, str | None]


def snapshot_of(resource: str, rows: list[Cells], folder: Path) -> Snapshot:
    """A snapshot that says these rows and nothing else."""
    schemas = schemas_of(RESOURCES[resource])
    tables = {name: schema.empty_table() for name, schema in schemas.items()}
    names = schemas["rows"].names
    tables["rows"] = pa.table({name: [row.get(name) for row in rows] for name in names}, schema=schemas["rows"])
    about = Manifest(
        organization="default",
        billy_organization_id="org-1",
        company_name="Prøveselskab",
        resource=resource,
        day=date(2026, 11, 25),
        taken_at=TAKEN_AT,
    )
    return write_snapshot(folder / resource / "2026-11-25", about, tables)


@pytest.fixture
def invoice(tmp_path: Path) -> Snapshot:
    """One invoice with one line."""
    row: Cells = {"id": "inv1", "entryDate": "2026-04-01", "quantity": "1250.5", "unitPrice": "-3", "orderNo": "0800"}
    return snapshot_of("invoices", [row], tmp_path)


INVOICE_COLUMNS = ("id", "entryDate", "quantity", "unitPrice", "orderNo")


def test_a_danish_excel_opens_the_csv_right(invoice: Snapshot, tmp_path: Path) -> None:
    done = export_file(invoice, format="csv", columns=INVOICE_COLUMNS, out=tmp_path / "ud" / "f.csv")
    assert done.rows == 1
    assert done.path.read_bytes() == (
        b"\xef\xbb\xbfid;entryDate;quantity;unitPrice;orderNo;billyOrganization;billySnapshot\r\n"
        b'inv1;01-04-2026;1250,5;-3;"=""0800""";org-1;2026-11-25T03:15:07Z\r\n'
    )
    assert done.path.stat().st_mode & 0o777 == 0o600


def test_the_international_csv_is_plain(invoice: Snapshot, tmp_path: Path) -> None:
    done = export_file(invoice, format="csv", columns=INVOICE_COLUMNS, locale="en", out=tmp_path / "f.csv")
    assert done.path.read_bytes() == (
        b"\xef\xbb\xbfid,entryDate,quantity,unitPrice,orderNo,billyOrganization,billySnapshot\r\n"
        b"inv1,2026-04-01,1250.5,-3,0800,org-1,2026-11-25T03:15:07Z\r\n"
    )


def test_a_workbook_has_real_numbers_and_dates_and_text_that_stays_text(invoice: Snapshot, tmp_path: Path) -> None:
    done = export_file(invoice, format="xlsx", columns=INVOICE_COLUMNS, out=tmp_path / "f.xlsx")
    header, row = CalamineWorkbook.from_path(str(done.path)).get_sheet_by_index(0).to_python()
    assert header == [*INVOICE_COLUMNS, *ORIGIN]
    assert row == ["inv1", date(2026, 4, 1), 1250.5, -3.0, "0800", *ORIGIN.values()]


def test_json_has_numbers_booleans_and_lists_of_its_own(tmp_path: Path) -> None:
    row: Cells = {"id": "prd1", "name": "Vare", "unitPrice": "125.5", "isArchived": "false"}
    row["prices"] = '[{"currencyId": "EUR", "unitPrice": "17"}]'
    snapshot = snapshot_of("products", [row, {"id": "prd2"}], tmp_path)
    columns = ("id", "name", "unitPrice", "isArchived", "prices")
    wanted: list[dict[str, Any]] = [
        {
            **row,
            "unitPrice": 125.5,
            "isArchived": False,
            "prices": [{"currencyId": "EUR", "unitPrice": "17"}],
            **ORIGIN,
        },
        {"id": "prd2", "name": None, "unitPrice": None, "isArchived": None, "prices": None, **ORIGIN},
    ]
    whole = export_file(snapshot, format="json", columns=columns, out=tmp_path / "f.json").path
    assert json.loads(whole.read_text(encoding="utf-8")) == wanted
    lines = export_file(snapshot, format="ndjson", columns=columns, out=tmp_path / "f.ndjson").path
    assert [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()] == wanted


def test_parquet_is_typed_by_the_columns_not_by_the_data(invoice: Snapshot, tmp_path: Path) -> None:
    empty = snapshot_of("invoices", [], tmp_path / "tom")
    full = export_file(invoice, format="parquet", out=tmp_path / "a.parquet").path
    none = export_file(empty, format="parquet", out=tmp_path / "b.parquet").path
    assert pq.read_schema(full) == pq.read_schema(none)
    assert pq.read_table(full).to_pylist()[0]["entryDate"] == date(2026, 4, 1)
    assert pq.read_schema(full).field("quantity").type == pa.float64()


def test_filters_are_read_as_cells_are(tmp_path: Path) -> None:
    rows: list[Cells] = [
        {"id": "1", "name": "A", "country": "DK", "isArchived": "false"},
        {"id": "2", "name": "B", "country": "DE", "isArchived": "false"},
        {"id": "3", "name": "C", "country": "DK", "isArchived": "true"},
        {"id": "4", "name": "D", "country": None, "isArchived": "false"},
    ]
    snapshot = snapshot_of("customers", rows, tmp_path)

    def found(*filters: str) -> str:
        out = export_file(snapshot, format="csv", filters=filters, columns=["name"], out=tmp_path / "f.csv").path
        return "".join(row["name"] for row in csv.DictReader(out.open(encoding="utf-8-sig"), delimiter=";"))

    assert found() == "ABCD"
    assert found("isArchived=false") == "ABD"
    assert found("isArchived=nej", "country=Danmark") == "A"
    assert found("country=") == "D"
    assert found("name=c") == "C"
    assert found("name=E") == ""
    sheet = export_file(snapshot, format="xlsx", filters=["country=DK"], columns=["name"], out=tmp_path / "f.xlsx")
    assert len(CalamineWorkbook.from_path(str(sheet.path)).get_sheet_by_index(0).to_python()) == sheet.rows + 1 == 3


def test_the_seeds_columns_are_the_usual_ones_of_customers() -> None:
    wanted = ("id", "name", "email", "phone", "address", "city", "zipcode", "country", "vatNo")
    assert default_columns("customers") == wanted
    assert {"isArchived", "country"} <= set(columns_of("customers"))


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ({"columns": ["navn"]}, "zipcode"),
        ({"filters": ["land=DK"]}, "country"),
        ({"filters": ["country"]}, "country=DK"),
        ({"filters": ["isArchived=måske"]}, "isArchived"),
        ({"filters": ["country=DK", "country=DE"]}, "country"),
        ({"format": "pdf"}, "xlsx"),
        ({"locale": "sv"}, "da"),
    ],
)
def test_what_cannot_be_exported_is_said_with_what_can(how: dict[str, Any], named: str, tmp_path: Path) -> None:
    snapshot = snapshot_of("customers", [], tmp_path)
    with pytest.raises(ExportError, match=named):
        export_file(snapshot, **{"format": "csv", "out": tmp_path / "f.csv", **how})
    assert not (tmp_path / "f.csv").exists()


def test_a_damaged_snapshot_leaves_no_half_file(tmp_path: Path) -> None:
    snapshot = snapshot_of("customers", [{"id": "1"}], tmp_path)
    path = snapshot.path("rows")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(SnapshotDamaged, match="again"):
        export_file(snapshot, format="csv", out=tmp_path / "f.csv")
    assert [entry.name for entry in tmp_path.iterdir()] == ["customers"]


TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30)


@given(texts=st.lists(TEXTS, min_size=1, max_size=8))
@example(texts=list(HOSTILE))
@example(texts=["\r", "a\rb", "\x01", "_x000D_", '="0800"', "'=1", '""', ";", "\t=1", "#RYD"])
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back_as_it_was(texts: list[str], tmp_path: Path) -> None:
    rows: list[Cells] = [
        {"id": f"ctc{n}", "name": f"Navn {n}", "address": text or None} for n, text in enumerate(texts)
    ]
    snapshot = snapshot_of("customers", rows, tmp_path)
    wanted = clean_text(pd.Series([text or "" for text in texts], dtype="str")).tolist()
    for form, locale in ((Format.csv, "da"), (Format.csv, "en"), (Format.xlsx, "da"), (Format.json, "da")):
        columns = ("id", "name", "address")
        out = export_file(snapshot, format=form, columns=columns, locale=locale, out=tmp_path / f"f.{form}").path
        upload = read_upload(out, RESOURCES["customers"].schema, ReadingOptions(), Limits())
        found = clean_text(upload.fields.cells["address"]).tolist()
        assert [_lines(text) for text in found] == [_lines(text) for text in wanted], (form, locale)


def _lines(text: str) -> str:
    """Which sign ends a line is left to the form."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
