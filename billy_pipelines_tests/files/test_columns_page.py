"""The page of columns in docs/ is the one the code makes."""

from __future__ import annotations

from billy_pipelines.files.columns_page import page
from billy_pipelines.schemas.registry import SCHEMAS
from billy_pipelines.settings import PROJECT_ROOT


def test_the_page_in_docs_is_up_to_date() -> None:
    """`make docs` writes it anew."""
    assert (PROJECT_ROOT / "docs" / "columns.md").read_text(encoding="utf-8") == page(SCHEMAS.values())


def test_every_column_is_on_it() -> None:
    text = page(SCHEMAS.values())
    assert all(f"`{column.name}`" in text for schema in SCHEMAS.values() for column in schema.columns)
