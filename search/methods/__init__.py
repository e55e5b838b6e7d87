"""The pruning methods by name. A new one is one file and one line here."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from espalier.search.errors import SpecError, UnknownName
from espalier.search.methods.base import PruningMethod
from espalier.search.methods.slimming import Slimming
from espalier.search.types import MethodSpec

METHODS: dict[str, type[PruningMethod[Any]]] = {
    "slimming": Slimming,
}


def create(spec: MethodSpec) -> PruningMethod[Any]:
    """The method with its options. Raises UnknownName or SpecError."""
    if spec.name not in METHODS:
        raise UnknownName("pruning method", spec.name, METHODS)
    kind = METHODS[spec.name]
    try:
        return kind(kind.Options.model_validate(spec.options))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise SpecError(
            f"options of {spec.name!r}: {problems} (there are: {', '.join(kind.Options.model_fields)})"
        ) from error
