"""What a result took, and what came before it: epochs, images, multiply-adds, seconds. Arithmetic alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

from espalier.search.recipe import SMALL, Recipe
from espalier.search.results import Effort, Ran
from espalier.search.schedule import steps_per_epoch

Efforts = Mapping[str, Effort]
"""What each network took, by its key. One that others share stands in it once."""


def training(ran: Ran, recipe: Recipe, examples: int, macs: int, seconds: float = 0.0) -> Effort:
    """Training for the steps that were run, on so many examples, with `macs` multiply-adds for each. Small images take
    less."""
    steps, per_epoch, batch = ran.steps or 0, steps_per_epoch(recipe, examples), min(recipe.batch_size, examples)
    small = min(steps, max(0, (ran.small_epochs or 0) * per_epoch - recipe.first_step))
    weighted = batch * (steps - small + SMALL**2 * small)
    return Effort(
        epochs=math.ceil(steps / per_epoch), images=batch * steps, macs=round(weighted * macs), seconds=seconds
    )
