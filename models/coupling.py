"""Tracing: which channels of a plain network are coupled. The one place that knows operations.

The network is traced symbolically and run once on the meta device. Along the way every channel of every activation
carries a label; each operation says how the labels of its inputs become those of its output, and each layer says which
indices of which of its tensors belong to which label. Labels that must live or die together are merged (union-find),
and what is left are the channel groups. An operation that is not on the list below freezes the channels that reach it:
they stay dense, and the report says why. Nothing is guessed.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from models.config import ChannelGroup, Cost, Slice, floor_of
from models.errors import ArchitectureError, TraceError
from models.tensors import named_tensors, on_meta, with_tensors

_BATCH = 2  # of the symbolic run: tells the batch dimension from channels


class FrozenLayer(NamedTuple):
    """A layer whose output channels stay dense, and why."""

    layer: str
    reason: str


@dataclass(frozen=True)
class Coupling:
    """What tracing found: the groups, and enough about the tensors to know every width's cost."""

    groups: tuple[ChannelGroup, ...]
    frozen: tuple[FrozenLayer, ...]
    shapes: Mapping[str, tuple[int, ...]]
    """Parameter -> dense shape."""
    uses: Mapping[str, int]
    """Weight of a convolution or linear layer -> multiply-adds per element, for one input."""
    _parts: Mapping[str, tuple[tuple[int, tuple[tuple[str, int], ...]], ...]] = field(repr=False)
    """Parameter -> for each dimension: indices in no group, and (group, repeat) of those that are."""

    @property
    def widths(self) -> dict[str, int]:
        """The dense width of every group."""
        return {group.name: group.width for group in self.groups}

    def shape(self, tensor: str, widths: Mapping[str, int]) -> tuple[int, ...]:
        """The shape of a parameter when groups have these widths."""
        return tuple(
            rest + sum(repeat * widths[group] for group, repeat in parts) for rest, parts in self._parts[tensor]
        )

    def cost(self, widths: Mapping[str, int]) -> Cost:
        """Parameters and multiply-adds of the network with these widths. Allocates nothing."""
        params = macs = 0
        for tensor in self.shapes:
            size = math.prod(self.shape(tensor, widths))
            params += size
            macs += size * self.uses.get(tensor, 0)
        return Cost(params, macs)

    def prunable(self) -> tuple[float, float]:
        """Shares of parameters and of multiply-adds that lie on at least one prunable channel, each in [0, 1]."""
        fixed = self.cost_of_frozen()
        dense = self.cost(self.widths)
        return 1 - fixed.params / max(dense.params, 1), 1 - fixed.macs / max(dense.macs, 1)

    def cost_of_frozen(self) -> Cost:
        """Cost of the tensor elements that no group touches."""
        sizes = {tensor: math.prod(rest for rest, _ in parts) for tensor, parts in self._parts.items()}
        return Cost(sum(sizes.values()), sum(size * self.uses.get(tensor, 0) for tensor, size in sizes.items()))


def trace(net: nn.Module, shape: tuple[int, int, int]) -> Coupling:
    """Find the channel groups of `net` for one input of `shape` (channels, height, width).

    The network itself is not run, changed or copied.
    Raises TraceError when its control flow depends on data, ArchitectureError when it cannot take the input.
    """
    skeleton = on_meta(net).eval()
    try:
        graph = fx.Tracer().trace(skeleton)
    except Exception as error:  # a traced network may raise anything from its own forward
        raise TraceError(f"{type(net).__name__} cannot be traced symbolically: {error}") from error
    run = _Run(fx.GraphModule(skeleton, graph), skeleton)
    try:
        with torch.no_grad():
            output = run.run(torch.empty((_BATCH, *shape), device="meta"))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        where = f" at {run.where}" if run.where else ""
        raise ArchitectureError(
            f"{type(net).__name__} cannot take an input of shape {shape}{where}: {_first_line(error)}"
        ) from error
    _freeze_outputs(run, output)
    coupling = _assemble(run, skeleton)
    _probe(skeleton, coupling, shape)
    return coupling


def _first_line(error: Exception) -> str:
    """What was wrong; torch appends where in its own code it was noticed."""
    return str(error).partition("\n")[0]


def resized(skeleton: nn.Module, coupling: Coupling, widths: Mapping[str, int]) -> nn.Module:
    """The network with these widths, on the meta device: shapes without memory."""
    touched = dict.fromkeys((part.tensor, part.dim) for group in coupling.groups for part in group.slices)
    dense = named_tensors(skeleton)
    shapes = {tensor: list(dense[tensor].shape) for tensor, _ in touched}
    for group in coupling.groups:
        for part in group.slices:
            shapes[part.tensor][part.dim] -= part.repeat * (group.width - widths[group.name])
    return with_tensors(
        skeleton,
        {name: torch.empty(size, dtype=dense[name].dtype, device="meta") for name, size in shapes.items()},
    )


def _probe(skeleton: nn.Module, coupling: Coupling, shape: tuple[int, int, int]) -> None:
    """Run the network with other widths, in both modes: a channel count that is fixed in its code shows here, and so
    does a path that only training takes."""
    widths = {group.name: max(1, group.width - 1 - i % 3) for i, group in enumerate(coupling.groups)}
    thinner = resized(skeleton, coupling, widths)
    try:
        with torch.no_grad():
            outputs = [thinner.train(mode)(torch.empty((_BATCH, *shape), device="meta")) for mode in (True, False)]
        if not all(isinstance(output, Tensor) for output in outputs):
            raise TypeError(f"in training it returns {type(outputs[0]).__name__}, not one tensor")
    except Exception as error:  # whatever a network's own forward may raise
        raise TraceError(
            f"{type(skeleton).__name__} does not run with other widths than its own: {_first_line(error)}"
        ) from error


# --- labels -----------------------------------------------------------------------------------------------------


class _Labels:
    """Union-find over channel labels; a label may be frozen, with the reason."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.reason: dict[int, str] = {}

    def new(self, count: int) -> list[int]:
        start = len(self.parent)
        self.parent.extend(range(start, start + count))
        return list(range(start, start + count))

    def find(self, label: int) -> int:
        root = label
        while self.parent[root] != root:
            root = self.parent[root]
        while self.parent[label] != root:
            self.parent[label], label = root, self.parent[label]
        return root

    def merge(self, one: list[int], other: list[int]) -> None:
        for a, b in zip(one, other, strict=True):
            low, high = sorted((self.find(a), self.find(b)))
            if low != high:
                self.parent[high] = low
                if high in self.reason:
                    self.reason.setdefault(low, self.reason.pop(high))

    def freeze(self, labels: list[int], reason: str) -> None:
        for label in labels:
            self.reason.setdefault(self.find(label), reason)


class _Channels(NamedTuple):
    """The channels of one activation: the dimension they lie in, and the label of each."""

    dim: int
    labels: list[int]


class _NotUnderstood(Exception):
    """An operation, or its use here, that is not on the list."""


class _Call(NamedTuple):
    """One node of the graph as an operation sees it."""

    run: _Run
    name: str  # the module's path, or the operation's name
    module: nn.Module | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: list[tuple[Tensor, _Channels]]  # tensors among the arguments, in order
    literal: tuple[bool, ...]  # for each positional argument: written as a constant in the network's code
    output: Tensor

    def argument(self, index: int, name: str, default: Any = None) -> Any:
        """An argument by position or keyword."""
        return self.args[index] if len(self.args) > index else self.kwargs.get(name, default)


class _Run(fx.Interpreter):
    """Runs the graph on the meta device and carries the labels along."""

    def __init__(self, graph: fx.GraphModule, net: nn.Module) -> None:
        super().__init__(graph, garbage_collect_values=False)
        self.labels = _Labels()
        self.channels: dict[fx.Node, _Channels] = {}
        self.owned: dict[tuple[str, int], list[int]] = {}  # (tensor, dim) -> label of each index
        self.spoiled: dict[str, str] = {}  # tensor -> why it belongs to no group
        self.uses: dict[str, int] = {}
        self.resolution: dict[str, tuple[int, ...]] = {}  # layer -> extent of its output
        self.where = ""
        # A module reached under two names is one set of tensors; the state dict's first name counts.
        self.name_of = {id(tensor): name for name, tensor in [*net.named_parameters(), *net.named_buffers()]}

    def run_node(self, n: fx.Node) -> Any:
        self.where = str(n.target)
        value = super().run_node(n)
        if n.op == "placeholder":
            self.channels[n] = self._fresh(value, "network input")
        elif isinstance(value, Tensor) and n.op != "output":
            self.channels[n] = self._through(n, value)
        elif n.op != "output":
            self._follow_pieces(n, value)
        return value

    def _through(self, node: fx.Node, value: Tensor) -> _Channels:
        inputs = [source for source in node.all_input_nodes if source in self.channels]
        module = self.fetch_attr(str(node.target)) if node.op == "call_module" else None
        rule = _rule(node, module)
        try:
            if rule is None or not inputs:
                raise _NotUnderstood(f"{_describe(node, module)} is not understood")
            args, kwargs = self.fetch_args_kwargs_from_env(node)
            call = _Call(
                self, _describe(node, None), module, args, kwargs,
                [(self.env[source], self.channels[source]) for source in inputs],
                tuple(not _nodes(arg) for arg in node.args), value,
            )  # fmt: skip
            channels = rule(call)
            if value.shape[channels.dim] != len(channels.labels):
                raise _NotUnderstood(f"{_describe(node, module)} changes its channels in an unknown way")
            return channels
        except _NotUnderstood as problem:
            for source in inputs:
                self.labels.freeze(self.channels[source].labels, str(problem))
            self._freeze_own(module, str(problem))
            return self._fresh(value, str(problem))

    def _follow_pieces(self, node: fx.Node, value: Any) -> None:
        """Tuples of tensors (chunk, split, …): nothing is known of the pieces, so whatever made them is frozen."""
        if isinstance(value, (tuple, list)) and any(isinstance(piece, Tensor) for piece in value):
            for source in node.all_input_nodes:
                if source in self.channels:
                    reason = f"{_describe(node, None)} splits its input"
                    self.labels.freeze(self.channels[source].labels, reason)

    def _fresh(self, value: Tensor, reason: str) -> _Channels:
        dim = 1 if value.dim() > 1 else 0
        labels = self.labels.new(value.shape[dim] if value.dim() else 0)
        self.labels.freeze(labels, reason)
        return _Channels(dim, labels)

    def _freeze_own(self, module: nn.Module | None, reason: str) -> None:
        """Tensors of a layer that is not understood belong to no group, even if another call of it is understood."""
        for tensor in [*module.parameters(), *module.buffers()] if module is not None else []:
            name = self.name_of[id(tensor)]
            self.spoiled[name] = reason
            for (owned, _), labels in self.owned.items():
                if owned == name:
                    self.labels.freeze(labels, reason)

    def own(self, module: nn.Module, tensors: tuple[str, ...], dim: int, labels: list[int]) -> None:
        """Say that index i of dimension `dim` of these tensors belongs to labels[i]."""
        for attribute in tensors:
            tensor = getattr(module, attribute, None)
            if tensor is None:
                continue
            key = (self.name_of[id(tensor)], dim)
            if key[0] in self.spoiled:
                self.labels.freeze(labels, self.spoiled[key[0]])
            if key in self.owned:
                self.labels.merge(self.owned[key], labels)  # the layer is used twice
            else:
                self.owned[key] = labels

    def count(self, layer: str, module: nn.Module, output: Tensor, features: int) -> None:
        """Note what applying this layer's weight once costs, and at which resolution it works."""
        weight = self.name_of[id(module.weight)]
        self.uses[weight] = self.uses.get(weight, 0) + output.numel() // (_BATCH * features)
        self.resolution.setdefault(layer, tuple(output.shape[2:]))


def _nodes(value: Any) -> list[fx.Node]:
    found: list[fx.Node] = []
    fx.node.map_arg(value, found.append)
    return found


def _describe(node: fx.Node, module: nn.Module | None) -> str:
    if node.op == "call_module":
        return f"{type(module).__name__} {node.target}" if module is not None else str(node.target)
    return getattr(node.target, "__name__", str(node.target))


# --- operations: the allow-list ---------------------------------------------------------------------------------


def _first(call: _Call) -> tuple[Tensor, _Channels]:
    if not call.inputs:
        raise _NotUnderstood(f"{call.name} has no traced input")
    return call.inputs[0]


def _convolution(call: _Call) -> _Channels:
    conv = cast(nn.Conv2d, call.module)
    labels = _first(call)[1].labels
    call.run.count(call.name, conv, call.output, conv.out_channels)
    if conv.groups == 1:
        call.run.own(conv, ("weight",), 1, labels)
        out = call.run.labels.new(conv.out_channels)
    elif conv.groups == conv.in_channels:  # depthwise: output k * m + j reads input k alone
        multiplier = conv.out_channels // conv.in_channels
        out = [label for label in labels for _ in range(multiplier)]
    else:  # cut the same positions from every convolution group, so that they stay equal in size
        per_in, per_out = conv.in_channels // conv.groups, conv.out_channels // conv.groups
        inner, outer = labels[:per_in], call.run.labels.new(per_out)
        for k in range(1, conv.groups):
            call.run.labels.merge(inner, labels[k * per_in : (k + 1) * per_in])
        call.run.own(conv, ("weight",), 1, inner)
        out = outer * conv.groups
    call.run.own(conv, ("weight", "bias"), 0, out)
    return _Channels(1, out)


def _linear(call: _Call) -> _Channels:
    linear = cast(nn.Linear, call.module)
    value, channels = _first(call)
    if channels.dim != value.dim() - 1:
        raise _NotUnderstood(f"Linear {call.name} mixes a dimension that is not the channels")
    call.run.count(call.name, linear, call.output, linear.out_features)
    call.run.own(linear, ("weight",), 1, channels.labels)
    out = call.run.labels.new(linear.out_features)
    call.run.own(linear, ("weight", "bias"), 0, out)
    return _Channels(value.dim() - 1, out)


def _batch_norm(call: _Call) -> _Channels:
    channels = _first(call)[1]
    if channels.dim != 1:
        raise _NotUnderstood(f"batch norm {call.name} normalises a dimension that is not the channels")
    tensors = ("weight", "bias", "running_mean", "running_var")
    call.run.own(cast(nn.Module, call.module), tensors, 0, channels.labels)
    return channels


def _elementwise(call: _Call) -> _Channels:
    """One tensor in, each element by itself, or pooled over space."""
    if len(call.inputs) != 1:
        raise _NotUnderstood(f"{call.name} takes more than one tensor")
    return call.inputs[0][1]


def _pooling(call: _Call) -> _Channels:
    value, channels = _first(call)
    if (value.dim(), channels.dim) != (4, 1):
        raise _NotUnderstood(f"{call.name} pools over channels")
    return channels


def _combine(call: _Call) -> _Channels:
    """Sum or product of tensors: channels that meet are coupled."""
    value, channels = _first(call)
    for other, theirs in call.inputs[1:]:
        if other.dim() != value.dim() or theirs.dim != channels.dim or len(theirs.labels) != len(channels.labels):
            raise _NotUnderstood(f"{call.name} broadcasts over channels")
        call.run.labels.merge(channels.labels, theirs.labels)
    return channels


def _concatenate(call: _Call) -> _Channels:
    dim = call.argument(1, "dim", 0)
    first = _first(call)
    if dim % first[0].dim() != first[1].dim or any(c.dim != first[1].dim for _, c in call.inputs):
        raise _NotUnderstood(f"{call.name} joins along a dimension that is not the channels")
    # all_input_nodes lists a repeated tensor once; the real order and number come from the argument.
    by_id = {id(value): channels for value, channels in call.inputs}
    return _Channels(first[1].dim, [label for part in call.args[0] for label in by_id[id(part)].labels])


def _flatten(call: _Call) -> _Channels:
    value, channels = _first(call)
    if isinstance(call.module, nn.Flatten):
        start, end = call.module.start_dim, call.module.end_dim
    else:
        start, end = call.argument(1, "start_dim", 0), call.argument(2, "end_dim", -1)
    if (channels.dim, start, end % value.dim()) != (1, 1, value.dim() - 1):
        raise _NotUnderstood(f"{call.name} flattens other dimensions than the channels and all behind them")
    repeat = math.prod(value.shape[2:])
    return _Channels(1, [label for label in channels.labels for _ in range(repeat)])


def _reshape(call: _Call) -> _Channels:
    """Only `view(batch, -1)`, which is a flatten; a size written as a number would not fit a cut network."""
    sizes = call.args[1] if len(call.args) == 2 and isinstance(call.args[1], (tuple, list)) else call.args[1:]
    value, channels = _first(call)
    if channels.dim != 1 or len(sizes) != 2 or sizes[1] != -1 or call.output.shape[0] != value.shape[0]:
        raise _NotUnderstood(f"{call.name} rearranges channels")
    repeat = math.prod(value.shape[2:])
    return _Channels(1, [label for label in channels.labels for _ in range(repeat)])


def _mean(call: _Call) -> _Channels:
    value, channels = _first(call)
    dims = call.argument(1, "dim")
    over = {d % value.dim() for d in ([dims] if isinstance(dims, int) else dims or range(value.dim()))}
    if channels.dim in over or 0 in over:
        raise _NotUnderstood(f"{call.name} averages over channels")
    keep = call.argument(2, "keepdim", False)
    return channels if keep else _Channels(channels.dim - sum(d < channels.dim for d in over), channels.labels)


def _pad(call: _Call) -> _Channels:
    """Zero padding; along channels only if the amount is computed from shapes, so that it follows a cut."""
    value, channels = _first(call)
    amounts = list(call.argument(1, "pad"))
    behind = value.dim() - 1 - channels.dim  # dimensions after the channels come first in `pad`
    before, after = ([*amounts[2 * behind : 2 * behind + 2], 0, 0])[:2]
    if (before or after) and (call.literal[1] if len(call.literal) > 1 else True):
        raise _NotUnderstood(f"{call.name} pads channels by a fixed number")
    if min(before, after) < 0:
        raise _NotUnderstood(f"{call.name} crops channels")
    new = call.run.labels.new
    return _Channels(channels.dim, [*new(before), *channels.labels, *new(after)])


_Rule = Callable[[_Call], _Channels]

_MODULES: dict[type[nn.Module], _Rule] = {
    nn.Conv2d: _convolution,
    nn.Linear: _linear,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.Flatten: _flatten,
    **dict.fromkeys((nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d), _pooling),
    **dict.fromkeys(
        (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid, nn.Tanh, nn.Softplus,
         nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.Identity, nn.Dropout, nn.Dropout2d), _elementwise,
    ),
}  # fmt: skip

_FUNCTIONS: dict[Any, _Rule] = {
    **dict.fromkeys((operator.add, operator.iadd, operator.mul, operator.imul, torch.add, torch.mul), _combine),
    torch.cat: _concatenate,
    torch.flatten: _flatten,
    torch.mean: _mean,
    F.pad: _pad,
    **dict.fromkeys(
        (F.avg_pool2d, F.max_pool2d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d, torch.max_pool2d), _pooling
    ),
    **dict.fromkeys(
        (F.relu, torch.relu, F.relu6, F.leaky_relu, F.gelu, F.silu, torch.sigmoid, F.sigmoid, torch.tanh, F.tanh,
         F.hardswish, F.hardsigmoid, F.dropout, F.dropout2d), _elementwise,
    ),
}  # fmt: skip

_METHODS: dict[str, _Rule] = {
    **dict.fromkeys(("add", "add_", "mul", "mul_"), _combine),
    **dict.fromkeys(("relu", "relu_", "sigmoid", "tanh", "contiguous", "clone"), _elementwise),
    **dict.fromkeys(("view", "reshape"), _reshape),
    "flatten": _flatten,
    "mean": _mean,
}


def _rule(node: fx.Node, module: nn.Module | None) -> _Rule | None:
    if node.op == "call_module":
        return _MODULES.get(type(cast(nn.Module, module)))  # exact type: a subclass may compute something else
    if node.op == "call_function":
        return _FUNCTIONS.get(node.target)
    return _METHODS.get(str(node.target)) if node.op == "call_method" else None


# --- from labels to groups --------------------------------------------------------------------------------------


def _freeze_outputs(run: _Run, output: Any) -> None:
    node = next(n for n in reversed(run.module.graph.nodes) if n.op == "output")  # type: ignore[union-attr, arg-type]
    for source in node.all_input_nodes:
        if source in run.channels:
            run.labels.freeze(run.channels[source].labels, "network output")
    if not isinstance(output, Tensor):
        raise TraceError(f"the network must return one tensor, got {type(output).__name__}")


class _Channel(NamedTuple):
    """One channel that can be cut: the blocks of indices it owns, each (tensor, dim, start, length)."""

    blocks: tuple[Slice, ...]

    def follows(self, other: _Channel) -> bool:
        """Whether this channel lies right behind `other` in every tensor."""
        return len(self.blocks) == len(other.blocks) and all(
            (mine.tensor, mine.dim, mine.repeat) == (theirs.tensor, theirs.dim, theirs.repeat)
            and mine.start == theirs.start + theirs.repeat
            for mine, theirs in zip(self.blocks, other.blocks, strict=True)
        )


def _assemble(run: _Run, net: nn.Module) -> Coupling:
    stages = _stages(run)
    groups: list[ChannelGroup] = []
    for channels in _runs(_channels(run)):
        first, width = channels[0].blocks, len(channels)
        layer = first[0].tensor.rpartition(".")[0]
        taken = sum(group.name.partition(":")[0] == layer for group in groups)
        name = f"{layer}:{taken}" if taken else layer
        groups.append(ChannelGroup(name, width, floor_of(width), stages.get(layer, 0), first))
    shapes = {name: tuple(tensor.shape) for name, tensor in net.named_parameters()}
    return Coupling(tuple(groups), _frozen_layers(run), shapes, run.uses, _parts(shapes, groups))


def _channels(run: _Run) -> Iterator[_Channel]:
    """Every class of labels that is not frozen, in the order of the forward pass."""
    owned: dict[int, list[tuple[str, int, int]]] = {}
    for (tensor, dim), labels in run.owned.items():
        for index, label in enumerate(labels):
            owned.setdefault(run.labels.find(label), []).append((tensor, dim, index))
    for root, places in owned.items():
        if root not in run.labels.reason:
            yield _Channel(tuple(_blocks(places)))


def _blocks(places: list[tuple[str, int, int]]) -> Iterator[Slice]:
    """Join neighbouring indices of one tensor dimension."""
    tensor, dim, start = places[0]
    length = 1
    for place in places[1:]:
        if place == (tensor, dim, start + length):
            length += 1
        else:
            yield Slice(tensor, dim, start, length)
            (tensor, dim, start), length = place, 1
    yield Slice(tensor, dim, start, length)


def _runs(channels: Iterator[_Channel]) -> list[list[_Channel]]:
    """Channels in a row become one group; a single channel cannot be thinned and is left out."""
    runs: list[list[_Channel]] = []
    for channel in channels:
        if runs and channel.follows(runs[-1][-1]):
            runs[-1].append(channel)
        else:
            runs.append([channel])
    return [run for run in runs if len(run) > 1]


def _stages(run: _Run) -> dict[str, int]:
    """Layer -> stage: layers that work at one resolution, numbered in the order in which they come."""
    order = {resolution: stage for stage, resolution in enumerate(dict.fromkeys(run.resolution.values()))}
    return {layer: order[resolution] for layer, resolution in run.resolution.items()}


def _frozen_layers(run: _Run) -> tuple[FrozenLayer, ...]:
    """Layers none of whose output channels can be cut."""
    found: dict[str, str] = {}
    for (tensor, dim), labels in run.owned.items():
        reasons = {run.labels.reason.get(run.labels.find(label)) for label in labels}
        if dim == 0 and tensor in run.uses and None not in reasons:
            found[tensor.rpartition(".")[0]] = ", ".join(sorted(cast(set[str], reasons)))
    return tuple(FrozenLayer(layer, reason) for layer, reason in found.items())


def _parts(
    shapes: Mapping[str, tuple[int, ...]], groups: list[ChannelGroup]
) -> dict[str, tuple[tuple[int, tuple[tuple[str, int], ...]], ...]]:
    """For every dimension of every parameter: how many indices belong to no group, and which groups own the rest."""
    owners: dict[tuple[str, int], dict[str, int]] = {}
    for group in groups:
        for part in group.slices:
            repeats = owners.setdefault((part.tensor, part.dim), {})
            repeats[group.name] = repeats.get(group.name, 0) + part.repeat
    widths = {group.name: group.width for group in groups}
    return {
        tensor: tuple(
            (
                size - sum(repeat * widths[name] for name, repeat in owners.get((tensor, dim), {}).items()),
                tuple(owners.get((tensor, dim), {}).items()),
            )
            for dim, size in enumerate(shape)
        )
        for tensor, shape in shapes.items()
    }
