"""Bytes by content hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from espalier.storage.artifacts import Artifacts
from espalier.storage.errors import NotFound


def test_bytes_are_found_by_their_hash_and_kept_once(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    name = artifacts.put(b"weights")
    assert name == artifacts.put(b"weights") == hashlib.sha256(b"weights").hexdigest()
    assert artifacts.path(name).read_bytes() == b"weights"
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
    artifacts.delete(name)
    artifacts.delete(name)
    with pytest.raises(NotFound):
        artifacts.path(name)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63])
def test_only_hashes_are_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound, match="is not an artifact's hash"):
        Artifacts(tmp_path).path(name)
