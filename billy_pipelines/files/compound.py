"""Headers that are not one field each: several columns for one field (Adresse 1, Adresse 2), one for two (Post/By).

Header names are given folded, as `headers.folded` makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from billy_pipelines.schemas import text_faults
from billy_pipelines.schemas.cleaning import CLEAR_MARKS

WHOLE = 1
"""The part that the column of the field itself is: Adresse stands where Adresse 1 would."""
CARE_OF = 9

_LINES = {
    WHOLE: ("adresse1", "address1", "adresselinje1", "addressline1", "street1", "gade1"),
    2: ("adresse2", "address2", "adresselinje2", "addressline2", "street2", "gade2", "adresse2linje"),
    3: ("adresse3", "address3", "adresselinje3", "addressline3", "street3", "gade3"),
    CARE_OF: ("co", "coadresse", "conavn", "careof"),
}
PARTS: Mapping[str, tuple[str, int]] = {name: ("address", part) for part, names in _LINES.items() for name in names}
"""Header -> the field it is a part of, and its place among the parts."""
PARTED = frozenset(field for field, _ in PARTS.values())

_NAMES = {
    1: ("fornavn", "fornavne", "firstname", "givenname"),
    2: ("mellemnavn", "mellemnavne", "middlename", "additionalname"),
    3: ("efternavn", "lastname", "familyname", "surname"),
}
PERSON_PARTS: Mapping[str, int] = {name: part for part, names in _NAMES.items() for name in names}
"""Header -> its place in a person's name. First and last name must both be there."""
PERSON_FIELDS = (("name", "contactPerson"), ("contactName", "attention"))
"""What a person's name in parts is: the name, where no column gives one, otherwise the person to write to."""


@dataclass(frozen=True)
class Combined:
    """A column that holds two fields; a mapping names it by `zipcode+city`."""

    fields: tuple[str, ...]
    headers: tuple[str, ...]
    split: Callable[[pd.Series[str]], tuple[pd.Series[str], ...]]


_POSTCODE_AND_TOWN = (
    r"^(?i:dk[- ]*)?(?P<zipcode>(?:[A-Za-z]{1,2}-)?(?:[0-9]{3} [0-9]{2}|[0-9]{2}-[0-9]{3}|[0-9]{3,6}))"
    r"(?:[\s,]+(?P<city>[^0-9\s].*))?$"
)
"""`8000 Aarhus C`, `DK-8000 Aarhus C`, `SE-211 20 Malmö`; a foreign prefix belongs to the postcode."""


def postcode_and_town(column: pd.Series[str]) -> tuple[pd.Series[str], pd.Series[str]]:
    """Cells such as `8000 Aarhus C` as postcode and town; what does not begin with a postcode is a town as it is.

    A mark that clears a field (`#RYD`) clears both.
    """
    cells = column.str.strip()
    found = pc.extract_regex(pa.array(cells), pattern=_POSTCODE_AND_TOWN)
    matched = pd.Series(found.is_valid().to_numpy(zero_copy_only=False), index=column.index)
    postcode, town = (_text(pc.struct_field(found, name), column.index) for name in ("zipcode", "city"))
    town = town.where(matched, cells)
    if cells.str.startswith("#").any():
        postcode = postcode.mask(_is_mark(cells), cells)
    return postcode, town


def _text(values: pa.Array, index: pd.Index) -> pd.Series[str]:
    return pd.Series(pc.fill_null(values, "").to_pandas(), index=index, dtype="str")


COMBINED: Mapping[str, Combined] = {
    "zipcode+city": Combined(
        fields=("zipcode", "city"),
        headers=(
            "postby",
            "postnrby",
            "postnrogby",
            "postnummerby",
            "postnummerogby",
            "postogby",
            "zipcity",
            "postalcodecity",
        ),
        split=postcode_and_town,
    )
}


def joined(parts: Sequence[tuple[str, pd.Series[str]]]) -> pd.Series[str]:
    """The cells of several columns, by folded header, joined with a blank; blank ones leave no gap.

    An error of the spreadsheet's in one part stands for the whole, so that it is seen and not sent inside a street. A
    mark that clears a field counts only where no part says anything.
    """
    result: pd.Series[str] | None = None
    marked: pd.Series[bool] | None = None
    faults: list[tuple[pd.Series[bool], pd.Series[str]]] = []
    for header, column in parts:
        part = column.str.strip()
        if part.str.startswith("#").any():
            marks, errors = _is_mark(part), text_faults.find_faults(part).excel_error
            marked = marks if marked is None else marked | marks
            faults.append((errors, part))
            part = part.mask(marks, "")
        if header in PARTS and PARTS[header][1] == CARE_OF:
            named = part.str.match(r"(?i)c\s*/?\s*o\b")
            part = part.mask((part != "") & ~named, "c/o " + part)
        result = part if result is None else (result + " " + part).str.strip()
    assert result is not None, "at least one column"  # noqa: S101 - what every caller has
    if marked is not None:
        result = result.mask(marked & (result == ""), next(iter(sorted(CLEAR_MARKS))))
    for errors, part in faults:
        result = result.mask(errors, part)
    return result


def _is_mark(column: pd.Series[str]) -> pd.Series[bool]:
    return column.str.upper().isin(CLEAR_MARKS)
