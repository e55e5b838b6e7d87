"""What kind of failure a candidate had, and how much compute jobs were planned to take."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns; of rows of before, neither is known."""
    op.add_column("candidates", sa.Column("failure", sa.String(length=16), nullable=True))
    op.add_column("jobs", sa.Column("macs", sa.Double(), nullable=True))


def downgrade() -> None:
    """Drop both."""
    op.drop_column("jobs", "macs")
    op.drop_column("candidates", "failure")
