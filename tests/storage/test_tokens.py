"""Tokens: found by what they are, kept as hashes, gone when revoked."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from espalier.storage import tokens
from espalier.storage.database import Database
from espalier.storage.errors import NotFound, WrongState
from espalier.storage.tables import TokenRow


def test_a_token_is_found_until_it_is_revoked(database: Database) -> None:
    with database.session() as session:
        first, second = tokens.create(session, "ada", "submit"), tokens.create(session, "dashboard", "read")
    assert first != second
    with database.session() as session:
        found = tokens.find(session, first)
        assert found is not None
        assert (found.name, found.role, found.revoked_at) == ("ada", "submit", None)
        known = tokens.with_id(session, found.id)
        assert known is not None
        assert known.name == "ada"
        assert tokens.find(session, first[:-1]) is tokens.find(session, "") is tokens.with_id(session, "x") is None
    with database.session() as session:
        tokens.revoke(session, "ada")
    with database.session() as session:
        assert tokens.find(session, first) is tokens.with_id(session, found.id) is None
        assert tokens.find(session, second) is not None
        assert [(row.name, row.revoked_at is None) for row in tokens.listing(session)] == [
            ("ada", False), ("dashboard", True),
        ]  # fmt: skip


def test_nothing_that_is_kept_is_the_token(database: Database) -> None:
    with database.session() as session:
        token = tokens.create(session, "ada", "admin")
    with database.session() as session:
        (row,) = session.execute(sa.select(*TokenRow.__table__.columns))
    assert len(token) >= 32
    assert not any(token in str(value) for value in row)


def test_a_name_is_given_once_even_after_it_was_revoked(database: Database) -> None:
    with database.session() as session:
        tokens.create(session, "ada", "read")
        tokens.revoke(session, "ada")
    with database.session() as session, pytest.raises(WrongState, match="already, or was"):
        tokens.create(session, "ada", "read")
    with database.session() as session, pytest.raises(NotFound, match="no token 'ada' that is valid; there are: none"):
        tokens.revoke(session, "ada")


@pytest.mark.parametrize("name", ["", " ada", "x" * 101, "a\nb", "a\0", "<b>", "-"])
def test_what_is_no_name_is_refused(database: Database, name: str) -> None:
    with database.session() as session, pytest.raises(WrongState, match="is no name"):
        tokens.create(session, name, "read")
