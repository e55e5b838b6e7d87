"""Jobs can be paused, and some go before others."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns; jobs of before wait for nobody and go before nobody."""
    # no batch: it makes the table anew where a column has a default, and what refers to jobs goes with the old one
    op.add_column("jobs", sa.Column("pause_requested", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.add_column("jobs", sa.Column("priority", sa.Integer(), nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    """Drop both; what is paused is queued, since the release of before knows no other word."""
    op.execute("UPDATE jobs SET state = 'queued' WHERE state = 'paused'")
    op.drop_column("jobs", "priority")
    op.drop_column("jobs", "pause_requested")
