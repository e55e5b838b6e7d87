"""One function that a traced network calls, as the rules see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from espalier.models.channels.counts import Count, Watch, fits, plain
from espalier.models.channels.graph import ChannelGraph
from espalier.models.channels.labels import Labels, NotUnderstood
from espalier.models.channels.value import Axis, Value
from espalier.models.config import Role


class Known(Watch, Protocol):
    """What is known of a run so far."""

    graph: ChannelGraph

    def value(self, tensor: Tensor) -> Value:
        """Where the channels of a tensor lie."""

    def claim(self, count: Count) -> None:
        """Say that the rule has followed what depends on a count."""

    def claimed(self, number: float) -> list[Count]:
        """The counts that a plain number in the network's code may have been made from."""

    def followed(self, count: Count) -> None:
        """Say that the rule has followed what depends on a number that was made from this count."""

    def keep(self, labels: Sequence[int], why: str) -> None:
        """Keep channels, because of what this function does with them."""

    def multiplies(self) -> None:
        """Note that there are multiply-adds which belong to no weight."""


class Call(NamedTuple):
    """One call, with what it gave."""

    run: Known
    name: str
    """Of the function, whether it stands in `torch` or in one of its modules, is a method or an operator."""
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    output: Any

    def argument(self, index: int, name: str, default: Any = None) -> Any:
        """An argument by position or keyword; torch takes NumPy's word for a dimension, too."""
        if len(self.args) > index:
            return self.args[index]
        return self.kwargs.get(name, self.kwargs.get("axis", default) if name == "dim" else default)

    def numbers(self, index: int, *names: str) -> list[Any]:
        """Numbers that are given one by one, or as one list."""
        found = self.args[index:] or next((self.kwargs[name] for name in names if name in self.kwargs), ())
        if isinstance(found, int):
            return [found]
        return [*found[0]] if len(found) == 1 and isinstance(found[0], (tuple, list)) else [*found]

    @property
    def tensor(self) -> Tensor:
        """The first argument, which must be a tensor."""
        found = self.args[0] if self.args else self.kwargs.get("input")
        if not isinstance(found, Tensor):
            raise NotUnderstood("takes something else than activations")
        return found

    @property
    def first(self) -> tuple[Tensor, Value]:
        """The first argument, and where its channels lie."""
        return self.tensor, self.run.value(self.tensor)

    # --- labels -----------------------------------------------------------------------------------------------------

    def along(self, tensor: Tensor, dim: int) -> list[int]:
        """The labels along a dimension. Where others have any, too, these stay."""
        value = self.run.value(tensor)
        for place, axis in enumerate(value.axes):
            if place != dim % len(value.axes):
                self.without(axis, "works along a dimension that is not the channels")
        return self.known(value, dim, tensor.shape[dim])

    def without(self, axis: Axis, why: str) -> None:
        """Keep the channels of a dimension, since this function does what a cut would change."""
        if axis is not None:
            self.run.keep(axis, why)

    def known(self, value: Value, dim: int, size: int) -> list[int]:
        """The labels along a dimension; where no channels lie, one that stays stands for all."""
        axis = value.axes[dim]
        if axis is not None:
            return axis
        label = self.labels.new(1)
        self.labels.keep(label, value.reason or "its input has no channels that could be cut")
        return label * size

    def axis(self, weight: Tensor, dim: int, role: Role) -> list[int]:
        """The labels of one dimension of a weight, or of what was computed from one."""
        name = self.run.graph.name(weight)
        if not name:
            return self.known(self.run.value(weight), dim, weight.shape[dim])
        if (name, dim) not in self.run.graph.labels_of:
            self.run.graph.assign(name, dim, self.labels.new(weight.shape[dim]), role)
        self.run.graph.roles[name, dim] = role
        return self.run.graph.labels_of[name, dim]

    def tie(self, weight: Tensor | None, dim: int, labels: list[int], role: Role) -> None:
        """Say that index i of a dimension of a weight, or of what was computed from one, belongs to labels[i]."""
        if weight is None:
            return
        if name := self.run.graph.name(weight):
            self.run.graph.assign(name, dim, labels, role)
        else:
            self.meet(labels, self.run.value(weight), dim)

    def is_zero(self, weight: Tensor | None, dim: int) -> bool:
        """Whether a weight is zero where a channel along a dimension is cut; there may be none."""
        if weight is None or self.run.graph.name(weight):
            return True
        value = self.run.value(weight)
        return value.zero and value.axes[dim] is not None

    def meet(self, labels: list[int], value: Value, dim: int) -> None:
        """Couple labels to those along a dimension; where it has none, what meets it stays."""
        axis = value.axes[dim]
        if axis is None:
            self.stay(labels, value)
        elif axis is not labels:
            self.labels.merge(axis, labels)

    def stay(self, labels: list[int], value: Value) -> None:
        """Keep channels that meet a dimension which has none."""
        if value.reason:
            self.labels.keep(labels, value.reason)
        else:
            self.run.keep(labels, "brings these channels together with what has none")

    @property
    def labels(self) -> Labels:
        """All labels of the network."""
        return self.run.graph.labels

    # --- numbers ----------------------------------------------------------------------------------------------------

    def says(self, number: Any, labels: list[int]) -> bool:
        """Whether a number in the code is, in every cut, that of these channels."""
        if isinstance(number, Count):
            if fits(self.labels, number, labels):
                self.run.claim(number)
                return True
            return False
        made_from = [count for count in self.run.claimed(number) if fits(self.labels, count, labels)]
        for count in made_from:
            self.run.followed(count)
        return bool(made_from)

    def counted(self, number: Any) -> Axis:
        """The channels of a dimension that is made as long as a number says, where all of them are alike."""
        if not isinstance(number, Count) or len(number.terms) != 1 or number.open or plain(number) < 1:
            return None
        ((source, factor),) = number.terms
        if factor.denominator == 1:
            labels = source() * int(factor)
        elif factor.numerator == 1 and len(source()) % factor.denominator == 0:
            labels = self.labels.blocks(source(), factor.denominator)
        else:
            return None
        if len(labels) != plain(number):
            return None
        self.run.claim(number)
        return labels


Rule = Callable[[Call], Value | Sequence[Value]]
"""How the channels of a function's inputs become those of its output, or of each of its outputs. Raises NotUnderstood
where it cannot say, with what the function does there."""
