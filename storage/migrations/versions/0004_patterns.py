"""Patterns of finished jobs are kept, and what following them did."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Two tables, empty: jobs of before did not note the groups that patterns are over."""
    op.create_table(
        "patterns",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("target", Json, nullable=False),
        sa.Column("pattern", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patterns")),
    )
    op.create_table(
        "transfers",
        sa.Column("pattern_id", sa.String(length=32), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("transfer", Json, nullable=False),
        sa.PrimaryKeyConstraint("pattern_id", "job_id", "place", name=op.f("pk_transfers")),
    )
    op.create_index(op.f("ix_transfers_job_id"), "transfers", ["job_id"], unique=False)


def downgrade() -> None:
    """What is known of patterns is forgotten."""
    op.drop_table("transfers")
    op.drop_table("patterns")
