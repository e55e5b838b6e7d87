"""The tasks by name. A new one is one file and one line here."""

from __future__ import annotations

from espalier.search.errors import UnknownName
from espalier.search.recipe import Recipe
from espalier.search.tasks.base import Batch, Task
from espalier.search.tasks.classification import Classification

TASKS: dict[str, type[Task]] = {
    "classification": Classification,
}


def create(name: str, recipe: Recipe) -> Task:
    """The task of that name, as the recipe trains for it. Raises UnknownName."""
    if name not in TASKS:
        raise UnknownName("task", name, TASKS)
    return TASKS[name](recipe)


__all__ = ["TASKS", "Batch", "Task", "create"]
