"""Tracing: which channels of a plain network are coupled.

The network is traced symbolically and run once on the meta device. Along the way every channel of every activation
carries a label; each operation says how the labels of its inputs become those of its output, and each layer says which
indices of which of its tensors belong to which label (`operations.py`). Labels that must live or die together are
merged, and what is left are the channel groups. An operation that is not on the list freezes the channels that reach
it: they stay dense, and the report says why. Nothing is guessed.
"""

from __future__ import annotations

import inspect
import linecache
import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from espalier.models.config import ChannelGroup, Cost, Selection, Slice, floor_of
from espalier.models.errors import ArchitectureError, TraceError
from espalier.models.labels import BATCH, Channels, Ledger, NotUnderstood
from espalier.models.operations import COUNTING, Call, rule_of, selects
from espalier.models.shapes import OnlyShapes
from espalier.models.sizes import RANK, counted
from espalier.models.tensors import named_tensors, on_meta, precision_of, replace, with_tensors
from numpy.typing import NDArray
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

Shape = tuple[int, int, int]


class FrozenLayer(NamedTuple):
    """A layer whose output channels stay dense, and why."""

    layer: str
    reason: str


@dataclass(frozen=True)
class Coupling:
    """What tracing found: the groups, and enough about the tensors to know every width's cost."""

    input: Shape
    """What the network was traced with: channels, height, width."""
    output: tuple[int, ...]
    """The shape of what it gives for one input."""
    groups: tuple[ChannelGroup, ...]
    frozen: tuple[FrozenLayer, ...]
    shapes: Mapping[str, tuple[int, ...]]
    """Parameter -> dense shape."""
    uses: Mapping[str, int]
    """Weight of a convolution or linear layer -> multiply-adds per element, for one input."""
    other_macs: int
    """Multiply-adds for one input that belong to no such weight: products of activations, as in attention, and whatever
    else is not understood. No width changes them."""
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
        params, macs = 0, self.other_macs
        for tensor in self.shapes:
            size = math.prod(self.shape(tensor, widths))
            params += size
            macs += size * self.uses.get(tensor, 0)
        return Cost(params, macs)

    def prunable(self) -> tuple[float, float]:
        """Shares of parameters and of multiply-adds that lie on at least one prunable channel, each in [0, 1]."""
        dense = self.cost(self.widths)
        frozen = {tensor: self.frozen_part(tensor) for tensor in self.shapes}
        macs = self.other_macs + sum(size * self.uses.get(tensor, 0) for tensor, size in frozen.items())
        return 1 - sum(frozen.values()) / max(dense.params, 1), 1 - macs / max(dense.macs, 1)

    def frozen_part(self, tensor: str) -> int:
        """Elements of a parameter that no group touches."""
        return math.prod(rest for rest, _ in self._parts[tensor])


def trace(net: nn.Module, shape: Shape) -> Coupling:
    """Find the channel groups of `net` for one input of `shape` (channels, height, width).

    The network itself is not run, changed or copied.
    Raises TraceError when its control flow depends on data, ArchitectureError when it cannot take the input.
    """
    if lazy := next((name for name, tensor in named_tensors(net).items() if is_lazy(tensor)), None):
        raise ArchitectureError(f"the shape of {lazy} is not known before it has run once")
    skeleton = on_meta(net)
    _switch(skeleton, False)
    if more := [*inspect.signature(net.forward).parameters][1:]:
        raise TraceError(
            f"{type(net).__name__}.forward takes {', '.join(more)} besides the images; wrap it in one that does not"
        )
    try:
        graph = _Tracer().trace(skeleton)
    except Exception as error:  # a traced network may raise anything from its own forward
        raise TraceError(f"{type(net).__name__} cannot be traced symbolically{_where(error)}: {error}") from error
    for module in skeleton.modules():
        for name, value in [*vars(module).items()]:
            if isinstance(value, Tensor):  # no buffer, or a constant of the code, which the tracer left there
                setattr(module, name, value.to("meta"))
    run = _Run(skeleton, graph)
    try:
        with torch.no_grad():
            output = run.run(_images(skeleton, shape))
    except Exception as error:  # whatever a network's own operations may raise
        where = f" at {run.where}" if run.where else ""
        raise ArchitectureError(
            f"{type(net).__name__} cannot take an input of shape {shape}{where}: {_first_line(error)}"
        ) from error
    _freeze_outputs(run, output)
    coupling = _assemble(run, skeleton, shape, output)
    if coupling.other_macs < 0:
        raise TraceError(f"multiply-adds of {type(net).__name__} cannot be told apart by layer")
    _probe(skeleton, coupling, run.only_shapes.weighted)
    return coupling


def _switch(net: nn.Module, training: bool) -> None:
    try:
        net.train(training)
    except Exception as error:  # somebody's own layers may do more then than to note it
        mode = "training" if training else "evaluation"
        raise ArchitectureError(f"{type(net).__name__} cannot be put into {mode}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    """What was wrong; torch appends where in its own code it was noticed."""
    return str(error).strip().partition("\n")[0]


def _where(error: Exception) -> str:
    """The last line of a network's own code on the way to an error."""
    place, trail = "", error.__traceback__
    while trail is not None:
        code = trail.tb_frame.f_code
        if code.co_name not in ("trace", "call_module", "module_call_wrapper") and "/torch/" not in code.co_filename:
            line = linecache.getline(code.co_filename, trail.tb_lineno).strip()
            place = f" in {code.co_qualname}, line {trail.tb_lineno} ({line})"
        trail = trail.tb_next
    return place


def resized(skeleton: nn.Module, coupling: Coupling, widths: Mapping[str, int]) -> nn.Module:
    """The network with these widths: shapes without memory, where the skeleton has none.

    A tensor that does hold values keeps those of its first channels.
    """
    return with_tensors(skeleton, _with_widths(named_tensors(skeleton), coupling, widths))


def _with_widths(dense: Mapping[str, Tensor], coupling: Coupling, widths: Mapping[str, int]) -> dict[str, Tensor]:
    """Those of the dense network's tensors that lie in groups, with other widths."""
    shapes: dict[str, list[int]] = {}
    for group in coupling.groups:
        for part in group.slices:
            if part.tensor not in shapes:
                shapes[part.tensor] = list(dense[part.tensor].shape)
            shapes[part.tensor][part.dim] -= part.repeat * (group.width - widths[group.name])
    return {name: _fitted(dense[name], size) for name, size in shapes.items()}


def _fitted(tensor: Tensor, shape: list[int]) -> Tensor:
    if tensor.is_meta:
        return torch.empty(shape, dtype=tensor.dtype, device="meta")
    return tensor.detach()[tuple(slice(size) for size in shape)].clone()


def _probe(skeleton: nn.Module, coupling: Coupling, weighted: int) -> None:
    """Run the network with other widths, in both modes: a channel count that is fixed in its code shows here, and so
    does a path that only training takes, or that only tracing took: in evaluation, as many convolutions and linear
    layers must run. The skeleton, in evaluation mode, is of no use thereafter."""
    tensors, draws = named_tensors(skeleton), np.random.default_rng(0)
    layers = [(vars(module), dict(vars(module))) for module in skeleton.modules()]  # with what they say of themselves

    def problem(replaced: Mapping[str, Tensor], training: bool) -> str:
        replace(skeleton, replaced)
        if training:
            _switch(skeleton, training)
        found = _problem(skeleton, coupling.input, None if training else weighted)
        for own, dense in layers:
            own.update(dense)
        return found

    for training in (True, False):  # with other widths in each, so that no two groups are thinned alike in both
        widths = {group.name: int(draws.integers(1, group.width)) for group in coupling.groups}
        found = problem(_with_widths(tensors, coupling, widths), training)
        if found and not (training and problem(tensors, training)):  # else training takes more than shapes, always
            verb = "train" if training else "run"
            raise TraceError(f"{type(skeleton).__name__} does not {verb} with other widths than its own: {found}")


def _problem(net: nn.Module, shape: Shape, weighted: int | None) -> str:
    """What is wrong with a network on the meta device, if it cannot be run. Raises TraceError if it gives no tensor, or
    runs more or fewer convolutions and linear layers than it was traced with."""
    try:
        with torch.no_grad(), OnlyShapes() as only_shapes:
            output = net(_images(net, shape))
    except Exception as error:  # whatever a network's own forward may raise
        return _first_line(error) or type(error).__name__
    if not isinstance(output, Tensor):
        mode = "in training" if net.training else "in evaluation"
        raise TraceError(f"{type(net).__name__} must return one tensor; {mode} it returns {type(output).__name__}")
    if weighted is not None and weighted != only_shapes.weighted:
        raise TraceError(
            f"{type(net).__name__} runs {only_shapes.weighted} convolutions and linear layers, but {weighted} when it "
            "is traced; its code must not ask what kind of thing its input is"
        )
    return ""


def _images(net: nn.Module, shape: Shape, batch: int = BATCH) -> Tensor:
    """Images without memory, in the network's own precision."""
    return torch.empty((batch, *shape), dtype=precision_of(net), device="meta")


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Somebody's own batch norms, too: they look at their inputs in ways that cannot be traced."""
        return isinstance(m, _BatchNorm) or super().is_leaf_module(m, module_qualified_name)


class _Run(fx.Interpreter):
    """Runs the graph on the meta device and carries the labels along."""

    def __init__(self, net: nn.Module, graph: fx.Graph) -> None:
        super().__init__(net, garbage_collect_values=False, graph=graph)
        self.ledger = Ledger(net)
        self.channels: dict[fx.Node, Channels] = {}
        self.only_shapes = OnlyShapes()
        self.where = ""
        self.understood = True
        """Whether every operation was."""

    def run_node(self, n: fx.Node) -> Any:
        self.where = str(n.target)
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        with self.only_shapes:  # and not around the rules, which ask many tensors for theirs
            value = getattr(self, n.op)(n.target, args, kwargs)
        if isinstance(value, Tensor):
            n.meta[RANK] = value.dim()
        if n.op == "placeholder":
            self.channels[n] = self._opaque("network input")
            self.channels[n] = Channels(1, self.channels[n].along(1, value, ""))
        elif n.op == "get_attr":
            self.channels[n] = self._attribute(n, value)
        elif n.op != "output" and (isinstance(value, Tensor) or _holds_tensors(value)):
            self.channels[n] = self._through(n, args, kwargs, value)
        return value

    def fetch_attr(self, target: str) -> Any:
        """A module or tensor by its path; the modules were all looked up when the run began."""
        return self.submodules[target] if target in self.submodules else super().fetch_attr(target)

    def _attribute(self, node: fx.Node, value: Tensor) -> Channels:
        """A parameter or buffer that the network's own code uses: one label an index, if it has one true dimension."""
        long = [dim for dim, size in enumerate(value.shape) if size > 1]
        reason = f"{node.target} is used by more than its layer"
        if len(long) != 1 or not value.is_floating_point():
            if not all(map(selects, node.users)):
                self.ledger.spoil([value], reason)
            return self._opaque(reason)
        labels = self.ledger.labels.new(value.shape[long[0]])
        try:
            self.ledger.own(value, long[0], labels)
        except NotUnderstood:  # a constant that the code makes
            return self._opaque(reason)
        return Channels(long[0], labels)

    def _through(self, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any) -> Channels:
        inputs = [source for source in node.all_input_nodes if source in self.channels]
        module = self.fetch_attr(str(node.target)) if node.op == "call_module" else None
        rule = rule_of(node, module)
        try:
            if rule is None or not inputs or not isinstance(value, Tensor):
                raise NotUnderstood(f"{_describe(node, module)} is not understood")
            traced = [(self.env[source], self.channels[source]) for source in inputs]
            if not all(isinstance(tensor, Tensor) for tensor, _ in traced):
                raise NotUnderstood(f"{_describe(node, module)} takes a piece of what is not understood")
            name = _describe(node, None)
            channels = rule(Call(self.ledger, name, node, module, args, kwargs, traced, value, self.channels))
            if rule not in COUNTING:
                self._keep_counted(node, f"{_describe(node, module)} computes with the number of these channels")
            if channels.dim is not None and value.shape[channels.dim] != len(channels.labels):
                raise NotUnderstood(f"{_describe(node, module)} changes its channels in an unknown way")
            return channels
        except NotUnderstood as problem:
            self._keep_counted(node, str(problem))
            return self._behind(str(problem), inputs, module)

    def _keep_counted(self, node: fx.Node, reason: str) -> None:
        """Keep the channels whose number an operation computes with, since a cut would change it."""
        for channels in counted(node, self.channels):
            self.ledger.labels.freeze(channels.labels, reason)

    def _behind(self, problem: str, inputs: list[fx.Node], module: nn.Module | None) -> Channels:
        """What comes out of an operation that is not understood: all that reaches it stays, for the first reason."""
        self.understood = False
        labels = self.ledger.labels
        known = [labels.reason(label) for source in inputs for label in self.channels[source].labels]
        for source in inputs:
            labels.freeze(self.channels[source].labels, problem)
        if module is not None:
            self.ledger.spoil([*module.parameters(), *module.buffers()], problem)
        return self._opaque(problem if not known or None in known else cast(str, known[0]))

    def _opaque(self, reason: str) -> Channels:
        label = self.ledger.labels.new(1)
        self.ledger.labels.freeze(label, reason)
        return Channels(None, label)


def _holds_tensors(value: Any) -> bool:
    return any(isinstance(leaf, Tensor) for leaf in tree_leaves(value))


def _describe(node: fx.Node, module: nn.Module | None) -> str:
    if node.op == "call_module":
        return f"{type(module).__name__} {node.target}" if module is not None else str(node.target)
    return getattr(node.target, "__name__", str(node.target))


# --- from labels to groups --------------------------------------------------------------------------------------


def _freeze_outputs(run: _Run, output: Any) -> None:
    node = next(n for n in reversed(run.graph.nodes) if n.op == "output")
    for source in node.all_input_nodes:
        if source in run.channels:
            run.ledger.labels.freeze(run.channels[source].labels, "network output")
    if not isinstance(output, Tensor):
        raise TraceError(f"the network must return one tensor, got {type(output).__name__}")
    if output.dim() == 0 or output.shape[0] != BATCH:
        given = f"{tuple(output.shape)} for {BATCH} of them"
        raise TraceError(f"the network must return a row for each image, but its output has shape {given}")


def _assemble(run: _Run, net: nn.Module, shape: Shape, output: Tensor) -> Coupling:
    ledger = run.ledger
    stages = ledger.stages()
    groups: list[ChannelGroup] = []
    taken: dict[str, int] = {}  # layer -> groups named after it
    for width, first in _intervals(ledger):
        layer = first[0].layer or first[0].tensor
        count = taken[layer] = taken.get(layer, 0) + 1
        name = f"{layer}:{count - 1}" if count > 1 else layer
        stage = next((stages[part.layer] for part in first if part.layer in stages), 0)
        groups.append(ChannelGroup(name, width, floor_of(width), stage, first, _selection(ledger, first)))
    shapes = {name: tuple(tensor.shape) for name, tensor in net.named_parameters()}
    owned = sum(math.prod(shapes[name]) * uses for name, uses in ledger.uses.items())
    other = 0 if run.understood else _multiply_adds(net, run.graph, shape) - owned
    parts = _parts(shapes, groups)
    frozen = _frozen_layers(ledger, groups)
    return Coupling(shape, tuple(output.shape[1:]), tuple(groups), frozen, shapes, ledger.uses, other, parts)


def _selection(ledger: Ledger, slices: tuple[Slice, ...]) -> Selection | None:
    for part in slices:
        if part.tensor in ledger.selections:
            return Selection(part, ledger.selections[part.tensor])
    return None


def _multiply_adds(net: nn.Module, graph: fx.Graph, shape: Shape) -> int:
    """All of a network's multiply-adds for one input, as torch counts them operation by operation."""
    for batch in (1, BATCH):
        try:
            grad = torch.enable_grad()  # without it, attention is one unknown
            with torch.device("meta"), FlopCounterMode(display=False) as counter, grad:
                fx.Interpreter(net, graph=graph).run(_images(net, shape, batch))
            return int(counter.get_total_flops()) // (2 * batch)
        except Exception as error:  # some networks do not take a single image
            problem = error
    raise TraceError(f"multiply-adds of {type(net).__name__} cannot be counted: {_first_line(problem)}")


class _Segment(NamedTuple):
    """Labels in a row that own indices in a row: label `start + i` owns `repeat` of them at `at + i * repeat`."""

    start: int
    width: int
    at: int
    repeat: int


def _intervals(ledger: Ledger) -> Iterator[tuple[int, tuple[Slice, ...]]]:
    """The groups, in the order of the forward pass: their widths, and the slices of their channels.

    Labels belong to one group where they lie in a row in every tensor, so segments are cut wherever any of them begins
    or ends. A single channel cannot be thinned and is left out.
    """
    roots, frozen = ledger.labels.roots()
    lists = {id(labels): labels for labels in ledger.owned.values()}  # tensors of one layer share theirs
    segments = {key: [*_segments(roots[np.asarray(labels)], frozen)] for key, labels in lists.items()}
    edges = {edge for found in segments.values() for start, width, *_ in found for edge in (start, start + width)}
    cuts = sorted(edges)
    slices: dict[int, list[Slice]] = {}
    for (tensor, dim), labels in ledger.owned.items():
        for start, width, at, repeat in segments[id(labels)]:
            for cut in cuts[bisect_left(cuts, start) : bisect_left(cuts, start + width)]:
                slices.setdefault(cut, []).append(Slice(tensor, dim, at + (cut - start) * repeat, repeat))
    following = dict(pairwise(cuts))
    for cut, parts in slices.items():
        if following[cut] - cut > 1:
            yield following[cut] - cut, tuple(parts)


def _segments(labels: NDArray[np.int64], frozen: NDArray[np.bool_]) -> Iterator[_Segment]:
    """The segments of one dimension of a tensor, without labels that are frozen."""
    at = np.concatenate([[0], (labels[1:] != labels[:-1]).nonzero()[0] + 1])  # where another label begins
    values, repeats, stays = labels[at], np.concatenate([at[1:], [len(labels)]]) - at, frozen[labels[at]]
    broken = (values[1:] - values[:-1] != 1) | (repeats[1:] != repeats[:-1]) | (stays[1:] != stays[:-1])
    for first, last in pairwise([0, *(broken.nonzero()[0] + 1).tolist(), len(values)]):
        if not stays[first]:
            yield _Segment(int(values[first]), last - first, int(at[first]), int(repeats[first]))


def _frozen_layers(ledger: Ledger, groups: list[ChannelGroup]) -> tuple[FrozenLayer, ...]:
    """Layers none of whose output channels can be cut."""
    grouped = {part.tensor for group in groups for part in group.slices if part.dim == 0}
    found: dict[str, str] = {}
    for (tensor, dim), labels in ledger.owned.items():
        if dim == 0 and tensor in ledger.uses and tensor not in grouped:
            reasons = {ledger.labels.reason(label) for label in labels} - {None}
            alone = "its channels can only be kept or cut all together"
            found[tensor.rpartition(".")[0]] = ", ".join(sorted(cast(set[str], reasons))) or alone
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
