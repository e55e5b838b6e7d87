"""What can be wrong with a network or its description.

ModelError
├── ConfigError            a channel config that no network answers to
├── UnknownArchitecture    a name that is not in the registry
├── ArchitectureError      a factory that refuses its options, or an input the network cannot take
├── TraceError             control flow or operations that tracing cannot follow at all
├── SurgeryError           a cut that would change what the network computes
└── WeightsError           tensors that are not this network's
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable


class ModelError(ValueError):
    """Base of everything this package raises about a network."""

    is_users = True
    """Whether what was asked for was wrong, rather than the code or the machine."""


class ConfigError(ModelError):
    """A channel config that no network answers to."""


class UnknownArchitecture(ModelError):
    """A name that is not in the registry."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        listed = [*known]
        packages = Counter(one.partition("/")[0] for one in listed if "/" in one)
        own = [*(one for one in listed if "/" not in one), *(f"{one}/… ({n})" for one, n in packages.items())]
        close = difflib.get_close_matches(name, listed, 3)
        meant = f"; did you mean {' or '.join(close)}?" if close else ""
        super().__init__(f"no architecture {name!r}; there are: {', '.join(own)}{meant}")


class ArchitectureError(ModelError):
    """A factory that refuses its options, or an input the network cannot take."""


class TraceError(ModelError):
    """A network that cannot be traced at all."""


class WeightsError(ModelError):
    """Tensors that are not this network's."""


class SurgeryError(ModelError):
    """A cut that does not fit the network, or changes what it computes."""


def first_line(error: Exception) -> str:
    """What was wrong; torch appends where in its own code it was noticed."""
    return str(error).strip().partition("\n")[0]
