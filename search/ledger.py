"""What a result took, and what came before it: epochs, images, multiply-adds, seconds. Arithmetic alone."""

from __future__ import annotations

from collections.abc import Iterable

from espalier.models.config import Cost
from espalier.search.recipe import FineTuning, Recipe, fine_tuning
from espalier.search.results import Effort, Ledger, Ran
from espalier.search.schedule import TRAINING


def training(ran: Ran, images: int, macs: int, seconds: float = 0.0, small: float = 1.0) -> Effort:
    """Training on so many images an epoch, with so many multiply-adds for one; `small` is what a small image takes of
    those."""
    count = ran.epochs * images
    small_count = (ran.small_epochs or 0) * images
    weighted = count - small_count + small * small_count
    return Effort(epochs=ran.epochs, images=count, macs=round(weighted * macs), seconds=seconds)


def entry(own: Effort, before: Iterable[Effort]) -> Ledger:
    """A result's own effort, and with it all that came before."""
    return Ledger(own=own, pipeline=sum(before, start=own))


def pipeline_epochs(spent: int, recipe: Recipe, how: FineTuning, whole: Cost, small: Cost, images: int) -> float:
    """What a pruning pipeline takes, in epochs of the dense network: what was spent on parent and scores, and the
    fine-tuning of a network as small."""
    tuned = fine_tuning(recipe, how).epochs * small.macs
    return spent / (TRAINING * whole.macs * images) + tuned / whole.macs
