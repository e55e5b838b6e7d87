"""Opening the database: SQLite by default, PostgreSQL by URL; and bringing its schema up to date."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from filelock import FileLock
from pydantic_core import from_json
from sqlalchemy.orm import Session, sessionmaker

from espalier.storage import backfill
from espalier.storage.errors import DatabaseUnusable

VERSION_TABLE = "espalier_version"
"""Optuna keeps its own `alembic_version` in the same database, and refuses to open it if there is a stranger in it."""

CONNECTIONS = 40
"""Sessions that one process may have open at once; more wait for a moment."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_SCHEMA_LOCK = 0x45535041  # any number, as long as every process uses the same


class Database:
    """An engine, and sessions that commit once, at their end."""

    def __init__(self, url: str) -> None:
        self.url = normalised(url)
        try:
            self.engine = sa.create_engine(self.url, json_deserializer=from_json, **_engine_options(self.url))
        except (sa.exc.ArgumentError, ModuleNotFoundError, ValueError) as error:
            raise DatabaseUnusable(f"cannot open {without_password(url)}: {error}") from error
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", prepare_sqlite)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    def session(self) -> AbstractContextManager[Session]:
        """`with database.session() as session:` commits at the end, rolls back on an exception.

        Raises DatabaseUnusable if the file of an SQLite database is gone: open connections would write to nowhere.
        """
        if self.is_gone():
            raise DatabaseUnusable(f"the database {self.engine.url.database} is gone")
        return self._sessions.begin()

    def is_gone(self) -> bool:
        """Whether the file of an SQLite database is not there."""
        return self.is_sqlite and not Path(str(self.engine.url.database)).exists()

    @property
    def is_sqlite(self) -> bool:
        """Whether one file is the database, which one process at a time may write."""
        return self.engine.dialect.name == "sqlite"

    @property
    def folder(self) -> Path:
        """Where the file of an SQLite database lies."""
        return Path(str(self.engine.url.database)).resolve().parent

    def upgrade(self) -> None:
        """Bring the schema up to date; safe when several processes start at once."""
        try:
            with self.alone(), self.engine.begin() as connection:
                _upgrade(connection)
                with Session(connection) as session:
                    backfill.fill(session)
                    session.flush()
        except CommandError as error:
            raise DatabaseUnusable(f"the database was written by another release of Espalier: {error}") from error
        except (sa.exc.DBAPIError, OSError) as error:
            reason = getattr(error, "orig", None) or error
            raise DatabaseUnusable(f"cannot use {without_password(self.url)}: {reason}") from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While inside, no other process changes the schema."""
        if self.is_sqlite:
            path = self.folder / Path(str(self.engine.url.database)).name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not os.access(path.parent, os.W_OK):  # waiting for a lock there would never end
                raise PermissionError(f"{path.parent} is not writable")
            with FileLock(f"{path}.schema.lock"):
                yield
        else:
            with self.engine.connect() as connection:
                connection.execute(sa.select(sa.func.pg_advisory_lock(_SCHEMA_LOCK)))
                try:
                    yield
                finally:
                    connection.execute(sa.select(sa.func.pg_advisory_unlock(_SCHEMA_LOCK)))

    def is_current(self) -> bool:
        """Whether the database answers and has the schema of this release."""
        if self.is_gone():
            return False
        try:
            with self.engine.connect() as connection:
                context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
                return context.get_current_revision() == _newest_schema()
        except sa.exc.SQLAlchemyError:
            return False

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()


def normalised(url: str) -> str:
    """The URL with the driver we use: psycopg 3 for every spelling of PostgreSQL."""
    for prefix in ("postgres://", "postgresql://", "postgresql+psycopg2://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def without_password(url: str) -> str:
    """The URL without its password, fit to be printed."""
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except (sa.exc.ArgumentError, ValueError):
        return "the database URL"


def _engine_options(url: str) -> dict[str, Any]:
    pool = {"pool_size": CONNECTIONS, "max_overflow": 0}
    if not url.startswith("sqlite"):
        return pool | {"pool_pre_ping": True}
    in_memory = sa.make_url(url).database in (None, "", ":memory:")
    return {"connect_args": {"timeout": 60}} | ({} if in_memory else pool)


def prepare_sqlite(connection: Any, _record: Any) -> None:
    """For every new SQLite connection: readers do not block the writer, and foreign keys count."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@functools.cache
def _newest_schema() -> str | None:
    """Of this release."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def _upgrade(connection: sa.Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
