"""Jobs keep what running their networks takes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

Json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """A new column, empty in rows of before."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("latencies", Json, nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("jobs", "latencies")
