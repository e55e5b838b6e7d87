"""What following a pattern gives somewhere, without training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from espalier.models.network import Network
from espalier.search.datasets import DataPaths, load
from espalier.search.derivation import Derivation
from espalier.search.errors import SpecError
from espalier.search.evaluate import dense_config
from espalier.search.spec import Budget, Target


def guided(keep: Sequence[float], target: Target, budget: Budget, minimum_keep: float, paths: DataPaths) -> Network:
    """The target's network with each stage as thin as a pattern's share says, in proportion, within a budget. Raises
    SpecError or ModelError."""
    whole = Network.of(dense_config(target, load(target.dataset, paths)))
    if not whole.groups:
        raise SpecError(f"{target.arch} has no channels that can be pruned")
    given = Derivation(whole, 0, minimum_keep, _untrained, _untrained, _untrained)
    return given.by_stages(keep, budget).network


def _untrained(*_: object) -> NoReturn:
    raise LookupError("nothing was trained")
