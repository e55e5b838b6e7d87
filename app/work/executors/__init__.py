"""The executors by the name that `ESPALIER_EXECUTOR` gives. A new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable

from espalier.app.work.executors.base import Executor
from espalier.app.work.executors.local import LocalExecutor
from espalier.app.work.executors.ray import RayExecutor

EXECUTORS: dict[str, Callable[[int | None], Executor]] = {
    "local": LocalExecutor,
    "ray": RayExecutor,
}
"""Name -> how to make one, from the most cores that it uses; None: all that there are."""
