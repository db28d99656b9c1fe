"""Jobs that belong to another (the undo of a job, what an invoice import makes on the way), and when Billy refused."""

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
            "billy_bulk_jobs",
            sa.Column(name, sa.Text, sa.ForeignKey(f"{SCHEMA}.billy_bulk_jobs.job_id")),
            schema=SCHEMA,
        )
        op.create_index(f"billy_bulk_jobs_{name}", "billy_bulk_jobs", [name], schema=SCHEMA)

    op.add_column("billy_organizations", sa.Column("rate_refused_at", sa.DateTime(timezone=True)), schema=SCHEMA)
    # It was half of the rate Billy had refused at, and is that rate itself from now on: learned anew.
    op.execute(f"UPDATE {SCHEMA}.billy_organizations SET rate_threshold = NULL")


def downgrade() -> None:
    op.drop_column("billy_organizations", "rate_refused_at", schema=SCHEMA)
    for name in ("part_of", "undoes"):
        op.drop_column("billy_bulk_jobs", name, schema=SCHEMA)
