"""An executor that leaves a core to others."""

from __future__ import annotations

from espalier.app.work.executors.local import LocalExecutor
from espalier.search.machine import cores


class SpareExecutor(LocalExecutor):
    """Worker processes on all cores but one."""

    def __init__(self, most: int | None = None) -> None:
        super().__init__(max(1, (most or cores()) - 1), "spare")
