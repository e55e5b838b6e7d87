"""Running a symbolic graph on the meta device, and carrying the labels of channels along."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._pytree import tree_leaves

from espalier.models.channels.call import Call
from espalier.models.channels.graph import BATCH, ChannelGraph
from espalier.models.channels.labels import Channels, NotUnderstood
from espalier.models.channels.sizes import RANK, counted
from espalier.models.errors import TraceError
from espalier.models.tracing.joins import selects
from espalier.models.tracing.operations import COUNTING, rule_of
from espalier.models.tracing.shapes import OnlyShapes
from espalier.models.tracing.tracer import Tracer


class LayerTracer(Tracer):
    """Stops at layers."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Somebody's own batch norms, too: they look at their inputs in ways that cannot be traced."""
        return isinstance(m, _BatchNorm) or super().is_leaf_module(m, module_qualified_name)


class Interpreter(fx.Interpreter):
    """Runs the graph on the meta device and carries the labels along."""

    def __init__(self, net: nn.Module, graph: fx.Graph) -> None:
        super().__init__(net, garbage_collect_values=False, graph=graph)
        self.channel_graph = ChannelGraph(net)
        self.channels: dict[fx.Node, Channels] = {}
        self.only_shapes = OnlyShapes()
        self.where = ""
        self.understood = True
        """Whether every operation was."""

    def run_node(self, n: fx.Node) -> Any:
        """Run one node, and note where its channels lie."""
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
                self.channel_graph.exclude([value], reason)
            return self._opaque(reason)
        labels = self.channel_graph.labels.new(value.shape[long[0]])
        try:
            self.channel_graph.assign(value, long[0], labels, "other")
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
            channels = rule(Call(self.channel_graph, name, node, module, args, kwargs, traced, value, self.channels))
            if rule not in COUNTING:
                self._keep_counted(node, f"{_describe(node, module)} computes with the number of these channels")
            if channels.dim is not None and value.shape[channels.dim] != len(channels.labels):
                raise NotUnderstood(f"{_describe(node, module)} changes its channels in an unknown way")
            return channels
        except NotUnderstood as problem:
            self._keep_counted(node, str(problem))
            if module is not None and any(weight.dim() > 1 for weight in module.parameters()):
                self.channel_graph.unknown[str(node.target)] = str(problem)
            return self._behind(str(problem), inputs, module)

    def _keep_counted(self, node: fx.Node, reason: str) -> None:
        """Keep the channels whose number an operation computes with, since a cut would change it."""
        for channels in counted(node, self.channels):
            self.channel_graph.labels.keep(channels.labels, reason)

    def _behind(self, problem: str, inputs: list[fx.Node], module: nn.Module | None) -> Channels:
        """What comes out of an operation that is not understood: all that reaches it stays, for the first reason."""
        self.understood = False
        labels = self.channel_graph.labels
        known = [labels.reason(label) for source in inputs for label in self.channels[source].labels]
        for source in inputs:
            labels.keep(self.channels[source].labels, problem)
        if module is not None:
            self.channel_graph.exclude([*module.parameters(), *module.buffers()], problem)
        return self._opaque(problem if not known or None in known else cast(str, known[0]))

    def _opaque(self, reason: str) -> Channels:
        label = self.channel_graph.labels.new(1)
        self.channel_graph.labels.keep(label, reason)
        return Channels(None, label)


def _holds_tensors(value: Any) -> bool:
    return any(isinstance(leaf, Tensor) for leaf in tree_leaves(value))


def _describe(node: fx.Node, module: nn.Module | None) -> str:
    if node.op == "call_module":
        return f"{type(module).__name__} {node.target}" if module is not None else str(node.target)
    return getattr(node.target, "__name__", str(node.target))


def keep_outputs(run: Interpreter, output: Any) -> None:
    """Keep what the network gives; raise TraceError unless that is one tensor with a row for each image."""
    node = next(n for n in reversed(run.graph.nodes) if n.op == "output")
    for source in node.all_input_nodes:
        if source in run.channels:
            run.channel_graph.labels.keep(run.channels[source].labels, "network output")
    if not isinstance(output, Tensor):
        raise TraceError(f"the network must return one tensor, got {type(output).__name__}")
    if output.dim() == 0 or output.shape[0] != BATCH:
        given = f"{tuple(output.shape)} for {BATCH} of them"
        raise TraceError(f"the network must return a row for each image, but its output has shape {given}")
