"""Recipes that data sets share."""

from __future__ import annotations

from typing import Any

from espalier.search.recipe import Crop, Flip, Recipe

PAPER = Recipe(
    epochs=160,
    batch_size=64,
    lr=0.1,
    weight_decay=1e-4,
    nesterov=False,
    schedule="step",
    augment=(Crop(pad=4), Flip()),
)
QUICK = Recipe(
    epochs=8,
    batch_size=128,
    lr=0.15,
    weight_decay=5e-4,
    warmup=0.1,
    label_smoothing=0.1,
    augment=(Crop(pad=2), Flip()),
    small_first=0.5,
)


def for_signs(recipe: Recipe, **changes: Any) -> Recipe:
    """For digits and the like: their mirror images mean something else, and they are small already."""
    return recipe.model_copy(update={"augment": (Crop(pad=2),), "small_first": 0.0, **changes})
