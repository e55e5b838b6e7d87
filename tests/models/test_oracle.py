"""Against torch-pruning, which finds coupled channels another way: by running the network and walking its gradients."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from espalier.models.config import ChannelGroup
from espalier.models.network import Network, build, dense

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what it imports
    import torch_pruning as tp

Place = tuple[str, str, int]
"""A layer, the side of it ('in' or 'out'), and a channel there."""

BOTH_HANDLE = (
    "lenet300", "lenet5", "conv4", "vgg16", "mobilenet_v1", "mobilenet_v2",
    *(f"torchvision/{name}" for name in (
        "alexnet", "vgg11_bn", "resnet18", "resnet50", "densenet121", "mobilenet_v2", "mobilenet_v3_small",
        "mnasnet0_5", "efficientnet_b0", "squeezenet1_1", "googlenet", "convnext_tiny",
    )),
)  # fmt: skip
"""It differs, and is wrong or answers another question, on
- ResNets with option-A shortcuts: it does not follow channels through the zero padding, and couples the stream's with
  columns of the classifier that do not read them;
- networks that select channels: to it, the gather is an element-wise operation;
- grouped convolutions (ResNeXt, RegNet): it names the one channel that was asked for, and rounds to whole groups when
  it cuts; ours are the channels that leave together;
- ShuffleNet (a division by zero) and Swin (no end), which it does not handle."""


@pytest.mark.parametrize("name", BOTH_HANDLE)
def test_the_same_channels_are_coupled(name: str) -> None:
    config = dense(name, 10, (3, 64, 64)) if name.startswith("torchvision/") else dense(name)
    net = build(config).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = tp.DependencyGraph().build_dependency(net, torch.zeros(1, *config.shape))
    for group in Network.of(config).coupling.groups:
        for channel in {0, group.width // 2, group.width - 1}:
            ours = set(_ours(group, channel))
            root = min(place for place in ours if place[1] == "out")
            assert ours == set(_theirs(graph, net, root)), f"{group.name}, channel {channel}"


def _ours(group: ChannelGroup, channel: int) -> Iterator[Place]:
    for part in group.slices:
        if part.tensor.endswith(".weight"):  # biases and statistics go with them
            side = "in" if part.dim == 1 else "out"
            first = part.start + channel * part.repeat
            yield from ((part.layer, side, index) for index in range(first, first + part.repeat))


def _theirs(graph: tp.DependencyGraph, net: nn.Module, root: Place) -> Iterator[Place]:
    names = {module: name for name, module in net.named_modules()}
    for dependency, indices in graph.get_pruning_group(net.get_submodule(root[0]), _cut(net, root[0]), [root[2]]):
        module = dependency.target.module
        if module in names and isinstance(module, (nn.Conv2d, nn.Linear, nn.BatchNorm2d)):
            whole = isinstance(module, nn.BatchNorm2d) or _is_depthwise(module)
            side = "in" if "in_channels" in dependency.handler.__name__ and not whole else "out"
            yield from ((names[module], side, index) for index in indices)


def _cut(net: nn.Module, name: str) -> object:
    module = net.get_submodule(name)
    if isinstance(module, nn.Linear):
        return tp.prune_linear_out_channels
    if isinstance(module, nn.BatchNorm2d):
        return tp.prune_batchnorm_out_channels
    return tp.prune_depthwise_conv_out_channels if _is_depthwise(module) else tp.prune_conv_out_channels


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1
