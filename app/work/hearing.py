"""When what runs was last heard of, so that what hangs can be said to."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

PATIENCE = 600.0
"""Seconds after which it is said that nothing was heard of what runs; ten of its epochs, if these are longer."""


@dataclass
class _Heard:
    at: float
    """When it gave its last sign."""
    said: float = 0.0
    """For how long it had been silent when that was last said."""


class Hearing:
    """What runs, and when each gave a sign."""

    def __init__(self) -> None:
        self._heard: dict[Future[Any], _Heard] = {}
        self._longest = 0.0
        """Seconds between two signs of anything that ran."""

    def hear(self, future: Future[Any]) -> None:
        """Note a sign; that it was begun is one, too."""
        now = time.monotonic()
        if future in self._heard:
            self._longest = max(self._longest, now - self._heard[future].at)
        self._heard[future] = _Heard(now)

    def silent(self, running: Iterable[Future[Any]]) -> Iterator[tuple[Future[Any], float]]:
        """What nothing was heard of for long, and for how many seconds; each once, and again whenever it has lasted
        twice as long. What no longer runs is forgotten."""
        self._heard = {future: self._heard[future] for future in running}
        for future, heard in self._heard.items():
            seconds = time.monotonic() - heard.at
            if seconds > max(PATIENCE, 10 * self._longest, 2 * heard.said):
                heard.said = seconds
                yield future, seconds
