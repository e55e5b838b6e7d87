"""An executor: worker processes here, but one core is left to others."""

from __future__ import annotations

from espalier.app.work.executors.local import LocalExecutor


class SpareExecutor(LocalExecutor):
    """Worker processes on all cores but one."""

    def __init__(self, cores: int) -> None:
        super().__init__(max(1, cores - 1), "spare")
