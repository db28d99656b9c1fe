"""Damage done to cells before they came here: a spreadsheet's errors, numbers it cut short, wrongly decoded text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from billy_pipelines.schemas.mojibake import DAMAGED, repair
from billy_pipelines.schemas.whole_column import Mask, arrow, bool_series, mask_of, matches

__all__ = ["Faults", "find_faults", "repair"]


@dataclass(frozen=True)
class Faults:
    """Damaged cells of a column."""

    excel_error: pd.Series[bool]
    """`#I/T`, `#REF!`, `########`."""
    digits_lost: pd.Series[bool]
    """`5,79E+12`."""
    mojibake: pd.Series[bool]
    """`SÃ¸ren`; `repair` may know what it was."""


# As Excel and LibreOffice show them in English, Danish, Norwegian, Swedish and German.
_EXCEL_ERROR = (
    r"(?i)^(?:#{3,}|err:[0-9]{3}|#(?:i/t|n/a|n/v|nv|saknas!|navn\?|name\?|namn\?|reference!|ref!|referens!|bezug!"
    r"|v.{1,2}rdi!|verdi!|value!|värdefel!|wert!|division/0!|div/0!|nul!|null!|num!|tall!|zahl!|ogiltigt!"
    r"|overløb!|spill!|beregn!|calc!|felt!|field!|getting_data|blocked!|blokeret!|unknown!|ukendt!|connect!|busy!))$"
)
_EXPONENT = r"^[+-]?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,}$"  # as spreadsheets write it; a product number `12E5` is none


def find_faults(column: pd.Series[str]) -> Faults:
    """The damaged cells of a column: 0.1 s for 1,000,000 cells of ASCII, 0.3 s when each has an æ, ø or å."""
    cells = arrow(column)
    excel_error = mask_of(pc.or_(pc.starts_with(cells, "#"), pc.starts_with(cells, "err:", ignore_case=True)))
    digits_lost = mask_of(pc.match_substring(cells, "e+", ignore_case=True))
    mojibake = ~mask_of(pc.string_is_ascii(cells))
    return Faults(
        excel_error=bool_series(_of_these(cells, excel_error, _EXCEL_ERROR), column),
        digits_lost=bool_series(_lacking_digits(cells, _of_these(cells, digits_lost, _EXPONENT)), column),
        mojibake=bool_series(_of_these(cells, mojibake, DAMAGED), column),
    )


def _of_these(cells: pa.Array, suspects: Mask, pattern: str) -> Mask:
    """Those of the suspects that fit; few are suspect, so the pattern costs nothing."""
    found = suspects.copy()
    if suspects.any():
        found[suspects] = matches(cells.filter(pa.array(suspects)), pattern)
    return found


def _lacking_digits(cells: pa.Array, with_exponent: Mask) -> Mask:
    found = with_exponent.copy()
    if with_exponent.any():
        texts = cells.filter(pa.array(with_exponent)).to_pylist()
        found[with_exponent] = np.fromiter((_lacks_digits(text) for text in texts), dtype=np.bool_)
    return found


def _lacks_digits(text: str) -> bool:
    """Whether the exponent asks for more digits than stand behind the decimal sign: `1,2345E+04` has all of them."""
    mantissa, _, exponent = text.upper().partition("E+")
    decimals = max(len(mantissa.lstrip("+-")) - 2, 0)
    return len(exponent) > 6 or int(exponent) > decimals
