"""Jobs that belong to another: the undo of a job, and what an invoice import makes on the way."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = "billy"


def upgrade() -> None:
    for name in ("undoes", "part_of"):
        op.add_column(
            "billy_bulk_jobs", sa.Column(name, sa.Text, sa.ForeignKey(f"{SCHEMA}.billy_bulk_jobs.job_id")), schema=SCHEMA
        )
        op.create_index(f"billy_bulk_jobs_{name}", "billy_bulk_jobs", [name], schema=SCHEMA)


def downgrade() -> None:
    for name in ("part_of", "undoes"):
        op.drop_column("billy_bulk_jobs", name, schema=SCHEMA)
