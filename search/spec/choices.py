"""Things from registries, by name, with options. No torch."""

from __future__ import annotations

from pydantic import Field, JsonValue

from espalier.models.document import Frozen
from espalier.search.recipe import Name


class Choice(Frozen):
    """Something from a registry, by name, and its options."""

    name: Name
    options: dict[str, JsonValue] = Field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{name}={_word(value)}" for name, value in self.options.items())])


def _word(value: JsonValue) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


class MethodSpec(Choice):
    """A pruning method and its options."""

    @property
    def passes(self) -> int:
        """How often its parent is trained, each time with fewer channels; for methods with an option of that name."""
        found = self.options.get("passes", 1)
        return found if isinstance(found, int) else 1


class PlannerSpec(Choice):
    """What decides which candidates are tried, and its options."""
