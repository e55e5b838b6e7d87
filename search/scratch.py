"""Folders that processes work in, of which nothing is left, however they end."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """A folder for this process; what was left by those of this machine that were killed is deleted."""
    root.mkdir(parents=True, exist_ok=True)
    host = socket.gethostname()
    for left in root.glob(f"{host}.*.*"):
        process = left.name.split(".")[-2]
        if not (process.isdecimal() and psutil.pid_exists(int(process))):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=f"{host}.{os.getpid()}.") as folder:
        yield Path(folder)
