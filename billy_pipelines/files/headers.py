"""Which column of a file is which field: exact names and aliases, without regard to case, blanks, signs and accents."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from billy_pipelines.files.table import UnreadableFile


@dataclass(frozen=True)
class HeaderMap:
    """`fields`: field name -> column name in the file. `unknown`: columns not used -> the nearest field, or ''."""

    fields: dict[str, str]
    unknown: dict[str, str]

    def column_of(self, field: str) -> str:
        """The column as named in the file, for error messages."""
        return self.fields.get(field, field)


def folded(name: str) -> str:
    """A header name as it is compared."""
    text = unicodedata.normalize("NFKD", name.casefold().replace("ø", "o").replace("æ", "ae").replace("å", "a"))
    return re.sub(r"[^a-z0-9]", "", text)


def map_headers(header: Iterable[str], fields: Mapping[str, Iterable[str]], required: Iterable[str]) -> HeaderMap:
    """Match the columns of a file to fields; `fields` gives each field's aliases.

    Raises:
        UnreadableFile: a required column is missing, or two columns claim one field.
    """
    known = {folded(alias): field for field, aliases in fields.items() for alias in (field, *aliases)}
    found: dict[str, str] = {}
    unknown: dict[str, str] = {}
    names = list(header)
    for name in names:
        field = known.get(folded(name))
        if field is None:
            nearest = difflib.get_close_matches(folded(name), known, n=1, cutoff=0.75)
            unknown[name] = known[nearest[0]] if nearest else ""
        elif field in found:
            raise UnreadableFile(
                "two_columns_one_field", f"The columns {found[field]!r} and {name!r} both mean {field}. Remove one."
            )
        else:
            found[field] = name
    missing = [field for field in required if field not in found]
    if missing:
        raise UnreadableFile(
            "missing_column",
            f"The file has no column {' and no column '.join(missing)}. Its columns are: "
            f"{', '.join(name if len(name) <= 40 else f'{name[:40]}…' for name in names)}. "
            f"Known names: {', '.join(fields)}.",
        )
    return HeaderMap(found, unknown)
