"""How long a recipe is, and the learning rate at each of its steps. Arithmetic alone."""

from __future__ import annotations

from espalier.models.config import Cost
from espalier.search.recipe import SMALL, Recipe


def steps_per_epoch(recipe: Recipe, examples: int) -> int:
    """Full batches in one pass; a data set smaller than one batch is one step."""
    return max(1, examples // recipe.batch_size)


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of one step (from 0) out of `steps`.

    step: divided by 10 at half and at three quarters (the papers' schedule, scaled with the length).
    step and constant: from 0 linear up over the first `warmup_steps` (Frankle & Carbin 2019, section 4).
    one_cycle: linear up over `warmup` of the steps, linear down to zero over the rest (Smith & Topin 2018).
    """
    if recipe.schedule != "one_cycle":
        risen = min(1.0, (step + 1) / recipe.warmup_steps) if recipe.warmup_steps else 1.0
        decays = (step >= steps // 2) + (step >= steps * 3 // 4) if recipe.schedule == "step" else 0
        return recipe.lr * risen * 0.1**decays
    peak = recipe.warmup * steps
    if step < peak:
        return recipe.lr * (step + 1) / (peak + 1)
    return recipe.lr * (steps - step) / (steps - peak + 1)


def travel(recipe: Recipe, steps: int) -> float:
    """How far a constant gradient of 1 moves a weight in so many steps of SGD with momentum."""
    return sum(learning_rate(recipe, step, steps) for step in range(steps)) / (1 - recipe.momentum)


TRAINING = 3
"""Forward passes that a training step is worth: the backward pass computes twice as much."""


def image_share(recipe: Recipe) -> float:
    """What an image of this training takes on average, as a share of a whole one."""
    return 1 - recipe.small_first * (1 - SMALL**2)


def matched(recipe: Recipe, whole: Cost, small: Cost) -> Recipe:
    """The recipe at the length that it has for this network.

    epochs: as it stands (Scratch-E).
    compute: E * MACs(dense) / MACs(small) epochs, at most 2E (Scratch-B; Liu et al. 2019, section 4).
    pipeline: for what it takes to train the dense network, as often as the pipeline does, and to fine-tune this one;
    the same for every network of one size, whatever found it, and never shorter than the recipe.

    A step of a network that is taught takes a forward pass of the dense one, too.
    """
    if recipe.match == "epochs":
        return recipe
    step = TRAINING * small.macs + (whole.macs if recipe.distillation else 0)
    ratio = TRAINING * whole.macs / max(1, step)
    epochs = recipe.epochs * min(2.0, ratio)
    if recipe.match == "pipeline":
        share = image_share(recipe)
        tuned = max(1, round(recipe.epochs * recipe.tuning))
        spent = recipe.parents * recipe.epochs * share + tuned * small.macs / whole.macs
        epochs = max(recipe.epochs, spent * ratio / share)
    return recipe.model_copy(update={"epochs": max(1, int(epochs + 1e-9))})
