"""Roles are ordered, from the least."""

from espalier.storage.roles import ROLES


def test_the_least_comes_first() -> None:
    assert ROLES == ("read", "submit", "admin")
