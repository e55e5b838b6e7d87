"""Schema and migrations, beside Optuna's own in one database, on both databases."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from espalier.storage.database import VERSION_TABLE, Database, normalised, without_password
from espalier.storage.errors import DatabaseUnusable
from espalier.storage.studies import Studies
from espalier.storage.tables import Base
from tests.storage.helpers import alembic

OPTUNAS = {
    "studies", "study_directions", "study_user_attributes", "study_system_attributes", "trials", "trial_params",
    "trial_values", "trial_intermediate_values", "trial_user_attributes", "trial_system_attributes",
    "trial_heartbeats", "version_info", "alembic_version",
}  # fmt: skip


def test_migrations_lead_to_exactly_the_tables_of_the_code(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        differences = [d for d in compare_metadata(context, Base.metadata) if "espalier_version" not in str(d)]
    assert differences == []


def test_there_and_back_and_there_again_with_optuna_in_between(database: Database) -> None:
    Studies(database).close()
    with database.engine.begin() as connection:
        command.downgrade(alembic(connection), "base")
    assert not database.is_current()
    assert set(sa.inspect(database.engine).get_table_names()) >= OPTUNAS - {"trial_heartbeats"}
    database.upgrade()
    assert database.is_current()
    Studies(database).close()


def test_optuna_may_come_first(empty_url: str) -> None:
    database = Database(empty_url)
    Studies(database).close()
    database.upgrade()
    assert database.is_current()
    database.close()


def test_no_table_has_a_name_of_optunas() -> None:
    assert not OPTUNAS & set(Base.metadata.tables)


def test_many_may_start_at_once(empty_url: str) -> None:
    errors: list[BaseException] = []

    def start() -> None:
        try:
            database = Database(empty_url)
            database.upgrade()
            Studies(database).close()
            database.close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_database_of_another_release_is_refused(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    assert not database.is_current()
    with pytest.raises(DatabaseUnusable, match="another release"):
        database.upgrade()


def test_a_url_that_cannot_be_opened_is_named_without_its_password() -> None:
    with pytest.raises(DatabaseUnusable, match="cannot open"):
        Database("nonsense")
    with pytest.raises(DatabaseUnusable, match=r"cannot use postgresql\+psycopg://me:\*\*\*@127.0.0.1:1/x"):
        Database("postgresql://me:secret@127.0.0.1:1/x").upgrade()
    assert "secret" not in without_password("postgresql://me:secret@host/x")


def test_every_spelling_of_postgresql_means_one_driver() -> None:
    assert {normalised(f"{p}://h/x") for p in ("postgres", "postgresql", "postgresql+psycopg2")} == {
        "postgresql+psycopg://h/x"
    }


def test_a_session_commits_once_or_not_at_all(database: Database) -> None:
    insert = sa.text("INSERT INTO architectures (id, arch, config, params, macs) VALUES (:id, 'a', '{}', 1, 1)")
    with database.session() as session:
        session.execute(insert, {"id": "kept"})
    with pytest.raises(RuntimeError), database.session() as session:
        session.execute(insert, {"id": "lost"})
        raise RuntimeError
    with database.session() as session:
        assert session.scalars(sa.text("SELECT id FROM architectures")).all() == ["kept"]


def test_a_file_that_was_deleted_is_missed(tmp_path: Path) -> None:
    """Connections to it stay open, and would write to nowhere."""
    file = tmp_path / "espalier.db"
    database = Database(f"sqlite:///{file}")
    database.upgrade()
    with database.session() as session:
        session.execute(sa.text("SELECT 1"))
    file.unlink()
    with pytest.raises(DatabaseUnusable, match=r"espalier\.db is gone"), database.session():
        pass
    assert not database.is_current()
    database.close()
