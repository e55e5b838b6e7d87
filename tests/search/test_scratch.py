"""Folders that processes work in: nothing is left of them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from espalier.search.scratch import scratch


def test_nothing_is_left_however_it_ends(tmp_path: Path) -> None:
    with pytest.raises(KeyError), scratch(tmp_path / "work") as folder:
        (folder / "file").write_bytes(b"x")
        raise KeyError
    assert [*(tmp_path / "work").iterdir()] == []


def test_what_the_killed_left_goes_and_what_others_work_in_stays(tmp_path: Path) -> None:
    host = socket.gethostname()
    killed, living, elsewhere = f"{host}.999999999.a", f"{host}.{os.getppid()}.b", "another.999999999.c"
    for name in (killed, living, elsewhere):
        (tmp_path / name).mkdir()
    with scratch(tmp_path) as mine:
        assert {path.name for path in tmp_path.iterdir()} == {living, elsewhere, mine.name}
