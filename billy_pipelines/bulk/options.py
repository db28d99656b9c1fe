"""Job options: one model for the command line, YAML beside a file, the launchpad and the job row."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from billy_pipelines.schemas.reading_options import ReadingOptions
from billy_pipelines.schemas.registry import RESOURCES

MAX_OPTIONS_BYTES = 64 * 1024
APPROVABLE = ("invoices", "import")


class OptionsError(Exception):
    """Options that cannot be used; the text says which and why."""


class OnExisting(StrEnum):
    """What to do with a row whose record is in Billy already."""

    skip = "skip"
    update = "update"
    create = "create"
    fail = "fail"


class OnMissing(StrEnum):
    """What to do with a row of an update whose record is not in Billy."""

    reject = "reject"
    skip = "skip"


class OnArchived(StrEnum):
    """What to do with a row whose record is archived in Billy."""

    skip = "skip"
    restore = "restore"


class Switch(StrEnum):
    """Off or on."""

    off = "off"
    on = "on"


class JobOptions(ReadingOptions):
    """Everything a person can decide about a job: how its file is read, and what is done with the rows."""

    batch_size: int = Field(default=10, ge=1, le=1000, strict=True, description="Items marked as leaving together.")
    continue_on_error: bool = Field(default=True, description="Go on after an item fails.")
    validate_before_create: bool = Field(
        default=True, description="Stop before the first write when too many rows are wrong. Off: no such gate."
    )
    dry_run: bool = Field(default=False, description="End with the plan; write nothing.")
    on_existing: OnExisting = Field(
        default=OnExisting.skip, description="What to do with a row that Billy has already: skip, update, create, fail."
    )
    on_missing: OnMissing = Field(
        default=OnMissing.reject, description="Update: what to do with a row that Billy does not have: reject, skip."
    )
    on_archived: OnArchived = Field(
        default=OnArchived.skip, description="What to do with a row whose record is archived: skip, restore."
    )
    match_on: list[str] = Field(
        default_factory=list, description="Keys that find a row's record, in order; empty: the resource's own."
    )
    max_error_rate: float = Field(
        default=0.05,
        ge=0,
        le=1,
        strict=True,  # `yes` is no share; taken for a number it would be 1, a gate that is always open
        description="Share of wrong rows that stops the job before its first write. Five wrong rows always pass, "
        "except with an explicit 0, which means none at all.",
    )
    contact_by_name: bool = Field(default=False, description="Invoices: a contact may be found by its name alone.")
    own_numbers: bool = Field(
        default=False, description="Invoices: own numbers above Billy's counter, or with a hole, are meant."
    )
    create_missing: bool = Field(
        default=False,
        description="Invoices, import: contacts and products that rows name and Billy does not have are made first.",
    )
    approve: bool = Field(
        default=False,
        strict=True,  # it books VAT: nothing but true or false is taken for an answer
        description="Invoices, import: after a plan that a person applies, make the drafts, compare their totals, and "
        "approve them by date. Cannot be taken back.",
    )
    bulk_save: Switch = Field(
        default=Switch.off, description="Billy's PATCH of many records: on only where the organization opted in."
    )
    confirm_count: int = Field(
        default=0, ge=0, strict=True, description="Delete: the number of records, typed, when they are many."
    )
    archive_if_used: bool = Field(default=True, description="Archive a record that cannot be deleted.")


FIELDS = JobOptions.model_fields
READING_FIELDS = ReadingOptions.model_fields
DECIDING_ROWS = tuple(name for name in READING_FIELDS if name != "language")
"""The options that decide which rows a file has and what they say; the language only decides how things are said."""


def parse_options(values: Mapping[str, Any], where: str) -> JobOptions:
    """Options from plain values.

    Raises:
        OptionsError: an unknown option or a value that does not fit; `where` is named in the text.
    """
    try:
        return JobOptions.model_validate(dict(values))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_url=False)
        )
        raise OptionsError(f"{where}: {faults}. Known options: {', '.join(FIELDS)}.") from error


class _PlainLoader(yaml.SafeLoader):
    """YAML without anchors and aliases: 64 KB of them can unfold into gigabytes (rule B25)."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        if twice := {str(name) for name in names if names.count(name) > 1}:
            raise yaml.YAMLError(f"it says {', '.join(sorted(twice))} twice")  # YAML would take the last in silence
        return super().construct_mapping(node, deep)


def read_options_file(path: Path) -> dict[str, Any]:
    """The options in a YAML file beside an upload.

    Raises:
        OptionsError: too large, not YAML, no mapping.
    """
    try:
        if path.stat().st_size > MAX_OPTIONS_BYTES:
            raise OptionsError(f"{path.name} is larger than {MAX_OPTIONS_BYTES // 1024} KB; no options file is.")
        content = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_PlainLoader)  # noqa: S506 - a SafeLoader
    except RecursionError as error:
        raise OptionsError(f"{path.name} cannot be read as YAML: it is nested too deeply.") from error
    except (OSError, ValueError, LookupError, AttributeError, yaml.YAMLError) as error:
        # ValueError: no UTF-8, the 31st of February, …; the others: a tag its value does not fit, as `!!bool maybe`
        raise OptionsError(f"{path.name} cannot be read as YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise OptionsError(f"{path.name} must hold lines such as 'on_existing: update'.")
    return content


def check_policy(values: Mapping[str, Any], policy: Mapping[str, Any], where: str) -> None:
    """A job's options cannot exceed what its organization allows (rule B25), nor by leaving an option out.

    `values` are all options as plain values.

    Raises:
        OptionsError: one does, or the policy names no option.
    """
    for name, limit in policy.items():
        if name not in values:
            raise OptionsError(f"The organization's policy limits {name!r}, which is no option: {', '.join(FIELDS)}.")
        if not _is_allowed(values[name], limit):
            raise OptionsError(f"{where}: {name} is {values[name]!r}, but this organization's policy allows {limit!r}.")


def approves(resource: str, operation: str) -> bool:
    """Whether there is anything to approve in such a job."""
    return (resource, operation) == APPROVABLE


def check_approve(values: Mapping[str, Any], resource: str, operation: str, where: str) -> None:
    """`approve` is for the import of invoices (rule B9).

    Raises:
        OptionsError: it is asked for elsewhere.
    """
    if values.get("approve") and not approves(resource, operation):
        raise OptionsError(
            f"{where}: approve is for imports of invoices, not for {resource}/{operation}. Leave it out here."
        )


def makes_missing(resource: str, operation: str) -> bool:
    """Whether rows of such a job may have made what they refer to."""
    return operation == "import" and bool(RESOURCES[resource].makes)


def check_create_missing(values: Mapping[str, Any], resource: str, operation: str, where: str) -> None:
    """`create_missing` is for imports of what refers to other records.

    Raises:
        OptionsError: it is asked for elsewhere.
    """
    if values.get("create_missing") and not makes_missing(resource, operation):
        raise OptionsError(
            f"{where}: create_missing is for imports of invoices, not for {resource}/{operation}. Leave it out here."
        )


def _is_allowed(value: Any, limit: Any) -> bool:
    if isinstance(limit, list):
        if isinstance(value, list):
            # An empty list stands for the defaults, which a limit does not allow by itself.
            return all(part in limit for part in value) if value else not limit
        return value in limit
    return bool(value <= limit) if _is_number(limit) and _is_number(value) else bool(value == limit)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def gate_limit(options: JobOptions, rows: int) -> float:
    """How many rejected rows pass the gate: max(5, rate x rows), or none with an explicit 0 (rule B21)."""
    # Rounded: 0.29 x 100 is a hair under 29 in binary, and 29 of 100 are no more than 0.29.
    return 0 if options.max_error_rate == 0 else max(5, round(options.max_error_rate * rows, 6))
