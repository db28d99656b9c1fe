"""Where things are and whose books they belong to: environment variables, folders, `organizations.yaml`.

Every other room may import this one; it imports none of them. Tokens are read from the environment at the moment of
use and are never stored in a value that is printed, logged or saved.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DEFAULT_API_URL = "https://api.billysbilling.com/v2"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]{0,99}$")]
"""Upper case only, so that a token written there by mistake is refused instead of named in messages."""


class SettingsError(Exception):
    """A setting is missing or wrong; the text says which one and what to do."""


class Keep(BaseModel):
    """How long things are kept, by class (rule B26); the environment and `organizations.yaml` change it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contact_uploads_days: int = Field(default=30, ge=1, le=36_500)
    """Files of jobs on customers and contacts: the upload, plan, results."""
    uploads_days: int = Field(default=90, ge=1, le=36_500)
    """The same of all other jobs but those that approved invoices."""
    images_days: int = Field(default=90, ge=1, le=36_500)
    """What a job's records were before and after it; without them it cannot be undone."""
    approved_years: int = Field(default=5, ge=5, le=100)
    """All of a job that approved invoices, from the end of the financial year: Danish law asks for five."""
    snapshots_days: int = Field(default=30, ge=1, le=36_500)
    """Nightly snapshots and the files made of them."""


class Organization(BaseModel):
    """One company in Billy, as `organizations.yaml` describes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Slug
    token_variable: VariableName = "BILLY_ACCESS_TOKEN"  # noqa: S105 - the name of a variable, not a token
    requests_per_second: float | None = Field(default=None, gt=0, le=1000)
    billy_organization_id: str | None = None
    """Pins Billy's id of the company (rule B2); otherwise it is recorded at first use."""
    vat: dict[str, str] = Field(default_factory=dict)
    """`vat25`, `vat0`, `abroad` -> Billy's VAT ruleset by id or name (rule B13)."""
    books_start: date | None = None
    """First day of the books in Billy: invoices before it must not be approved (rule B12)."""
    locked_until: date | None = None
    """Last day of the periods that are closed: no invoice is dated there (rule B12)."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Job options this organization's jobs start from."""
    policy: dict[str, Any] = Field(default_factory=dict)
    """What options beside a file may not exceed (rule B25): a maximum for a number, a list of allowed values else."""
    export_formats: list[Literal["csv", "xlsx", "json", "ndjson", "parquet"]] = ["csv"]
    """Files that are written every night; none with an empty list."""
    keep: Keep = Keep()
    """Only what differs from the environment's."""
    financial_year_ends: Annotated[str, StringConstraints(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")] = "12-31"
    """Month and day; the last of February is 02-29, which other years read as the 28th."""


class _OrganizationsFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    organizations: list[Organization]


@dataclass(frozen=True)
class Settings:
    """What the environment says. Folders are absolute; `database_url` is None for the embedded PostgreSQL."""

    data_dir: Path
    api_url: str = DEFAULT_API_URL
    database_url: str | None = field(default=None, repr=False)
    requests_per_second: float = 5.0
    max_file_mb: int = 200
    """Millions of bytes an upload may have, as it is and unpacked."""
    max_rows: int = 1_000_000
    keep: Keep = field(default_factory=Keep)
    keep_runs_days: int = 90
    """Dagster's runs with their events and logs, of all organizations."""
    preview_names: bool = True
    """Whether the ten rows on a snapshot's page show names."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read `BILLY_*` from the environment, then from a `.env` beside `dagster.yaml` (which never overrides).

        Raises:
            SettingsError: a value cannot be used.
        """
        if environ is None:
            dotenv = {k: v for k, v in dotenv_values(PROJECT_ROOT / ".env").items() if v is not None}
            environ = {**dotenv, **os.environ}
        rate_text = environ.get("BILLY_REQUESTS_PER_SECOND") or "5"
        try:
            rate = float(rate_text)
        except ValueError:
            rate = 0.0
        if not 0 < rate <= 1000:
            raise SettingsError(
                f"BILLY_REQUESTS_PER_SECOND is {rate_text!r}; it must be a number above 0, at most 1000."
            )
        data_dir = environ.get("BILLY_DATA_DIR") or str(PROJECT_ROOT / "data")
        return cls(
            data_dir=Path(data_dir).expanduser().absolute(),
            api_url=checked_api_url(environ.get("BILLY_API_URL") or DEFAULT_API_URL),
            database_url=environ.get("BILLY_DATABASE_URL") or None,
            requests_per_second=rate,
            max_file_mb=_whole(environ, "BILLY_MAX_FILE_MB", 200, most=2_000),
            max_rows=_whole(environ, "BILLY_MAX_ROWS", 1_000_000, most=10_000_000),
            keep=_keep(environ),
            keep_runs_days=_whole(environ, "BILLY_KEEP_RUNS_DAYS", 90, most=36_500),
            preview_names=_switch(environ, "BILLY_PREVIEW_NAMES", True),
            environ=dict(environ),
        )

    @property
    def uploads_dir(self) -> Path:
        return self.data_dir / "uploads"

    @property
    def jobs_dir(self) -> Path:
        return self.data_dir / "jobs"

    @property
    def mappings_dir(self) -> Path:
        """What columns mean, as people have confirmed it, per organization."""
        return self.data_dir / "mappings"

    @property
    def dagster_home(self) -> Path:
        return self.data_dir / "dagster"

    @property
    def run_dir(self) -> Path:
        """Run-time state of `billy up`: `up.json`, logs of the processes."""
        return self.data_dir / "run"

    @property
    def postgres_dir(self) -> Path:
        return self.data_dir / "postgres"

    def organizations(self) -> dict[str, Organization]:
        """The organizations by name; `default` (token in BILLY_ACCESS_TOKEN) where there is no `organizations.yaml`.

        Raises:
            SettingsError: the file cannot be read as such.
        """
        path = self.data_dir / "organizations.yaml"
        if not path.exists():
            return {"default": Organization(name="default")}
        try:
            parsed = _OrganizationsFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            # Without a chain, and without what stands in the file: somebody may have written a token into it.
            raise SettingsError(f"{path} cannot be used: {_fault(error)}") from None
        names = [organization.name for organization in parsed.organizations]
        if duplicates := sorted({name for name in names if names.count(name) > 1}):
            raise SettingsError(f"{path} names an organization twice: {', '.join(duplicates)}.")
        return {organization.name: organization for organization in parsed.organizations}

    def organization(self, name: str) -> Organization:
        """One organization by its name.

        Raises:
            SettingsError: there is none of that name.
        """
        known = self.organizations()
        if name not in known:
            raise SettingsError(
                f"There is no organization {name!r}. Known: {', '.join(sorted(known)) or 'none'}. "
                f"Organizations are listed in {self.data_dir / 'organizations.yaml'}."
            )
        return known[name]

    def token(self, organization: Organization) -> str:
        """The organization's access token.

        Raises:
            SettingsError: the variable is not set, or another organization has the same token: then the files of one
                company would go into the books of the other (rule B2), and twice as fast as the token allows.
        """
        token = self._token(organization)
        if not token:
            raise SettingsError(
                f"No access token for organization {organization.name!r}: set the variable "
                f"{organization.token_variable} (in the shell or in .env). "
                "A token is made in Billy under Settings, Access tokens."
            )
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise SettingsError(f"{organization.token_variable} holds blanks or signs that no access token has.")
        if twin := next((o for o in self.organizations().values() if self._is_twin(o, organization, token)), None):
            raise SettingsError(
                f"The organizations {organization.name!r} ({organization.token_variable}) and {twin.name!r} "
                f"({twin.token_variable}) have the same access token, so the files of both would go into the books of "
                f"one company. In {self.data_dir / 'organizations.yaml'}, give each a variable of its own "
                "(token_variable) that holds the token of its own company; a company is listed once."
            )
        return token

    def _token(self, organization: Organization) -> str:
        return (self.environ.get(organization.token_variable) or "").strip()

    def _is_twin(self, other: Organization, organization: Organization, token: str) -> bool:
        return other.name != organization.name and self._token(other) == token

    def rate_ceiling(self, organization: Organization) -> float:
        """Requests a second this organization's token may use at most."""
        return organization.requests_per_second or self.requests_per_second

    def keep_for(self, organization: str) -> Keep:
        """How long things of an organization are kept; one that is not listed any more has no wishes of its own.

        Raises:
            SettingsError: `organizations.yaml` cannot be read.
        """
        listed = self.organizations().get(organization)
        return self.keep.model_copy(update=listed.keep.model_dump(exclude_unset=True)) if listed else self.keep


def _keep(environ: Mapping[str, str]) -> Keep:
    """`BILLY_KEEP_UPLOADS_DAYS` and so on, one for each field."""
    given = {name: environ.get(f"BILLY_KEEP_{name.upper()}") for name in Keep.model_fields}
    try:
        return Keep.model_validate({name: text for name, text in given.items() if text})
    except ValidationError as error:
        faults = "; ".join(
            f"BILLY_KEEP_{str(fault['loc'][0]).upper()} is {given[str(fault['loc'][0])]!r}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise SettingsError(f"{faults}.") from None


def _switch(environ: Mapping[str, str], name: str, default: bool) -> bool:
    text = environ.get(name) or ("on" if default else "off")
    if text not in ("on", "off"):
        raise SettingsError(f"{name} is {text!r}; it must be on or off.")
    return text == "on"


def _whole(environ: Mapping[str, str], name: str, default: int, *, most: int) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise SettingsError(f"{name} is {text!r}; it must be a whole number from 1 to {most:,}.")
    return int(text)


def _fault(error: Exception) -> str:
    """What is wrong with a YAML file, without any of its content."""
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False, include_context=False)
        )
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        problem = re.sub(
            r"\b(alias|tag|handle) ['\"].*", r"\1", error.problem or "", flags=re.DOTALL
        )  # quoted from the file
        return f"line {error.problem_mark.line + 1}: {problem}"
    if isinstance(error, OSError):
        return str(error.strerror)
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else "it is not YAML as expected"


def checked_api_url(url: str) -> str:
    """The API base without a trailing slash; https only, loopback excepted (rule B25).

    Raises:
        SettingsError: another scheme, or no host.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises when it is none
    except ValueError as error:
        raise SettingsError(f"BILLY_API_URL is no address; it must look like {DEFAULT_API_URL}.") from error
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise SettingsError("BILLY_API_URL must hold neither a user name nor a query.")
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise SettingsError(f"BILLY_API_URL is {url!r}; it must look like {DEFAULT_API_URL}.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise SettingsError(
            f"BILLY_API_URL is {url!r}: tokens travel over https only (http is for this machine's own)."
        )
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    return urlsplit(url).hostname in LOOPBACK
