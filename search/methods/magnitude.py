"""Unstructured magnitude pruning (Han et al. 2015, 1506.02626; global as in Liu et al. 2019)."""

from __future__ import annotations

from espalier.search.methods.base import Parent
from espalier.search.methods.weight import WeightMethod, WeightOptions
from espalier.search.scores import Scores
from espalier.search.weights import of_weights


class Magnitude(WeightMethod[WeightOptions]):
    """Ranks single weights by their absolute value, all layers together."""

    Options = WeightOptions

    def score(self, parent: Parent) -> Scores:
        """|w|."""
        return of_weights(parent.network, self.weights(parent.network), lambda weight: weight.abs())
