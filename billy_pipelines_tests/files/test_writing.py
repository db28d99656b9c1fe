"""Writing: files run nothing in a spreadsheet, belong to their owner, and are there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billy_pipelines.files.reading import read_table
from billy_pipelines.files.writing import make_folder, safe_cell, write_bytes, write_rows, write_text
from billy_pipelines.schemas.cleaning import clean_text


def cleaned(*cells: str) -> list[str]:
    return list(clean_text(pd.Series(list(cells), dtype="str")))


@pytest.mark.parametrize(
    "cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-", "=", "+", "- Prøve"]
)
def test_what_a_spreadsheet_would_run_is_made_safe_and_reads_back_equal(cell: str) -> None:
    assert safe_cell(cell) == f"'{cell}"
    assert cleaned(safe_cell(cell)) == cleaned(cell)


@pytest.mark.parametrize(
    "cell", ["-5", "+5", "-1.250,00", "+45 12 34 56 78", "+45(12)345678", "-10 %", "12-34", "a=b", "", "'t Hof"]
)
def test_numbers_and_telephone_numbers_stay(cell: str) -> None:
    assert safe_cell(cell) == cell


@pytest.mark.timeout(60)  # a pattern that tries every way takes hours
def test_a_very_long_cell_is_judged_in_one_go() -> None:
    cell = "+" + "1" * 100_000 + "x"
    assert safe_cell(cell) == f"'{cell}"
    assert safe_cell("-" + "1 " * 50_000) == "-" + "1 " * 50_000


def test_none_is_an_empty_cell() -> None:
    assert safe_cell(None) == ""


@example("\n")
@example("\t\u200b'")
@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_any_cell_means_the_same_after_it_was_made_safe(cell: str) -> None:
    assert cleaned(safe_cell(cell)) == cleaned(cell)
    assert safe_cell(safe_cell(cell)) == safe_cell(cell)


def test_a_file_has_a_bom_and_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    write_rows(path, ["navn", "=cmd()"], [["Åse", "=1"], ["B;b", 3]])
    assert path.read_bytes().decode("utf-8-sig").splitlines() == ["navn;'=cmd()", "Åse;'=1", '"B;b";3']
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_table(path).header == ["navn", "'=cmd()"]


SIGNS = st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("=+-@\t\r\n'\";,|")
CELLS = st.text(SIGNS, max_size=12)


@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=5), delimiter=st.sampled_from(";,\t|"))
def test_what_is_written_reads_back_equal(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str
) -> None:
    path = tmp_path_factory.mktemp("written") / "rejected.csv"
    write_rows(path, ["navn", "by", "land"], [["x", *row] for row in rows] + [["y", "", ""]], delimiter=delimiter)
    table = read_table(path)
    assert (table.header, table.delimiter) == (["navn", "by", "land"], delimiter)
    written = [["x", *row] for row in rows] + [["y", "", ""]]
    assert [cleaned(*row) for row in table.cells.to_numpy().tolist()] == [cleaned(*row) for row in written]


def test_thirty_thousand_rows_are_all_written(tmp_path: Path) -> None:
    row = ["Æblehaven A/S", "a@b.example", "+45 12 34 56 78", "0800", "-12,50", "=1+1", 3, "email", "x", "email_form"]
    write_rows(tmp_path / "rejected.csv", list("abcdefghij"), [row] * 30_000)
    assert (tmp_path / "rejected.csv").read_text(encoding="utf-8-sig").count("\n") == 30_001


def test_bytes_are_written_whole_and_for_their_owner_only(tmp_path: Path) -> None:
    write_bytes(tmp_path / "template.xlsx", b"PK\r\n")
    assert (tmp_path / "template.xlsx").read_bytes() == b"PK\r\n"
    assert (tmp_path / "template.xlsx").stat().st_mode & 0o777 == 0o600


def test_a_file_is_replaced_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    write_rows(path, ["a"], [["old"]])

    def broken() -> Iterator[list[str]]:
        yield ["new"]
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        write_rows(path, ["a"], broken())
    assert "old" in path.read_text(encoding="utf-8-sig")
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.csv"]


def test_what_an_earlier_process_left_does_not_lend_its_mode(tmp_path: Path) -> None:
    left = tmp_path / ".report.md.part"
    left.write_text("half")
    left.chmod(0o666)
    write_text(tmp_path / "report.md", "whole\n")
    assert (tmp_path / "report.md").read_text() == "whole\n"
    assert (tmp_path / "report.md").stat().st_mode & 0o777 == 0o600
    assert not left.exists()


def test_folders_are_for_their_owner_only_all_the_way(tmp_path: Path) -> None:
    make_folder(tmp_path / "jobs" / "one" / "again")
    make_folder(tmp_path / "jobs" / "one" / "again")
    for folder in ("jobs", "jobs/one", "jobs/one/again"):
        assert (tmp_path / folder).stat().st_mode & 0o777 == 0o700
