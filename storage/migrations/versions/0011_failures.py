"""What kind of failure a candidate had, how long it was trained in vain, and what tokens asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Two columns and a table; of what was before, nothing is known."""
    op.add_column("candidates", sa.Column("failure", sa.String(length=16), nullable=True))
    op.add_column("candidates", sa.Column("interrupted", sa.Double(), nullable=True))
    op.create_table(
        "grants",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("token", sa.String(length=100), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("macs", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    op.create_index("ix_grants_token", "grants", ["token", "at"], unique=False)
    op.create_index(op.f("ix_grants_job_id"), "grants", ["job_id"], unique=False)


def downgrade() -> None:
    """Drop them."""
    op.drop_table("grants")
    op.drop_column("candidates", "interrupted")
    op.drop_column("candidates", "failure")
