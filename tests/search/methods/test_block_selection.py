"""Sparse structure selection of blocks: factors of whole branches, and networks of fewer blocks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from espalier.models.blocks import BlockMask, branches, leave_out
from espalier.models.network import Network, build, dense
from espalier.search.datasets import Data, DataPaths
from espalier.search.errors import SpecError
from espalier.search.evaluate import evaluate
from espalier.search.methods.block_selection import BlockSelection
from espalier.search.methods.factors import FactorOptions, Factors
from espalier.search.recipe import Recipe
from espalier.search.results import Execution
from espalier.search.spec import JobSpec
from tests.search.helpers import planned, written

METHOD = BlockSelection(FactorOptions())
RECIPE = Recipe(epochs=1, batch_size=8, lr=0.1)


def factors(network: Network) -> Factors:
    found = METHOD.regularizer(network, RECIPE, 10)
    assert isinstance(found, Factors)
    return found


@pytest.mark.parametrize("arch", ["resnet20", "preresnet20", "resnext20"])
def test_a_factor_multiplies_a_branch_before_the_shortcut_is_added(arch: str) -> None:
    """A block of factor zero computes nothing, in passing, in the weights, and left out."""
    whole = Network.of(dense(arch, 10, (1, 16, 16), {"width": 0.25, "blocks": [2, 1, 1]})).fresh(1)
    net = whole.module.eval()
    x = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    plain = net(x).detach()
    found, gone = factors(whole), branches(whole)[1].block
    assert torch.equal(net(x), plain), "factors begin at 1"
    found.factors[gone].data.zero_()
    passing = net(x).detach()
    assert not torch.allclose(passing, plain)
    assert found.finish(net)[gone].tolist() == [0.0]
    smaller = leave_out(whole, BlockMask({gone: False})).module.eval()
    for other in (net, smaller):
        assert torch.allclose(other(x), passing, rtol=1e-4, atol=1e-5 * float(passing.abs().max()))


def test_they_learn_from_the_loss() -> None:
    network = Network.of(dense("resnet20", 10, (1, 16, 16), {"width": 0.25})).fresh()
    found = factors(network)
    network.module.train()(torch.randn(4, 1, 16, 16)).square().sum().backward()
    gradients = [one.grad for one in found.factors.values()]
    assert all(gradient is not None and float(gradient.abs()) > 0 for gradient in gradients)


def test_the_network_of_the_parent_loses_its_lowest_blocks_to_an_option(
    digits: Data, paths: DataPaths, tmp_path: Path
) -> None:
    spec = JobSpec.model_validate(
        {
            "target": {"arch": "resnet20", "options": {"width": 0.25}, "dataset": "digits"},
            "methods": [{"name": "block_selection"}],
            "budgets": [{"metric": "macs", "keep": 0.5}],
            "inits": ["scratch", "inherited"],
            "controls": ["reverse"],
            "seeds": [0],
            "recipe": {"epochs": 1, "batch_size": 64},
        }
    )
    trained = {one.label: one for one in planned(spec, digits.fingerprint)}
    found = evaluate(trained["block_selection parent seed 0"], {}, Execution(), paths)
    files = written(found, tmp_path)
    scores = {block: float(one) for block, one in load_file(files["learned"]).items()}
    ways = ("block_selection", "block_selection inherited", "block_selection reverse")
    results = [
        evaluate(trained[f"{way} macs=0.5 seed 0"], {"parent": files}, Execution(), paths).result for way in ways
    ]
    kept = [result.config.options["blocks"] for result in results]
    assert kept[0] == kept[1] == _stages(sorted(scores, key=lambda block: -scores[block]), sum(kept[0]))  # type: ignore[arg-type]
    assert kept[2] == _stages(sorted(scores, key=lambda block: scores[block]), sum(kept[2]))  # type: ignore[arg-type]
    assert all(result.cost.macs <= 0.5 * found.result.cost.macs for result in results)
    assert sum(p.numel() for p in build(results[0].config).parameters()) == results[0].cost.params


def _stages(order: list[str], count: int) -> list[int]:
    """How many of the first blocks of an order lie in each stage of three."""
    numbers = [int(block.removeprefix("blocks.")) for block in order[:count]]
    return [sum(number // 3 == stage for number in numbers) for stage in range(3)]


@pytest.mark.parametrize(
    ("arch", "options", "message"),
    [
        ("vgg11", {}, "vgg11 has no option that leaves blocks out"),
        ("resnet20", {"blocks": [0, 0, 0]}, "resnet20 has no blocks with these options"),
    ],
)
def test_a_network_without_blocks_to_leave_out_is_refused(
    arch: str, options: dict[str, list[int]], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        METHOD.ranked(Network.of(dense(arch, 10, (1, 32, 32), {"width": 0.25, **options})))
