"""Sparse structure selection of channels: factors that learn, end in the weights and rank."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from espalier.models.config import ChannelMask
from espalier.models.network import Network, dense
from espalier.search.datasets import Data, DataPaths
from espalier.search.errors import SpecError
from espalier.search.evaluate import evaluate
from espalier.search.methods.factors import FactorOptions
from espalier.search.methods.structure_selection import StructureSelection
from espalier.search.recipe import Recipe
from espalier.search.results import Execution
from espalier.search.spec import JobSpec
from tests.search.helpers import planned, written

CONFIG = dense("resnet20", 10, (1, 32, 32), {"width": 0.25})
RECIPE = Recipe(epochs=1, batch_size=8, lr=0.1)


def method(strength: float = 1.0) -> StructureSelection:
    return StructureSelection(FactorOptions(strength=strength))


@pytest.mark.parametrize("arch", ["resnet20", "vgg11", "lenet5", "mobilenet_v2", "preresnet20", "resnext20"])
def test_factors_in_passing_and_in_the_weights_are_the_same(arch: str) -> None:
    network = Network.of(dense(arch, 10, (1, 32, 32), {"width": 0.25})).fresh(1)
    net = network.module.eval()
    x = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    plain = net(x).detach()
    found = method().regularizer(network, RECIPE, 10)
    assert torch.equal(net(x), plain), "factors begin at 1"
    generator = torch.Generator().manual_seed(2)
    for factor in found.factors.values():  # type: ignore[attr-defined]
        factor.data.uniform_(0, 1, generator=generator)
    passing = net(x).detach()
    kept = found.finish(net)
    assert not torch.allclose(passing, plain)
    assert torch.allclose(net(x), passing, rtol=1e-3, atol=1e-5 * float(passing.abs().max()))
    assert set(kept) == {group.name for group in method().ranked(network)}


def test_paths_side_by_side_have_one_factor_each() -> None:
    """The groups of grouped convolutions (section 4.1); whole ones go."""
    network = Network.of(dense("resnext20", 10, (1, 16, 16), {"width": 0.0625, "paths": 5})).fresh(1)
    net, found = network.module.eval(), method().regularizer(network, RECIPE, 10)
    factors: dict[str, torch.Tensor] = found.factors  # type: ignore[attr-defined]
    assert len(factors["blocks.1.conv1"]) == 5
    factors["blocks.1.conv1"].data[3] = 0
    x = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    passing = net(x).detach()
    kept = {group.name: torch.ones(group.width, dtype=torch.bool) for group in network.groups}
    kept["blocks.1.conv1"] = found.finish(net)["blocks.1.conv1"] > 0
    cut = network.prune(ChannelMask(kept)).module.eval()
    assert cut.get_submodule("blocks.1.conv2").groups == 4
    assert torch.allclose(cut(x), passing, rtol=1e-4, atol=1e-5 * float(passing.abs().max()))


def test_they_learn_from_the_loss() -> None:
    network = Network.of(CONFIG).fresh()
    found = method().regularizer(network, RECIPE, 10)
    network.module.train()(torch.randn(4, 1, 32, 32)).square().sum().backward()
    assert all(float(one.grad.abs().sum()) > 0 for one in found.factors.values())  # type: ignore[attr-defined]
    found.finish(network.module)


def test_a_network_that_only_selects_is_refused() -> None:
    with pytest.raises(SpecError, match=r"each of the .* groups only selects from a stream that stays; use slimming"):
        method().ranked(Network.of(dense("densenet40", 10, (1, 32, 32), {"growth": 3})))


def test_factors_are_kept_beside_the_parents_weights_and_rank_its_channels(
    digits: Data, paths: DataPaths, tmp_path: Path
) -> None:
    spec = JobSpec.model_validate(
        {
            "target": {"arch": "vgg11", "options": {"width": 0.1}, "dataset": "digits"},
            "methods": [{"name": "structure_selection"}],
            "budgets": [{"metric": "params", "keep": 0.3}],
            "seeds": [0],
            "recipe": {"epochs": 1, "batch_size": 64},
        }
    )
    trained = {one.label: one for one in planned(spec, digits.fingerprint)}
    found = evaluate(trained["structure_selection parent seed 0"], {}, Execution(), paths)
    files = written(found, tmp_path)
    factors = load_file(files["learned"])
    assert all(0 <= float(one.min()) <= float(one.max()) < 2 for one in factors.values())
    pruned = evaluate(trained["structure_selection params=0.3 seed 0"], {"parent": files}, Execution(), paths).result
    widths = pruned.config.widths
    assert pruned.cost.params <= 0.3 * found.result.cost.params
    kept = {name: sorted(one.tolist())[-widths[name] :] for name, one in factors.items()}
    assert min(one[0] for one in kept.values()) >= 0
