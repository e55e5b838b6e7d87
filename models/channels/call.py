"""One step of a traced network, as the rules for operations and layers see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import Tensor, fx, nn

from espalier.models.channels.graph import ChannelGraph
from espalier.models.channels.labels import Channels, NotUnderstood
from espalier.models.channels.sizes import stays


class Call(NamedTuple):
    """One node of the symbolic graph, with what is known of its inputs."""

    graph: ChannelGraph
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
"""How the channels of an operation's inputs become those of its output. Raises NotUnderstood where it cannot say."""
