"""What the fork server has done before the first process: everything imported, and used once.

A process of its own spends 1 s on the first file it reads: pandera, pyarrow and the engine's lazy imports.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from billy_pipelines.bulk.options import JobOptions
from billy_pipelines.bulk.reading import check_rows, read_upload
from billy_pipelines.files.table import Limits
from billy_pipelines.schemas.registry import RESOURCES
from billy_pipelines_tests.campaign import process

__all__ = ["process"]

FIRST_ROWS = {
    "customers": "name;city;email;contactNo\nA;B;a@b.example;1\n",
    "contacts": "name;city;email\nA;B;a@b.example\n",
    "products": "name;unitPrice\nA;1.50\n",
    "invoices": "invoice;contactNo;entryDate;productNo;quantity;unitPrice\n1;1;2026-02-03;1;1;10\n",
}

with tempfile.TemporaryDirectory() as _folder:
    for _name, _text in FIRST_ROWS.items():
        _file = Path(_folder) / f"{_name}.csv"
        _file.write_text(_text, encoding="utf-8")
        _schema = RESOURCES[_name].schema
        check_rows(read_upload(_file, _schema, JobOptions(), Limits()), _schema, JobOptions())
