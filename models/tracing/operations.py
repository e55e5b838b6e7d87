"""The functions that tracing understands: how the channels of their inputs become those of their output.

This is an allow-list, with that of layers in `models/layers/`. What is on neither, or is used in a way that is not,
raises NotUnderstood, and the channels that reach it stay dense. A new function is one rule in `moves.py` or
`joins.py`, and one line here.
"""

from __future__ import annotations

import operator
from typing import Any, cast

import torch
import torch.nn.functional as F
import torchvision
from torch import fx, nn

from espalier.models.channels.call import Rule
from espalier.models.channels.rules import across_channels, channelwise, elementwise, flatten
from espalier.models.layers import LAYERS
from espalier.models.tracing.joins import combine, concatenate, select
from espalier.models.tracing.moves import (
    index,
    pad,
    permute,
    reduce,
    reshape,
    scaled,
    squeeze,
    transpose,
    unsqueeze,
)

FUNCTIONS: dict[Any, Rule] = {
    **dict.fromkeys(
        (operator.add, operator.iadd, operator.mul, operator.imul, operator.sub, operator.isub,
         torch.add, torch.mul, torch.sub, torch.maximum, torch.minimum), combine,
    ),
    **dict.fromkeys((operator.truediv, torch.div), scaled),
    torch.reshape: reshape,
    torch.cat: concatenate,
    torch.concat: concatenate,
    torch.flatten: flatten,
    torch.index_select: select,
    **dict.fromkeys((torch.mean, torch.sum, torch.amax, torch.amin), reduce),
    torch.permute: permute,
    torch.squeeze: squeeze,
    torch.transpose: transpose,
    torch.unsqueeze: unsqueeze,
    operator.getitem: index,
    F.layer_norm: across_channels,
    F.group_norm: across_channels,
    F.pad: pad,
    **dict.fromkeys(
        (F.avg_pool2d, F.max_pool2d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d, F.interpolate, torch.max_pool2d),
        channelwise,
    ),
    **dict.fromkeys(
        (torch.abs, torch.neg, torch.exp, torch.clamp, torch.clip, F.softplus, F.selu, F.relu, torch.relu, F.relu6,
         F.leaky_relu, F.elu, F.gelu, F.silu, F.mish, torch.sigmoid, F.sigmoid, torch.tanh,
         F.tanh, F.hardswish, F.hardsigmoid, F.hardtanh, F.dropout, F.dropout2d, operator.neg,
         torchvision.ops.stochastic_depth), elementwise,
    ),
}  # fmt: skip

METHODS: dict[str, Rule] = {
    **dict.fromkeys(("add", "add_", "mul", "mul_", "sub", "sub_", "expand_as"), combine),
    **dict.fromkeys(
        ("relu", "relu_", "sigmoid", "sigmoid_", "tanh", "tanh_", "abs", "neg", "exp", "clamp", "clamp_", "clip",
         "contiguous", "clone", "detach", "float", "to"), elementwise,
    ),
    **dict.fromkeys(("view", "reshape"), reshape),
    **dict.fromkeys(("div", "div_"), scaled),
    "flatten": flatten,
    "index_select": select,
    **dict.fromkeys(("mean", "sum", "amax", "amin"), reduce),
    "permute": permute,
    "squeeze": squeeze,
    "transpose": transpose,
    "unsqueeze": unsqueeze,
}  # fmt: skip


COUNTING: frozenset[Rule] = frozenset((reshape, pad))
"""Rules that say themselves what follows where their operation computes with a number of channels."""


def rule_of(node: fx.Node, module: nn.Module | None) -> Rule | None:
    """The rule for a node of the graph, if its operation is on the list."""
    if node.op == "call_module":
        layer = cast(nn.Module, module)
        if layer._forward_hooks or layer._forward_pre_hooks:
            return None
        record = LAYERS.get(type(layer))  # exact type: a subclass may compute something else
        return None if record is None else record.trace
    if node.op == "call_function":
        return FUNCTIONS.get(node.target)
    return METHODS.get(str(node.target)) if node.op == "call_method" else None
