"""Functions for workers to run; they must be importable where a worker starts."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from espalier.search.errors import SpecError


def double(x: int) -> int:
    return 2 * x


def pid() -> int:
    return os.getpid()


def sleep(seconds: float, mark: Path | None = None) -> int:
    if mark:
        mark.write_text(str(os.getpid()))
    time.sleep(seconds)
    return os.getpid()


def count(to: int, report: Callable[[int], None]) -> int:
    for i in range(to):
        report(i)
    return to


def fail(kind: str) -> None:
    raise SpecError("it was you") if kind == "spec" else RuntimeError("it was us")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave() -> None:
    os._exit(3)


def swallow(size: int) -> None:
    held = bytearray(size)
    time.sleep(30)
    del held


class Unsendable(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def fail_oddly() -> None:
    raise Unsendable(1, 2)


def odd_result() -> object:
    return lambda: None


def environment() -> set[str]:
    """Names of the variables that code finds."""
    return set(os.environ)


def sees(mark: Path) -> str:
    """The GPUs that a worker sees; waits until the others are there, too."""
    mark.touch()
    while not (mark.parent / "go").exists():
        time.sleep(0.02)
    return os.environ.get("CUDA_VISIBLE_DEVICES", "all")
