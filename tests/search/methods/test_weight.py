"""Methods that rank single weights: which ones, and on which networks."""

from __future__ import annotations

import pytest

from espalier.models.network import Network, dense
from espalier.search.errors import SpecError
from espalier.search.methods.magnitude import Magnitude
from espalier.search.methods.weight import WeightOptions


def test_a_network_without_such_layers_is_refused() -> None:
    linear = Network.of(dense("lenet300", 10, (1, 8, 8)))
    with pytest.raises(SpecError, match="has no convolution whose single weights could be cut; choose other layers"):
        Magnitude(WeightOptions()).ranked(linear)
    assert Magnitude(WeightOptions(layers="all")).ranked(linear) == ()


def test_weights_are_those_of_the_layers_asked_for() -> None:
    network = Network.of(dense("lenet5", 10, (1, 16, 16)))
    assert Magnitude(WeightOptions(layers="linear")).weights(network) == ("fc1.weight", "classifier.weight")
