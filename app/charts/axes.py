"""Where numbers lie along an axis, and which of them are written beside it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

CLOSEST = 0.12
"""How near to each other two numbers are written, as a share of the axis."""


@dataclass(frozen=True)
class Axis:
    """Numbers from `low` to `high`, mapped to 0 … 1; from `high` to `low` where it is turned round."""

    label: str
    low: float
    high: float
    written: Callable[[float], str]
    is_log: bool = False
    is_turned: bool = False
    is_whole: bool = False
    """Whether there is nothing between whole numbers."""

    def at(self, value: float) -> float:
        """Where a number lies."""
        low, high, value = map(self._scaled, (self.low, self.high, value))
        place = (value - low) / (high - low)
        return 1 - place if self.is_turned else place

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, 1e-300)) if self.is_log else value

    @property
    def ticks(self) -> list[float]:
        """Round numbers within, not too many."""
        for found in map(list, self._steps()):
            places = [self.at(value) for value in found]
            words = {self.written(value) for value in found}
            if len(words) == len(found) > 1 and all(abs(b - a) >= CLOSEST for a, b in itertools.pairwise(places)):
                return found
        ends = [self.low, self.high]
        return ends if self.written(self.low) != self.written(self.high) else ends[:1]

    def _steps(self) -> Iterator[Iterable[float]]:
        """Finer ones first."""
        if self.is_log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            for parts in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
                yield self._within(part * 10.0**decade for decade in decades for part in parts)
            for every in range(2, 100):
                yield self._within(10.0**decade for decade in decades if decade % every == 0)
            if self.high > 10 * self.low:
                return  # even steps would crowd at one end
        size = math.floor(math.log10(self.high - self.low)) - 2
        for step in (part * 10.0**power for power in range(size, size + 5) for part in (1, 2, 5)):
            if self.is_whole and step < 1:
                continue
            first, last = math.floor(self.low / step), math.ceil(self.high / step)
            yield self._within(n * step for n in range(first, last + 1))

    def _within(self, values: Iterable[float]) -> Iterator[float]:
        slack = 1e-9 * (self.high - self.low)
        return (value for value in values if self.low - slack <= value <= self.high + slack)


def spanning(
    label: str,
    values: Sequence[float],
    written: Callable[[float], str],
    is_log: bool = False,
    is_turned: bool = False,
    is_whole: bool = False,
) -> Axis:
    """The axis on which all these numbers lie, with a little room; any axis for none, and a wider one for one number.
    What is no finite number (or not above zero, where logs are taken) counts for nothing."""
    known = [value for value in values if math.isfinite(value) and (value > 0 or not is_log)] or [1.0]
    low, high = min(known), max(known)
    if is_log:
        room = max((high / low) ** 0.05, 1.1)
        return Axis(label, low / room, high * room, written, True, is_turned)
    room = 0.06 * (high - low) or max(abs(high) * 0.05, 1e-9)
    return Axis(label, low - room, high + room, written, False, is_turned, is_whole)
