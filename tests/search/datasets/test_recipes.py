"""Recipes that data sets share."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from espalier.search.datasets.recipes import PAPER, QUICK, for_signs
from espalier.search.recipe import Crop


def test_the_papers_recipe_is_the_papers() -> None:
    """Liu et al. 2017 and 2019: 160 epochs, a tenth at half and at three quarters, Nesterov left out."""
    assert (PAPER.epochs, PAPER.batch_size, PAPER.lr, PAPER.schedule, PAPER.weight_decay) == (
        160,
        64,
        0.1,
        "step",
        1e-4,
    )
    assert QUICK.epochs < PAPER.epochs / 10


def test_signs_are_neither_mirrored_nor_made_smaller() -> None:
    signs = for_signs(QUICK, epochs=4)
    assert (signs.augment, signs.small_first, signs.epochs) == ((Crop(pad=2),), 0, 4)
    assert signs.lr == QUICK.lr
    with pytest.raises(ValidationError):
        for_signs(QUICK, epochs=0)
