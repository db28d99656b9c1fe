"""What a person can say about how a file is to be read; everything left at its default is found out from the file."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator


class BlankMeans(StrEnum):
    """What an empty cell says about the field."""

    keep = "keep"
    clear = "clear"


class Decimal(StrEnum):
    """The sign before the decimals of a number."""

    auto = "auto"
    comma = "comma"
    point = "point"


class DateOrder(StrEnum):
    """Which of 03/04/2026 is the day. Written with a year in front, a date is read year-month-day in any case."""

    auto = "auto"
    day_first = "day_first"
    month_first = "month_first"


class Blanks(StrEnum):
    """Whether blank cells of a grouped line take the value of the row above."""

    auto = "auto"
    inherit = "inherit"
    keep = "keep"


class Stated(StrEnum):
    """Yes, no, or not said."""

    unknown = "unknown"
    true = "true"
    false = "false"


class Language(StrEnum):
    """The language of messages about rows."""

    en = "en"
    da = "da"


class ReadingOptions(BaseModel):
    """How a file is read. `JobOptions` adds what is done with its rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoding: str = Field(
        default="auto", description="Encoding of a text file: utf-8, utf-16, cp1252, cp865, mac_roman."
    )
    delimiter: str = Field(default="auto", description="What separates cells: one sign, or tab.")
    sheet: str = Field(default="", description="Which sheet of a workbook; empty: the only one with something in it.")
    header_line: int = Field(default=0, ge=0, strict=True, description="Line of the column names; 0: found by itself.")
    profile: str = Field(
        default="auto", description="Program the file comes from, which gives names their meaning; none: no profile."
    )
    mapping: dict[str, str] = Field(
        default_factory=dict, description="Column name: field. Fixes what a column means; an empty field: not used."
    )
    set: dict[str, str] = Field(
        default_factory=dict, description="Field: value. A constant for a field the file has no column for."
    )
    decimal: Decimal = Field(default=Decimal.auto, description="Decimal sign of numbers: comma or point.")
    date_order: DateOrder = Field(default=DateOrder.auto, description="Whether 03/04/2026 is day or month first.")
    inherit_blanks: Blanks = Field(
        default=Blanks.auto, description="Blank cells of a further line of an invoice take the value above them."
    )
    prices_include_vat: Stated = Field(default=Stated.unknown, description="Whether the file's prices include VAT.")
    repair_text: bool = Field(default=False, description="Mend text that was decoded wrongly before (HÃ¥nd: Hånd).")
    blank_means: BlankMeans = Field(
        default=BlankMeans.keep, description="An empty cell keeps Billy's value, or clears it."
    )
    language: Language = Field(default=Language.en, description="Language of messages about rows: en or da.")

    @field_validator("prices_include_vat", mode="before")
    @classmethod
    def _yaml_true_is_true(cls, value: Any) -> Any:
        return str(value).lower() if isinstance(value, bool) else value
