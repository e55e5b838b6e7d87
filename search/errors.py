"""What can be wrong with a search.

SearchError
├── SpecError            a job that cannot work, found before anything runs
│   ├── UnknownName      a method, data set or preset that does not exist
│   └── DataUnavailable  a data set that is not on this machine, or is broken
├── WeightsLost          weights that were kept, and are not there any more
└── Diverged             a training run whose loss stopped being a number
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


def messages(error: ValidationError) -> str:
    """What a model found wrong, in one line."""
    return "; ".join(one["msg"] for one in error.errors())


class SearchError(Exception):
    """Base of everything this package raises."""

    is_users = False
    """Whether what was asked for was wrong, rather than the code or the machine."""


class SpecError(SearchError, ValueError):
    """A job that cannot work."""

    is_users = True


class UnknownName(SpecError):
    """A name that is not in its registry."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        there = [*known]
        close = difflib.get_close_matches(name, there, 2)
        meant = f"; did you mean {' or '.join(close)}?" if close else ""
        super().__init__(f"no {kind} {name!r}; there are: {', '.join(there)}{meant}")


class DataUnavailable(SpecError):
    """A data set that is not on this machine, or is broken."""


class WeightsLost(SearchError):
    """Weights that were kept, and are not there any more."""

    is_users = True


class Diverged(SearchError):
    """A training run whose loss stopped being a number."""

    def __init__(self, epoch: int, loss: float) -> None:
        super().__init__(f"training diverged in epoch {epoch}: the loss became {loss}; a smaller lr may work")
