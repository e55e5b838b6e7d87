"""Everything that storage raises of its own is one family, and the list in its heading is complete."""

from __future__ import annotations

import inspect

import pytest

from espalier.storage import errors
from espalier.storage.errors import StorageError

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


def test_every_error_is_one_of_storages() -> None:
    assert len(KINDS) > 1
    assert all(issubclass(kind, StorageError) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_heading_names_every_error(kind: type[StorageError]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")
    assert str(kind("what was wrong")) == "what was wrong"
