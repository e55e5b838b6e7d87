"""What comparisons read of a result: all but its learning curve, its receipts and its files. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, Self

from pydantic import JsonValue

from espalier.models.config import Cost
from espalier.search.results import EarlyStop, Metric, Metrics, Result
from espalier.search.spec import Kernel


class Comparable(Protocol):
    """A trained network as one point of a comparison."""

    @property
    def architecture(self) -> str:
        """Id of the network."""

    @property
    def options(self) -> Mapping[str, JsonValue]:
        """Of its family."""

    @property
    def widths(self) -> Mapping[str, int]:
        """Channel group -> channels kept."""

    @property
    def mask(self) -> str | None:
        """Hash of the mask over its single weights, where there is one."""

    @property
    def density(self) -> float:
        """Share of the weights that could be cut which a mask leaves; 1 without one."""

    @property
    def kernels(self) -> Mapping[int, Kernel]:
        """Stage -> what a mask leaves at each place of its 3x3 kernels."""

    @property
    def counted(self) -> Cost:
        """What it is compared by."""

    @property
    def metric(self) -> Metric:
        """The one that networks are compared by."""

    @property
    def chosen_by(self) -> float:
        """The metric on the hold-out."""

    @property
    def reported(self) -> float:
        """The metric on the test data."""

    @property
    def test(self) -> Metrics:
        """Every metric on the test data."""

    @property
    def early(self) -> EarlyStop | None:
        """Where training would have stopped, where that was looked for."""

    @property
    def latency_ms(self) -> float:
        """Of one input on one thread."""

    @property
    def conditions(self) -> str:
        """What numbers must have alike to be compared."""


class Brief(NamedTuple):
    """A `Comparable` by itself, a tenth of a result to read."""

    architecture: str
    options: Mapping[str, JsonValue]
    widths: Mapping[str, int]
    mask: str | None
    density: float
    kernels: Mapping[int, Kernel]
    counted: Cost
    metric: Metric
    chosen_by: float
    reported: float
    test: Metrics
    early: EarlyStop | None
    latency_ms: float
    conditions: str

    @classmethod
    def of(cls, result: Result) -> Self:
        """What there is to compare of a result."""
        return cls(**{name: getattr(result, name) for name in cls._fields})

    def dump(self) -> dict[str, Any]:
        """As plain data."""
        early = None if self.early is None else self.early.model_dump(mode="json")
        plain = {"metric": self.metric.model_dump(mode="json"), "early": early, "counted": list(self.counted)}
        return self._asdict() | plain

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """What `dump` wrote. Nothing is checked again."""
        read = {
            "kernels": {int(stage): tuple(map(tuple, kernel)) for stage, kernel in data["kernels"].items()},
            "counted": Cost(*data["counted"]),
            "metric": _metric(*data["metric"].items()),
            "early": None if data["early"] is None else EarlyStop.model_validate(data["early"]),
        }
        return cls(**{**data, **read})


@lru_cache(maxsize=1000)
def _metric(*fields: tuple[str, Any]) -> Metric:
    """The same for all results of a task."""
    return Metric(**dict(fields))
