"""The executors by the name that `ESPALIER_EXECUTOR` gives. A new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable

from espalier.app.work.executors.base import Executor
from espalier.app.work.executors.local import LocalExecutor

EXECUTORS: dict[str, Callable[[int], Executor]] = {
    "local": LocalExecutor,
}
"""Name -> how to make one, from the number of cores to train on."""
