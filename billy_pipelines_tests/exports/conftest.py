"""Books with a little of everything."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.exports.books import Books


@pytest.fixture
def books(settings: Settings, engine: Engine, sandbox: SandboxServer) -> Books:
    """Empty books."""
    return Books(settings, engine, sandbox)


@pytest.fixture
def full_books(books: Books) -> Books:
    """Books with everything in them that makes exported files go wrong."""
    books.fill()
    return books
