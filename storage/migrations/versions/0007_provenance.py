"""Patterns know by what training they were found."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

Json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Add a column that is empty in rows of before."""
    with op.batch_alter_table("patterns") as patterns:
        patterns.add_column(sa.Column("provenance", Json, nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("patterns", "provenance")
