"""Rows that make one record together (the lines of an invoice), and plans that a person has applied."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = "billy"


def upgrade() -> None:
    op.add_column("billy_bulk_job_items", sa.Column("leader_index", sa.Integer), schema=SCHEMA)
    op.add_column("billy_bulk_jobs", sa.Column("applied_at", sa.DateTime(timezone=True)), schema=SCHEMA)


def downgrade() -> None:
    op.drop_column("billy_bulk_jobs", "applied_at", schema=SCHEMA)
    op.drop_column("billy_bulk_job_items", "leader_index", schema=SCHEMA)
