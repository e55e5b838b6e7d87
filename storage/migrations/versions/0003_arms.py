"""Arms are columns, a candidate keeps more than weights, jobs note what their planner works from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """New columns are empty in rows of before; the weights that they referred to become artifacts."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("question", Json, nullable=True))
    op.create_table(
        "artifacts",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id", "key"],
            ["candidates.job_id", "candidates.key"],
            name=op.f("fk_artifacts_candidate"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("job_id", "key", "name", name=op.f("pk_artifacts")),
    )
    op.create_index(op.f("ix_artifacts_hash"), "artifacts", ["hash"], unique=False)
    op.execute(
        "INSERT INTO artifacts (job_id, key, name, hash) "
        "SELECT job_id, key, 'weights', weights FROM candidates WHERE weights IS NOT NULL"
    )
    op.drop_index(op.f("ix_candidates_weights"), table_name="candidates")
    op.drop_column("candidates", "weights")
    op.add_column("candidates", sa.Column("arm", sa.String(length=32), nullable=True))
    op.add_column("candidates", sa.Column("arm_name", sa.String(length=500), nullable=True))
    op.add_column("candidates", sa.Column("role", sa.String(length=16), nullable=True))
    op.create_index(op.f("ix_candidates_arm"), "candidates", ["arm"], unique=False)


def downgrade() -> None:
    """Weights alone go back."""
    op.drop_index(op.f("ix_candidates_arm"), table_name="candidates")
    for column in ("role", "arm_name", "arm"):
        op.drop_column("candidates", column)
    op.add_column("candidates", sa.Column("weights", sa.String(length=64), nullable=True))
    op.create_index(op.f("ix_candidates_weights"), "candidates", ["weights"], unique=False)
    op.execute(
        "UPDATE candidates SET weights = (SELECT hash FROM artifacts WHERE artifacts.job_id = candidates.job_id "
        "AND artifacts.key = candidates.key AND artifacts.name = 'weights')"
    )
    op.drop_table("artifacts")
    op.drop_column("jobs", "question")
