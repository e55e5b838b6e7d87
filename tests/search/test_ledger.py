"""What results took, worked out by hand."""

from __future__ import annotations

import pytest

from espalier.models.config import Cost
from espalier.search import ledger
from espalier.search.recipe import FineTuning, Recipe
from espalier.search.results import Effort, Ran
from espalier.search.schedule import matched

WHOLE, SMALL = Cost(0, 1000), Cost(0, 250)


def test_training_counts_every_image_of_every_epoch() -> None:
    ran = Ran(epochs=4, steps=40, small_epochs=0)
    assert ledger.training(ran, 100, 7, 2.5) == Effort(epochs=4, images=400, macs=2800, seconds=2.5)


def test_small_images_take_less() -> None:
    ran = Ran(epochs=4, steps=40, small_epochs=2)
    assert ledger.training(ran, 100, 8, small=0.5) == Effort(epochs=4, images=400, macs=200 * 8 + 200 * 4)


def test_a_pipeline_is_everything_before_and_its_own() -> None:
    own, parent, scoring = Effort(epochs=1, macs=1), Effort(epochs=10, macs=20), Effort(images=5)
    found = ledger.entry(own, [parent, scoring])
    assert (found.own, found.pipeline) == (own, Effort(epochs=11, images=5, macs=21))
    assert ledger.entry(own, []).pipeline == own


def test_scratch_is_given_what_parent_scores_and_fine_tuning_take() -> None:
    recipe, images = Recipe(epochs=8, batch_size=10, lr=0.1, match="pipeline"), 100
    parent, scores = 8 * images * 3 * WHOLE.macs, 1 * images * 3 * WHOLE.macs
    epochs = ledger.pipeline_epochs(parent + scores, recipe, FineTuning(), WHOLE, SMALL, images)
    assert epochs == pytest.approx(8 + 1 + 2 / 4)
    assert matched(recipe, WHOLE, SMALL, epochs).epochs == 4 * 9 + 2
