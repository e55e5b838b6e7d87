"""A folder as a store: what lies where, and what is done with a file that is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from espalier.storage.errors import NotFound
from espalier.storage.store import LocalStore


def test_bytes_are_kept_once_where_their_hash_says(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    name = store.put(b"weights")
    assert name == store.put(b"weights")
    assert store.path(name) == tmp_path / "artifacts" / name[:2] / name[2:]
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize("damaged", [b"weightS", b"weigh", b""])
def test_a_file_that_is_not_what_its_name_says_is_put_away(damaged: bytes, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    name = store.put(b"weights")
    store.path(name).write_bytes(damaged)
    with pytest.raises(NotFound, match="was damaged"):
        store.path(name)
    assert not store.has(name)
    store.put(b"weights")
    assert store.path(name).read_bytes() == b"weights"


def test_checkpoints_lie_in_a_folder_of_their_job(tmp_path: Path) -> None:
    with LocalStore(tmp_path).checkpoint("job/one") as state:
        assert state.path == tmp_path / "work" / "job" / "one.safetensors"
        assert state.path.parent.is_dir()
