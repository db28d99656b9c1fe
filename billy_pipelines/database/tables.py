"""The tables of schema `billy`. What they mean is design.md section 3; the DDL that made them is in `migrations/`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA = "billy"
metadata = MetaData(schema=SCHEMA)


def _now(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=None if nullable else func.now())


organizations = Table(
    "billy_organizations",
    metadata,
    Column("name", Text, primary_key=True),
    # Whose books these are (rule B2): the API base and Billy's id of the company, recorded at first use.
    Column("api_url", Text),
    Column("billy_organization_id", Text),
    Column("company_name", Text),
    Column("registration_no", Text),
    # The rate budget of the organization's token, one row for all processes (GCRA): see rate.py.
    Column("rate", Double),
    Column("rate_threshold", Double),
    Column("rate_changed_at", DateTime(timezone=True)),
    Column("rate_refused_at", DateTime(timezone=True)),
    Column("next_permit_at", DateTime(timezone=True)),
    _now("created_at"),
    _now("updated_at"),
)

jobs = Table(
    "billy_bulk_jobs",
    metadata,
    Column("job_id", Text, primary_key=True),
    Column("organization", Text, ForeignKey(organizations.c.name), nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("progress", Double, nullable=False, server_default="0"),
    Column("total_items", Integer, nullable=False, server_default="0"),
    Column("successful_items", Integer, nullable=False, server_default="0"),
    Column("failed_items", Integer, nullable=False, server_default="0"),
    Column("counts", JSONB, nullable=False, server_default="{}"),
    Column("planned", JSONB, nullable=False, server_default="{}"),
    Column("warnings", JSONB, nullable=False, server_default="{}"),
    Column("errors", JSONB, nullable=False, server_default="[]"),
    Column("options", JSONB, nullable=False, server_default="{}"),
    Column("source", JSONB, nullable=False, server_default="{}"),
    Column("upload_name", Text, nullable=False),
    Column("upload_sha256", Text, nullable=False),
    Column("dagster_run_id", Text),
    # How often a run was asked for: the sensor's run key is job id + this number, so a tick that dies can ask again.
    Column("launches", Integer, nullable=False, server_default="0"),
    Column("launch_wanted", Boolean, nullable=False, server_default="false"),
    Column("message", Text),
    # When a person applied the plan (`billy apply`): deletes and approvals from a dropped file wait for it.
    _now("applied_at", nullable=True),
    # The job this one takes back (`billy undo`), and the job on whose way it makes records (`create_missing`).
    Column("undoes", Text, ForeignKey("billy.billy_bulk_jobs.job_id")),
    Column("part_of", Text, ForeignKey("billy.billy_bulk_jobs.job_id")),
    _now("created_at"),
    _now("started_at", nullable=True),
    _now("completed_at", nullable=True),
    _now("updated_at"),
    Index("billy_bulk_jobs_identity", "organization", "resource_type", "operation", "upload_sha256"),
    Index("billy_bulk_jobs_status", "status"),
    Index("billy_bulk_jobs_undoes", "undoes"),
    Index("billy_bulk_jobs_part_of", "part_of"),
)

items = Table(
    "billy_bulk_job_items",
    metadata,
    Column("job_id", Text, ForeignKey(jobs.c.job_id, ondelete="CASCADE"), primary_key=True),
    Column("item_index", Integer, primary_key=True),
    Column("line", Integer, nullable=False),
    # The row that stands for the whole record this row is a part of (the first line of an invoice); its verdict is
    # this row's verdict. Null for a row that stands for itself.
    Column("leader_index", Integer),
    # Mapped fields only (rule B23); null for a row that validation rejected, which therefore can never be sent.
    Column("item_data", JSONB),
    Column("status", Text, nullable=False),
    Column("action", Text),
    Column("natural_key", Text),
    Column("changes", JSONB),
    Column("payload_hash", Text),
    Column("before_image", JSONB),
    Column("after_image", JSONB),
    Column("billy_id", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error_code", Text),
    Column("error", Text),
    Column("details", JSONB),
    Column("sent_at", DateTime(timezone=True)),
    _now("created_at"),
    _now("updated_at"),
)

# Who holds, or held last, the right to write one family of records: counted up at each taking, so that a job which lost
# its connection can tell whether somebody else wrote meanwhile.
writers = Table(
    "billy_writers",
    metadata,
    Column("organization", Text, primary_key=True),
    Column("family", Text, primary_key=True),
    Column("generation", BigInteger, nullable=False, server_default="0"),
    Column("job_id", Text),
    _now("taken_at"),
)
