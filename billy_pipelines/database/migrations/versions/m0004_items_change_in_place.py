"""Rows of the journal change where they stand.

An index on their status made each of a row's two changes a new row in three places, and where the table had no
statistics yet PostgreSQL went through it for every group of changes: all rows of the job, each time.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = "billy"


def upgrade() -> None:
    op.drop_index("billy_bulk_job_items_status", "billy_bulk_job_items", schema=SCHEMA)
    op.execute(sa.text(f"ALTER TABLE {SCHEMA}.billy_bulk_job_items SET (fillfactor = 70)"))


def downgrade() -> None:
    op.execute(sa.text(f"ALTER TABLE {SCHEMA}.billy_bulk_job_items RESET (fillfactor)"))
    op.create_index("billy_bulk_job_items_status", "billy_bulk_job_items", ["job_id", "status"], schema=SCHEMA)
