"""What comparisons and lists read lies apart from whole results; what is counted often has an index."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

Json = sa.JSON().with_variant(JSONB(), "postgresql")
INDEXES = {
    "ix_candidates_architecture": ("candidates", ["architecture", "arm"]),
    "ix_candidates_position": ("candidates", ["job_id", "position"]),
    "ix_candidates_progress": ("candidates", ["job_id", "state", "seconds"]),
    "ix_candidates_state": ("candidates", ["state", "seconds"]),
    "ix_job_events_kind": ("job_events", ["job_id", "kind", "id"]),
}


def upgrade() -> None:
    """Two tables, which the release fills from results, and indexes."""
    op.create_table(
        "measurements",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("arm", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("needs", Json, nullable=False),
        sa.Column("goodness", sa.Double(), nullable=False),
        sa.Column("brief", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id", "key"],
            ["candidates.job_id", "candidates.key"],
            name=op.f("fk_measurements_candidate"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("job_id", "key", name=op.f("pk_measurements")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_measurements_best", "measurements", ["job_id", "goodness"])
    op.create_table(
        "findings",
        sa.Column("architecture", sa.String(length=64), nullable=False),
        sa.Column("arm", sa.String(length=32), nullable=False),
        sa.Column("arch", sa.String(length=200), nullable=False),
        sa.Column("dataset", sa.String(length=200), nullable=False),
        sa.Column("arm_name", sa.String(length=500), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("method", sa.String(length=200), nullable=True),
        sa.Column("init", sa.String(length=16), nullable=False),
        sa.Column("conditions", sa.String(length=32), nullable=False),
        sa.Column("params", sa.BigInteger(), nullable=False),
        sa.Column("macs", sa.BigInteger(), nullable=False),
        sa.Column("latency_ms", sa.Double(), nullable=True),
        sa.Column("mean", sa.Double(), nullable=False),
        sa.Column("square", sa.Double(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("architecture", "arm", name=op.f("pk_findings")),
        sqlite_with_rowid=False,
    )
    for name in ("mean", "params", "macs", "latency_ms"):
        op.create_index(f"ix_findings_{name}", "findings", [name, "architecture", "arm"])
    op.drop_index("ix_candidates_architecture", table_name="candidates")
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, columns)


def downgrade() -> None:
    """Results have all of it."""
    for name, (table, _) in INDEXES.items():
        op.drop_index(name, table_name=table)
    op.create_index("ix_candidates_architecture", "candidates", ["architecture"])
    op.drop_table("findings")
    op.drop_table("measurements")
