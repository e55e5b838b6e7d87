"""The operations that tracing understands: how the channels of their inputs become those of their output.

This is an allow-list. What is not on it, or is used in a way that is not, raises NotUnderstood, and the channels that
reach it stay dense. A new operation is one rule here and one line in a table at the end.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
import torchvision
from espalier.models.labels import Channels, Ledger, NotUnderstood
from espalier.models.sizes import sizes, stays
from torch import Tensor, fx, nn


class Call(NamedTuple):
    """One node of the graph as an operation sees it."""

    ledger: Ledger
    name: str  # the module's path, or the operation's name
    node: fx.Node
    module: nn.Module | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: list[tuple[Tensor, Channels]]  # traced tensors among the arguments, in order
    output: Tensor
    known: Mapping[fx.Node, Channels]  # of everything so far

    def argument(self, index: int, name: str, default: Any = None) -> Any:
        """An argument by position or keyword; torch takes NumPy's word for a dimension, too."""
        if len(self.args) > index:
            return self.args[index]
        return self.kwargs.get(name, self.kwargs.get("axis", default) if name == "dim" else default)

    def stays(self, number: Any) -> bool:
        """Whether no cut changes a number in the network's code."""
        return stays(number, self.known)

    def traced(self, node: Any) -> tuple[Tensor, Channels]:
        """One of the traced tensors among the arguments, by its node."""
        sources = [source for source in self.node.all_input_nodes if source in self.known]
        if node not in sources:
            raise NotUnderstood(f"{self.name} takes something else than activations")
        return self.inputs[sources.index(node)]

    @property
    def first(self) -> tuple[Tensor, Channels]:
        """The first traced tensor."""
        if not self.inputs:
            raise NotUnderstood(f"{self.name} has no traced input")
        return self.inputs[0]

    def labels(self, dim: int) -> list[int]:
        """The labels of the first tensor along a dimension."""
        value, channels = self.first
        return channels.along(dim, value, self.name)


Rule = Callable[[Call], Channels]


# --- layers with weights ------------------------------------------------------------------------------------------


def _convolution(call: Call) -> Channels:
    conv, ledger, labels = cast(nn.Conv2d, call.module), call.ledger, call.labels(1)
    if call.output.dim() != 4:
        raise NotUnderstood(f"{call.name} has an input without batch")
    ledger.count(call.name, conv.weight, call.output, conv.out_channels)
    if conv.groups == 1:
        ledger.own(conv.weight, 1, labels)
        out = ledger.labels.new(conv.out_channels)
    elif conv.groups == conv.in_channels:  # depthwise: output k * m + j reads input k alone
        multiplier = conv.out_channels // conv.in_channels
        out = labels if multiplier == 1 else [label for label in labels for _ in range(multiplier)]
    else:  # cut the same positions from every convolution group, so that they stay equal in size
        per_in, per_out = conv.in_channels // conv.groups, conv.out_channels // conv.groups
        inner, outer = labels[:per_in], ledger.labels.new(per_out)
        for k in range(1, conv.groups):
            ledger.labels.merge(inner, labels[k * per_in : (k + 1) * per_in])
        ledger.own(conv.weight, 1, inner)
        out = outer * conv.groups
    ledger.own(conv.weight, 0, out)
    ledger.own(conv.bias, 0, out)
    return Channels(1, out)


def _linear(call: Call) -> Channels:
    linear, ledger, last = cast(nn.Linear, call.module), call.ledger, call.output.dim() - 1
    labels = call.labels(last)
    ledger.count(call.name, linear.weight, call.output, linear.out_features)
    ledger.own(linear.weight, 1, labels)
    out = ledger.labels.new(linear.out_features)
    ledger.own(linear.weight, 0, out)
    ledger.own(linear.bias, 0, out)
    return Channels(last, out)


def _batch_norm(call: Call) -> Channels:
    norm, labels = cast(nn.BatchNorm2d, call.module), call.labels(1)
    for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        call.ledger.own(tensor, 0, labels)
    return Channels(1, labels)


def _prelu(call: Call) -> Channels:
    """A slope for each channel, or one for all."""
    weight, labels = cast(nn.PReLU, call.module).weight, call.labels(1)
    if len(weight) > 1:
        call.ledger.own(weight, 0, labels)
    return Channels(1, labels)


def _mixing_norm(call: Call) -> Channels:
    """Layer and group norm: their statistics are over channels, so that one cut would change all the others."""
    for _, channels in call.inputs:  # weight and bias are among them, where it is a function
        call.ledger.labels.freeze(channels.labels, f"{call.name} normalises over channels")
    return call.first[1]


# --- one tensor, element by element, or moved about -----------------------------------------------------------------


def _elementwise(call: Call) -> Channels:
    """One tensor in, each element by itself."""
    if len(call.inputs) != 1:
        raise NotUnderstood(f"{call.name} takes more than one tensor")
    return call.first[1]


def _scaled(call: Call) -> Channels:
    """Division by a number; a tensor below the line could be zero where a channel is cut."""
    divided, divisor = call.argument(0, "input"), call.argument(1, "other")
    if not isinstance(divided, Tensor) or (isinstance(divisor, Tensor) and divisor.numel() > 1):
        raise NotUnderstood(f"{call.name} divides by a tensor")
    return call.first[1]


def _pooling(call: Call) -> Channels:
    """Anything that works on the images of each channel by itself."""
    value = call.first[0]
    if value.dim() != 4:
        raise NotUnderstood(f"{call.name} pools an input without batch")
    return Channels(1, call.labels(1))


def _reduce(call: Call) -> Channels:
    value, channels = call.first
    dims = call.argument(1, "dim")
    over = {d % value.dim() for d in ([dims] if isinstance(dims, int) else dims or range(value.dim()))}
    if channels.dim in over or 0 in over:
        raise NotUnderstood(f"{call.name} reduces over channels")
    if channels.dim is None or call.argument(2, "keepdim", False):
        return channels
    return Channels(channels.dim - sum(d < channels.dim for d in over), channels.labels)


def _flatten(call: Call) -> Channels:
    """Dimensions apart from the channels, or channels with those behind them: each becomes a block."""
    value, channels = call.first
    if isinstance(call.module, nn.Flatten):
        start, end = call.module.start_dim, call.module.end_dim
    else:
        start, end = call.argument(1, "start_dim", 0), call.argument(2, "end_dim", -1)
    start, end = start % value.dim(), end % value.dim()
    dim = 1 if channels.dim is None else channels.dim
    if start == 0 or start < dim <= end:
        raise NotUnderstood(f"{call.name} flattens what lies before the channels into them")
    if start == dim:
        return _columns(call, start, end)
    return Channels(None if channels.dim is None else dim - (end - start) * (end < dim), channels.labels)


def _reshape(call: Call) -> Channels:
    """`view(batch, -1)`, which is a flatten, or other dimensions behind channels that stay where they are."""
    (value, channels), wanted = call.first, call.node.args[1:]
    if len(wanted) == 1 and isinstance(wanted[0], (tuple, list)):
        wanted = tuple(wanted[0])
    if value.dim() == 1 and channels.dim == 0 and wanted.count(-1) == 1 and wanted.count(1) == len(wanted) - 1:
        return Channels(wanted.index(-1), channels.labels)  # a parameter, made to fit an activation
    if len(wanted) < 2 or call.output.shape[0] != value.shape[0] or not call.stays(wanted[0]):
        raise NotUnderstood(f"{call.name} rearranges channels")
    if len(wanted) == 2 and wanted[1] == -1:
        return _columns(call, 1, value.dim() - 1)
    if call.output.shape[1] != value.shape[1] or not all(map(call.stays, wanted[2:])):
        raise NotUnderstood(f"{call.name} rearranges channels")
    if wanted[1] != -1:
        _couple_to(call, wanted[1], call.labels(1))
    return Channels(1, call.labels(1))


def _couple_to(call: Call, number: Any, labels: list[int]) -> None:
    """Couple labels to the channels whose number, in the network's code, says how many they are."""
    found = sizes(number)
    source = None if found is None else call.known.get(found.source)
    if found is None or source is None or (source.dim,) != found.dims or len(source.labels) != len(labels):
        raise NotUnderstood(f"{call.name} has sizes that would not fit a cut network")
    call.ledger.labels.merge(labels, source.labels)


def _columns(call: Call, dim: int, end: int) -> Channels:
    """Channels flattened with the dimensions behind them, up to `end`: each becomes a block of columns."""
    repeat = math.prod(call.first[0].shape[dim + 1 : end + 1])
    return Channels(dim, [label for label in call.labels(dim) for _ in range(repeat)])


def _squeeze(call: Call) -> Channels:
    """Without the named dimensions of one element, which cannot be the channels'."""
    value, channels = call.first
    dims = call.argument(1, "dim")
    gone = {d % value.dim() for d in ([dims] if isinstance(dims, int) else dims or ())}
    if not gone or channels.dim in gone or any(value.shape[d] != 1 for d in gone):
        raise NotUnderstood(f"{call.name} removes dimensions that are not named, or not of one element")
    return Channels(
        None if channels.dim is None else channels.dim - sum(d < channels.dim for d in gone), channels.labels
    )


def _unsqueeze(call: Call) -> Channels:
    value, channels = call.first
    at = call.argument(1, "dim") % (value.dim() + 1)
    return Channels(None if channels.dim is None else channels.dim + (at <= channels.dim), channels.labels)


def _permute(call: Call) -> Channels:
    value, channels = call.first
    dims = call.argument(1, "dims")
    order = [d % value.dim() for d in (dims if isinstance(dims, (tuple, list)) else call.args[1:])]
    return Channels(None if channels.dim is None else order.index(channels.dim), channels.labels)


def _transpose(call: Call) -> Channels:
    value, channels = call.first
    one, other = (call.argument(1, "dim0") % value.dim(), call.argument(2, "dim1") % value.dim())
    moved = {one: other, other: one}
    return Channels(None if channels.dim is None else moved.get(channels.dim, channels.dim), channels.labels)


def _index(call: Call) -> Channels:
    """Whatever leaves the channels whole."""
    value, channels = call.first
    index = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
    if not all(part is None or part is Ellipsis or type(part) in (int, slice) for part in index):
        raise NotUnderstood(f"{call.name} takes what a tensor or a list says")
    taken = sum(part is not None and part is not Ellipsis for part in index)
    at = index.index(Ellipsis) if Ellipsis in index else len(index)
    index = (*index[:at], *[slice(None)] * (value.dim() - taken), *index[at + 1 :])
    dims = [dim for dim, part in enumerate(part for part in index if part is not None) if type(part) is not int]
    if channels.dim is None:
        return channels
    kept = [part for part in index if part is not None][channels.dim]
    if type(kept) is int or not _whole(kept, value.shape[channels.dim]):
        raise NotUnderstood(f"{call.name} takes some of the channels")
    added = [None if part is None else dims.pop(0) for part in index if type(part) is not int]
    return Channels(added.index(channels.dim), channels.labels)


def _whole(part: slice, size: int) -> bool:
    """Whether a slice takes everything, however many channels a cut leaves."""
    return part.start in (None, 0) and part.step in (None, 1) and (part.stop is None or part.stop >= size)


def _pad(call: Call) -> Channels:
    """Zeros along channels are channels that nothing can cut, or as many as another activation's are more."""
    value, channels = call.first
    amounts = list(call.argument(1, "pad"))
    written = call.node.args[1] if len(call.node.args) > 1 else call.node.kwargs["pad"]
    if not isinstance(written, (tuple, list)):
        raise NotUnderstood(f"{call.name} pads by what is computed elsewhere")
    computed = [number for number in written if not call.stays(number)]
    if channels.dim is None and not computed:
        return channels
    if channels.dim is None:
        raise NotUnderstood(f"{call.name} pads by a number that would not fit a cut network")
    behind = 2 * (value.dim() - 1 - channels.dim)  # dimensions after the channels come first in `pad`
    before, after = ([*amounts[behind : behind + 2], 0, 0])[:2]
    if min(before, after) < 0:
        raise NotUnderstood(f"{call.name} crops channels")
    if (before or after) and (call.argument(2, "mode", "constant"), call.argument(3, "value") or 0) != ("constant", 0):
        raise NotUnderstood(f"{call.name} pads channels with something else than zeros")
    zeros = call.ledger.labels.new(before + after)
    labels = [*zeros[:before], *channels.labels, *zeros[before:]]
    if not computed:
        call.ledger.labels.freeze(zeros, f"{call.name} pads channels by a fixed number")
    elif len(computed) > 1 or (before and after) or computed[0] not in written[behind : behind + 2]:
        raise NotUnderstood(f"{call.name} pads by a number that would not fit a cut network")
    else:
        _follow_difference(call, computed[0], labels)
    return Channels(channels.dim, labels)


def _follow_difference(call: Call, number: fx.Node, labels: list[int]) -> None:
    """Zeros that make up for the difference to another activation's channels, to which all are coupled then."""
    more, less = number.args if number.target is operator.sub else (None, None)
    own = sizes(less)
    if own is None or own.source is not call.node.args[0] or own.dims != (call.first[1].dim,):
        raise NotUnderstood(f"{call.name} pads by a number that would not fit a cut network")
    _couple_to(call, more, labels)


# --- several tensors ------------------------------------------------------------------------------------------------


def _combine(call: Call) -> Channels:
    """Sum or product of tensors: channels that meet are coupled. One that meets all of another tensor's stays."""
    several = [item for item in call.inputs if item[0].numel() > 1] or call.inputs  # a single number meets no channel
    value, channels = max(several, key=lambda item: (item[0].dim(), not item[1].opaque, len(item[1].labels)))
    for other, theirs in several:
        shift = value.dim() - other.dim()  # shapes are aligned at their ends
        if channels.dim is None:
            call.ledger.labels.merge(theirs.labels, channels.labels * len(theirs.labels))
        elif theirs.opaque:  # what meets it stays whole, too
            if channels.dim >= shift and other.shape[channels.dim - shift] > 1:
                call.ledger.labels.merge(channels.labels, theirs.labels * len(channels.labels))
        elif cast(int, theirs.dim) + shift != channels.dim or len(theirs.labels) not in (1, len(channels.labels)):
            raise NotUnderstood(f"{call.name} broadcasts over channels")
        elif len(theirs.labels) == len(channels.labels):
            call.ledger.labels.merge(channels.labels, theirs.labels)
        else:
            call.ledger.labels.freeze(theirs.labels, f"{call.name} applies it to every channel")
    return channels


def _concatenate(call: Call) -> Channels:
    dim, first = call.argument(1, "dim", 0) % call.output.dim(), call.first[1]
    if all(channels.opaque for _, channels in call.inputs):
        for _, channels in call.inputs:
            call.ledger.labels.merge(first.labels, channels.labels)
        return first
    listed = call.node.args[0] if call.node.args else call.node.kwargs["tensors"]
    if not isinstance(listed, (tuple, list)):
        raise NotUnderstood(f"{call.name} joins a list that is computed elsewhere")
    parts = map(call.traced, listed)  # a tensor may be listed twice
    return Channels(dim, [label for value, channels in parts for label in channels.along(dim, value, call.name)])


def _select(call: Call) -> Channels:
    """A gather along channels by a buffer that names each once: what it reads stays whole, what it passes on is free.

    Cutting a channel shortens the buffer. A network that is built from a config gets the buffer from its picks.
    """
    value, index = call.first[0], call.argument(2, "index")
    if call.argument(1, "dim") != 1 or not isinstance(index, Tensor) or len(index) != value.shape[1]:
        raise NotUnderstood(f"{call.name} gathers something else than each channel once")
    name = call.ledger.name(index)
    call.ledger.labels.freeze(call.labels(1), f"read through {name.rpartition('.')[0] or name}, which selects from it")
    if name in call.ledger.selections:
        call.ledger.spoil([index], f"{name} is used to select twice")
        raise NotUnderstood(f"{call.name} selects twice by the same buffer")
    call.ledger.selections[name] = _scale_before(call)
    out = call.ledger.labels.new(len(index))
    call.ledger.own(index, 0, out)
    return Channels(1, out)


def selects(node: fx.Node) -> bool:
    """Whether a node of the graph is a gather by a list of indices."""
    return node.target in (torch.index_select, "index_select")


def _scale_before(call: Call) -> str | None:
    """The scale of the batch norm whose output is selected from, if it is one."""
    source = call.node.all_input_nodes[0]
    if source.op != "call_module":
        return None
    norm = call.ledger.net.get_submodule(str(source.target))
    if not isinstance(norm, nn.BatchNorm2d) or norm.weight is None:
        return None
    return call.ledger.name(norm.weight)


# --- the allow-list -------------------------------------------------------------------------------------------------


MODULES: dict[type[nn.Module], Rule] = {
    nn.Conv2d: _convolution,
    nn.Linear: _linear,
    nn.Flatten: _flatten,
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm2d), _batch_norm),
    **dict.fromkeys((nn.LayerNorm, nn.GroupNorm), _mixing_norm),
    nn.PReLU: _prelu,
    **dict.fromkeys(
        (nn.AvgPool2d, nn.MaxPool2d, nn.LPPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Upsample,
         nn.UpsamplingBilinear2d, nn.UpsamplingNearest2d, nn.ZeroPad2d, nn.ConstantPad2d, nn.CircularPad2d,
         nn.ReflectionPad2d, nn.ReplicationPad2d), _pooling,
    ),
    **dict.fromkeys(
        (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid,
         nn.LogSigmoid, nn.Tanh, nn.Softplus, nn.Softsign, nn.Softshrink, nn.Hardshrink, nn.Tanhshrink, nn.Threshold,
         nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.Identity, nn.Dropout, nn.Dropout2d, nn.AlphaDropout),
        _elementwise,
    ),
}  # fmt: skip

FUNCTIONS: dict[Any, Rule] = {
    **dict.fromkeys(
        (operator.add, operator.iadd, operator.mul, operator.imul, operator.sub, operator.isub,
         torch.add, torch.mul, torch.sub, torch.maximum, torch.minimum), _combine,
    ),
    **dict.fromkeys((operator.truediv, torch.div), _scaled),
    torch.reshape: _reshape,
    torch.cat: _concatenate,
    torch.concat: _concatenate,
    torch.flatten: _flatten,
    torch.index_select: _select,
    **dict.fromkeys((torch.mean, torch.sum, torch.amax, torch.amin), _reduce),
    torch.permute: _permute,
    torch.squeeze: _squeeze,
    torch.transpose: _transpose,
    torch.unsqueeze: _unsqueeze,
    operator.getitem: _index,
    F.layer_norm: _mixing_norm,
    F.group_norm: _mixing_norm,
    F.pad: _pad,
    **dict.fromkeys(
        (F.avg_pool2d, F.max_pool2d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d, F.interpolate, torch.max_pool2d),
        _pooling,
    ),
    **dict.fromkeys(
        (torch.abs, torch.neg, torch.exp, torch.clamp, torch.clip, F.softplus, F.selu, F.relu, torch.relu, F.relu6,
         F.leaky_relu, F.elu, F.gelu, F.silu, F.mish, torch.sigmoid, F.sigmoid, torch.tanh,
         F.tanh, F.hardswish, F.hardsigmoid, F.hardtanh, F.dropout, F.dropout2d, operator.neg,
         torchvision.ops.stochastic_depth), _elementwise,
    ),
}  # fmt: skip

METHODS: dict[str, Rule] = {
    **dict.fromkeys(("add", "add_", "mul", "mul_", "sub", "sub_", "expand_as"), _combine),
    **dict.fromkeys(
        (
            "relu",
            "relu_",
            "sigmoid",
            "sigmoid_",
            "tanh",
            "tanh_",
            "abs",
            "neg",
            "exp",
            "clamp",
            "clamp_",
            "clip",
            "contiguous",
            "clone",
            "detach",
            "float",
            "to",
        ),
        _elementwise,
    ),
    **dict.fromkeys(("view", "reshape"), _reshape),
    **dict.fromkeys(("div", "div_"), _scaled),
    "flatten": _flatten,
    "index_select": _select,
    **dict.fromkeys(("mean", "sum", "amax", "amin"), _reduce),
    "permute": _permute,
    "squeeze": _squeeze,
    "transpose": _transpose,
    "unsqueeze": _unsqueeze,
}


COUNTING: frozenset[Rule] = frozenset((_reshape, _pad))
"""Rules that say themselves what follows where their operation computes with a number of channels."""


def rule_of(node: fx.Node, module: nn.Module | None) -> Rule | None:
    """The rule for a node of the graph, if its operation is on the list."""
    if node.op == "call_module":
        layer = cast(nn.Module, module)
        if layer._forward_hooks or layer._forward_pre_hooks:
            return None
        return MODULES.get(type(layer))  # exact type: a subclass may compute something else
    if node.op == "call_function":
        return FUNCTIONS.get(node.target)
    return METHODS.get(str(node.target)) if node.op == "call_method" else None
