"""What training takes, worked out by hand."""

from __future__ import annotations

from espalier.search.ledger import training
from espalier.search.recipe import Recipe
from espalier.search.results import Effort, Ran

RECIPE = Recipe(epochs=4, batch_size=10, lr=0.1)


def test_it_counts_every_image_of_every_step() -> None:
    ran = Ran(epochs=4, steps=40, small_epochs=0)
    assert training(ran, RECIPE, 109, 7, 2.5) == Effort(epochs=4, images=400, macs=2800, seconds=2.5)
    assert training(ran.model_copy(update={"steps": 3}), RECIPE, 4, 1) == Effort(epochs=3, images=12, macs=12)


def test_small_images_take_less() -> None:
    ran = Ran(epochs=4, steps=40, small_epochs=2)
    assert training(ran, RECIPE, 100, 16) == Effort(epochs=4, images=400, macs=200 * 16 + 200 * 9)


def test_what_begins_late_took_only_what_it_ran() -> None:
    """Epochs 1 and 2 of 4 on small images, from step 15 on: 5 small steps, 20 whole ones."""
    late = RECIPE.model_copy(update={"first_step": 15})
    ran = Ran(epochs=4, steps=25, small_epochs=2)
    assert training(ran, late, 100, 16) == Effort(epochs=3, images=250, macs=200 * 16 + 50 * 9)


def test_what_ended_early_took_only_what_it_ran() -> None:
    assert training(Ran(epochs=1, steps=4, small_epochs=1), RECIPE, 100, 16) == Effort(epochs=1, images=40, macs=40 * 9)
