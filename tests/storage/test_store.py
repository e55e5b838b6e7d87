"""Bytes by content hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from espalier.storage.errors import NotFound
from espalier.storage.store import Store


def test_bytes_are_found_by_their_hash_and_kept_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    name = store.put(b"weights")
    assert name == store.put(b"weights") == hashlib.sha256(b"weights").hexdigest()
    assert store.path(name).read_bytes() == b"weights"
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
    store.delete(name)
    store.delete(name)
    with pytest.raises(NotFound):
        store.path(name)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63])
def test_only_hashes_are_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound, match="is not an artifact's hash"):
        Store(tmp_path).path(name)


def test_it_says_what_it_has(tmp_path: Path) -> None:
    store = Store(tmp_path)
    name = store.put(b"weights")
    assert store.has(name)
    store.delete(name)
    assert not store.has(name)


def test_a_file_of_another_process_is_found(tmp_path: Path) -> None:
    name = Store(tmp_path).put(b"weights")
    assert Store(tmp_path).path(name) == tmp_path / name[:2] / name[2:]


@pytest.mark.parametrize("damaged", [b"weightS", b"weigh", b""])
def test_a_file_that_is_not_what_its_name_says_is_put_away(damaged: bytes, tmp_path: Path) -> None:
    store = Store(tmp_path)
    name = store.put(b"weights")
    store.path(name).write_bytes(damaged)
    with pytest.raises(NotFound, match="was damaged"):
        store.path(name)
    assert not store.has(name)
    store.put(b"weights")
    assert store.path(name).read_bytes() == b"weights"
