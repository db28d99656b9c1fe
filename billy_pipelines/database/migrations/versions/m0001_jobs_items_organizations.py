"""Organizations, jobs, items (the write-ahead journal) and writers."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "billy"


def _at(name: str, nullable: bool = False) -> sa.Column[Any]:
    default = None if nullable else sa.func.now()
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)


def _json(name: str, default: str) -> sa.Column[Any]:
    return sa.Column(name, JSONB, nullable=False, server_default=default)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, server_default="0")


def upgrade() -> None:
    op.create_table(
        "billy_organizations",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("api_url", sa.Text),
        sa.Column("billy_organization_id", sa.Text),
        sa.Column("company_name", sa.Text),
        sa.Column("registration_no", sa.Text),
        sa.Column("rate", sa.Double),
        sa.Column("rate_threshold", sa.Double),
        _at("rate_changed_at", nullable=True),
        _at("next_permit_at", nullable=True),
        _at("created_at"),
        _at("updated_at"),
        schema=SCHEMA,
    )
    op.create_table(
        "billy_bulk_jobs",
        sa.Column("job_id", sa.Text, primary_key=True),
        sa.Column("organization", sa.Text, sa.ForeignKey("billy.billy_organizations.name"), nullable=False),
        sa.Column("resource_type", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("progress", sa.Double, nullable=False, server_default="0"),
        _number("total_items"),
        _number("successful_items"),
        _number("failed_items"),
        _json("counts", "{}"),
        _json("planned", "{}"),
        _json("warnings", "{}"),
        _json("errors", "[]"),
        _json("options", "{}"),
        _json("source", "{}"),
        sa.Column("upload_name", sa.Text, nullable=False),
        sa.Column("upload_sha256", sa.Text, nullable=False),
        sa.Column("dagster_run_id", sa.Text),
        _number("launches"),
        sa.Column("launch_wanted", sa.Boolean, nullable=False, server_default="false"),
        sa.Column("message", sa.Text),
        _at("created_at"),
        _at("started_at", nullable=True),
        _at("completed_at", nullable=True),
        _at("updated_at"),
        schema=SCHEMA,
    )
    op.create_index(
        "billy_bulk_jobs_identity",
        "billy_bulk_jobs",
        ["organization", "resource_type", "operation", "upload_sha256"],
        schema=SCHEMA,
    )
    op.create_index("billy_bulk_jobs_status", "billy_bulk_jobs", ["status"], schema=SCHEMA)
    op.create_table(
        "billy_bulk_job_items",
        sa.Column(
            "job_id", sa.Text, sa.ForeignKey("billy.billy_bulk_jobs.job_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("item_index", sa.Integer, primary_key=True),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("item_data", JSONB),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("action", sa.Text),
        sa.Column("natural_key", sa.Text),
        sa.Column("changes", JSONB),
        sa.Column("payload_hash", sa.Text),
        sa.Column("before_image", JSONB),
        sa.Column("after_image", JSONB),
        sa.Column("billy_id", sa.Text),
        _number("attempts"),
        sa.Column("error_code", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("details", JSONB),
        _at("sent_at", nullable=True),
        _at("created_at"),
        _at("updated_at"),
        schema=SCHEMA,
    )
    op.create_index("billy_bulk_job_items_status", "billy_bulk_job_items", ["job_id", "status"], schema=SCHEMA)
    op.create_table(
        "billy_writers",
        sa.Column("organization", sa.Text, primary_key=True),
        sa.Column("family", sa.Text, primary_key=True),
        sa.Column("generation", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("job_id", sa.Text),
        _at("taken_at"),
        schema=SCHEMA,
    )


def downgrade() -> None:
    for table in ("billy_writers", "billy_bulk_job_items", "billy_bulk_jobs", "billy_organizations"):
        op.drop_table(table, schema=SCHEMA)
