"""Widths that papers give: against the widths and costs that are published for them."""

from __future__ import annotations

import pytest

from espalier.models.network import Network, dense
from espalier.search.allocate import by_ratios
from espalier.search.presets import OPTIONS, PRESETS, preset
from espalier.search.recipe import Recipe
from espalier.search.schedule import matched
from espalier.search.spec import Ratios

GAP = ("thinet-gap", "thinet-tiny")
"""Of ImageNet's VGG-16 with its hidden linear layers gone."""
EVERY = [(arch, name) for arch, presets in PRESETS.items() for name in presets]


def widths_of(arch: str, name: str) -> tuple[Network, dict[str, int]]:
    network = Network.of(dense(arch, 1000, (3, 224, 224), {"batch_norm": False}) if name in GAP else dense(arch))
    ratios = Ratios(by="group", ratios=dict(preset(arch, name, OPTIONS.get(name))))
    return network, by_ratios(network.groups, ratios, 0.1)


@pytest.mark.parametrize(("arch", "name"), EVERY)
def test_every_preset_names_groups_that_its_architecture_has(arch: str, name: str) -> None:
    network, widths = widths_of(arch, name)
    assert {group for group, width in widths.items() if width < network.coupling.widths[group]} == {
        *PRESETS[arch][name]
    }


@pytest.mark.parametrize(
    ("arch", "name", "params", "macs"),
    [
        ("vgg16", "li2017-A", 0.360, 0.658),
        ("resnet56", "li2017-A", 0.907, 1 / 1.1156),
        ("resnet56", "li2017-B", 0.862, 1 / 1.3791),
        ("resnet110", "li2017-A", 0.977, 1 / 1.1883),
        ("resnet110", "li2017-B", 0.676, 1 / 1.6272),
        ("torchvision/resnet34", "li2017-A", 0.924, 1 / 1.182),
        ("torchvision/resnet34", "li2017-B", 0.893, 1 / 1.316),
        ("torchvision/resnet50", "thinet-70", 16.95 / 25.56, 2.60 / 4.09),
        ("torchvision/resnet50", "thinet-50", 12.38 / 25.56, 1.82 / 4.09),
        ("torchvision/resnet50", "thinet-30", 8.67 / 25.56, 1.17 / 4.09),
        ("torchvision/vgg16", "thinet-conv", 131.45 / 138.36, 4.79 / 15.47),
        ("torchvision/vgg16", "he2017-5x", 130.9 / 138.36, 1 / 4.40),
    ],
)
def test_what_is_kept_is_what_is_published(arch: str, name: str, params: float, macs: float) -> None:
    network, widths = widths_of(arch, name)
    cost, whole = network.coupling.cost(widths), network.cost
    assert cost.params / whole.params == pytest.approx(params, abs=0.003), "Li's VGG has a layer more"
    assert cost.macs / whole.macs == pytest.approx(macs, abs=0.004), "FLOPs of the papers count a little more"


@pytest.mark.parametrize(
    ("arch", "name", "whole", "expected"),
    [
        ("vgg16", "li2017-A", 160, 243),
        ("resnet56", "li2017-A", 160, 178),
        ("resnet56", "li2017-B", 160, 220),
        ("resnet110", "li2017-A", 160, 190),
        ("resnet110", "li2017-B", 160, 260),
        ("torchvision/resnet34", "li2017-A", 90, 106),
        ("torchvision/resnet34", "li2017-B", 90, 118),
        ("torchvision/resnet50", "thinet-70", 90, 141),
        ("torchvision/resnet50", "thinet-50", 90, 180),
    ],
)
def test_scratch_b_is_as_long_as_published(arch: str, name: str, whole: int, expected: int) -> None:
    """Liu et al. 2019, section 4 and released code: E * FLOPs of the whole network / those of the pruned one, at most
    twice as long."""
    network, widths = widths_of(arch, name)
    recipe = Recipe(epochs=whole, batch_size=64, lr=0.1, match="compute")
    assert matched(recipe, network.cost, network.coupling.cost(widths)).epochs == expected


@pytest.mark.parametrize(("name", "millions", "billions"), [("thinet-gap", 8.32, 4.67), ("thinet-tiny", 1.33, 1.00)])
def test_vggs_without_hidden_linear_layers_are_as_large_as_published(
    name: str, millions: float, billions: float
) -> None:
    network, widths = widths_of("vgg16", name)
    cost = network.coupling.cost(widths)
    assert (cost.params / 1e6, cost.macs / 1e9) == (
        pytest.approx(millions, abs=0.005),
        pytest.approx(billions, abs=0.005),
    )


@pytest.mark.parametrize("options", [{}, {"batch_norm": True}])
def test_thinets_vggs_are_none_of_those_with_batch_norms(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r'thinet-gap of vgg16 is for options \{"batch_norm": false\}, got'):
        preset("vgg16", "thinet-gap", options)


def test_resnet_50_2x_is_as_large_as_published_but_for_its_samplers() -> None:
    network, widths = widths_of("torchvision/resnet50", "he2017-2x-inside")
    read = {1: (35, 101, 97), 2: (144, 205, 198, 288), 3: (278, 418, 407, 423, 412, 595), 4: (606, 1222, 1147)}
    saved = 0
    for stage, sampled in read.items():
        for block, inputs in enumerate(sampled):
            conv = f"layer{stage}.{block}.conv1"
            saved += (network.module.get_submodule(conv).in_channels - inputs) * widths[conv]  # type: ignore[operator]
    assert (network.coupling.cost(widths).params - saved) / 1e6 == pytest.approx(19.69, abs=0.005)


def test_widths_are_rounded_down_as_in_the_papers_code() -> None:
    _, widths = widths_of("resnet56", "li2017-B")
    assert [widths[f"blocks.{block}.conv1"] for block in (0, 7, 10, 16, 19)] == [6, 16, 22, 32, 57]
    _, widths = widths_of("torchvision/resnet34", "li2017-A")
    found = [widths[f"layer{s}.{b}.conv1"] for s, length in enumerate((3, 4, 6, 3), 1) for b in range(length)]
    assert found == [64, 44, 44, 128, 89, 89, 128, 256, 179, 179, 179, 179, 256, 512, 512, 512]
    _, widths = widths_of("torchvision/vgg16", "he2017-5x")
    assert [*widths.values()][:10] == [24, 22, 41, 51, 108, 89, 111, 184, 276, 228]
    _, widths = widths_of("torchvision/resnet50", "thinet-30")
    assert [widths[f"layer{stage}.1.conv1"] for stage in (1, 2, 3, 4)] == [19, 38, 76, 153]


def test_an_unknown_one_lists_what_there_is() -> None:
    with pytest.raises(ValueError, match="no preset 'C' of resnet56; there are: li2017-A, li2017-B"):
        preset("resnet56", "C")
    with pytest.raises(ValueError, match="no preset 'A' of lenet5; only these have any: vgg16, resnet56"):
        preset("lenet5", "A")
