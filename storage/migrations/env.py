"""Alembic's entry: our tables only, our own version table, on the connection it is given."""

from alembic import context
from sqlalchemy.engine import Connection

from espalier.storage.database import VERSION_TABLE
from espalier.storage.tables import Base


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name in Base.metadata.tables


def run(connection: Connection) -> None:
    """Apply the migrations."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table=VERSION_TABLE,
        include_name=_ours,
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
