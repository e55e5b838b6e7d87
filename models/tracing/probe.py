"""Running a traced network with other widths, to see that they fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from espalier.models.channels.graph import BATCH
from espalier.models.config import Shape
from espalier.models.copies import replace_in, tell, with_tensors
from espalier.models.errors import ArchitectureError, TraceError, first_line
from espalier.models.tensors import named_tensors, precision_of
from espalier.models.tracing.coupling import Coupling
from espalier.models.tracing.operations import operation_of
from espalier.models.tracing.run import Run
from espalier.models.tracing.shapes import OnlyShapes, numbers_of, tensors_of


def resized(skeleton: nn.Module, coupling: Coupling, widths: Mapping[str, int]) -> nn.Module:
    """The network with these widths: shapes without memory, where the skeleton has none.

    A tensor that does hold values keeps those of its first channels.
    """
    net = with_tensors(skeleton, _with_widths(named_tensors(skeleton), coupling, widths))
    tell(net, coupling.numbers_at(widths))
    return net


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


class Snapshot:
    """What the modules of a network have, so that what they keep of a run can be forgotten."""

    def __init__(self, net: nn.Module) -> None:
        self.modules = [*net.modules()]
        self._before = [(own, own.copy()) for module in self.modules for own in _holders(module)]

    def restore(self) -> None:
        """Let the modules have what they had: attributes, tensors, and what lies in their own lists and tables."""
        for own, before in self._before:
            own.clear()
            own.extend(before) if isinstance(own, list) else own.update(before)


def _holders(module: nn.Module) -> Iterator[Any]:
    attributes = vars(module)
    yield attributes
    for own in (module._parameters, module._buffers):
        if own:
            yield own
    if not type(module).__module__.startswith("torch.nn."):
        yield from (own for name, own in attributes.items() if type(own) in _CONTAINERS and name not in _TORCHS)


_CONTAINERS = (dict, list, set)
_TORCHS = frozenset(vars(nn.Module()))
"""Attributes that every module has."""


def probe(skeleton: nn.Module, before: Snapshot, coupling: Coupling, run: Run) -> None:
    """Run the network with other widths, in both modes: a channel count that is fixed in its code shows here, and so
    does a path that only training takes, or that only other widths take: in evaluation, the same functions must run as
    when it was traced, with as many channels as their labels say. The skeleton, in evaluation mode, is of no use
    thereafter."""
    tensors, draws = run.graph.tensors, np.random.default_rng(0)

    def problem(widths: Mapping[str, int], training: bool) -> str:
        replace_in(before.modules, tensors, _with_widths(tensors, coupling, widths))
        tell(skeleton, coupling.numbers_at(widths))
        if training:
            switch(skeleton, training)
        found = _problem(skeleton, coupling, None if training else _Expecting(run, coupling, widths))
        before.restore()
        return found

    for training in (True, False):  # with other widths in each, so that no two groups are thinned alike in both
        widths = {group.name: int(draws.integers(1, group.width)) for group in coupling.groups}
        found = problem(widths, training)
        if found and not (training and problem(coupling.widths, training)):  # else training takes more than shapes
            verb = "train" if training else "run"
            raise TraceError(f"{type(skeleton).__name__} does not {verb} with other widths than its own: {found}")


def _problem(net: nn.Module, coupling: Coupling, expected: _Expecting | None) -> str:
    """What is wrong with a network on the meta device, if it cannot be run. Raises TraceError if it gives no tensor."""
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]), expected or OnlyShapes():
            torch.manual_seed(0)
            output = net(images(net, coupling.input))
    except Exception as error:  # whatever a network's own forward may raise
        return first_line(error) or type(error).__name__
    if not isinstance(output, Tensor):
        mode = "in training" if net.training else "in evaluation"
        raise TraceError(f"{type(net).__name__} must return one tensor; {mode} it returns {type(output).__name__}")
    return "" if expected is None else expected.missing()


class _Expecting(OnlyShapes):
    """While this is active, a network must run the functions that it ran when it was traced, with as many channels in
    everything as there are labels left."""

    def __init__(self, run: Run, coupling: Coupling, widths: Mapping[str, int]) -> None:
        super().__init__()
        self._steps, self._may_change = iter(run.steps), run.may_change
        self._roots, _ = run.labels.roots()
        self._share = np.ones(len(self._roots))
        self._sizes: dict[int, float] = {}
        for group in coupling.groups:
            self._share[self._roots[run.graph.labels_in(group)]] = widths[group.name] / group.width

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given, operation = self.given(args, kwargs or {}), operation_of(func)
        output = given.call(func)
        written = [args[0]] if operation.name == "setitem" else [*tensors_of(output)]
        if written and not given.has_values and operation.asking is None:
            self._compare(func, operation.name, written, numbers_of(args, kwargs or {}))
        return output

    def _compare(self, func: Any, name: str, outputs: Sequence[Tensor], numbers: list[float | None]) -> None:
        step = next(self._steps, None)
        if step is None or step.function != func or len(step.shapes) != len(outputs):
            before = "nothing" if step is None else operation_of(step.function).name
            raise ValueError(f"it runs {name} where it ran {before} with its own widths")
        if len(numbers) == len(step.numbers):
            for told, now in zip(step.numbers, numbers, strict=True):
                if told is not None and told != now and not self._may_change(told):
                    raise ValueError(f"{name} is told {now} where it was told {told} with its own widths")
        for output, shape, axes in zip(outputs, step.shapes, step.axes, strict=True):
            wanted = [size if axis is None else self._size(axis) for size, axis in zip(shape, axes, strict=True)]
            if len(wanted) != output.dim() or any(
                abs(size - n) > 0.01
                for size, n in zip(wanted, output.shape, strict=True)
                if abs(size - round(size)) < 0.01
            ):
                raise ValueError(f"{name} gives {tuple(output.shape)}, and not {[round(n) for n in wanted]}")

    def _size(self, labels: list[int]) -> float:
        """How many of these channels are left; not a whole number if only some of a group's are among them."""
        if id(labels) not in self._sizes:
            self._sizes[id(labels)] = float(self._share[self._roots[labels]].sum())
        return self._sizes[id(labels)]

    def missing(self) -> str:
        """What did not run; empty if everything did."""
        step = next(self._steps, None)
        return "" if step is None else f"it does not run {operation_of(step.function).name} as with its own widths"


def switch(net: nn.Module, training: bool) -> None:
    """Put a network into training or evaluation. Raises ArchitectureError if its own code refuses."""
    if not training and not any(module.training for module in net.modules()):
        return
    try:
        net.train(training)
    except Exception as error:  # somebody's own layers may do more then than to note it
        mode = "training" if training else "evaluation"
        raise ArchitectureError(f"{type(net).__name__} cannot be put into {mode}: {first_line(error)}") from error


def images(net: nn.Module, shape: Shape, batch: int = BATCH) -> Tensor:
    """Images without memory, in the network's own precision."""
    return torch.empty((batch, *shape), dtype=precision_of(net), device="meta")
