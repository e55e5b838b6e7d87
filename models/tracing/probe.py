"""Running a traced network with other widths, to see that they fit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from espalier.models.channels.graph import BATCH
from espalier.models.config import Shape
from espalier.models.copies import replace, with_tensors
from espalier.models.errors import ArchitectureError, TraceError, first_line
from espalier.models.tensors import named_tensors, precision_of
from espalier.models.tracing.coupling import Coupling
from espalier.models.tracing.shapes import OnlyShapes


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


def probe(skeleton: nn.Module, coupling: Coupling, weighted: int) -> None:
    """Run the network with other widths, in both modes: a channel count that is fixed in its code shows here, and so
    does a path that only training takes, or that only tracing took: in evaluation, as many convolutions and linear
    layers must run. The skeleton, in evaluation mode, is of no use thereafter."""
    tensors, draws = named_tensors(skeleton), np.random.default_rng(0)
    layers = [(vars(module), dict(vars(module))) for module in skeleton.modules()]  # with what they say of themselves

    def problem(replaced: Mapping[str, Tensor], training: bool) -> str:
        replace(skeleton, replaced)
        if training:
            switch(skeleton, training)
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
            output = net(images(net, shape))
    except Exception as error:  # whatever a network's own forward may raise
        return first_line(error) or type(error).__name__
    if not isinstance(output, Tensor):
        mode = "in training" if net.training else "in evaluation"
        raise TraceError(f"{type(net).__name__} must return one tensor; {mode} it returns {type(output).__name__}")
    if weighted is not None and weighted != only_shapes.weighted:
        raise TraceError(
            f"{type(net).__name__} runs {only_shapes.weighted} convolutions and linear layers, but {weighted} when it "
            "is traced; its code must not ask what kind of thing its input is"
        )
    return ""


def switch(net: nn.Module, training: bool) -> None:
    """Put a network into training or evaluation. Raises ArchitectureError if its own code refuses."""
    try:
        net.train(training)
    except Exception as error:  # somebody's own layers may do more then than to note it
        mode = "training" if training else "evaluation"
        raise ArchitectureError(f"{type(net).__name__} cannot be put into {mode}: {first_line(error)}") from error


def images(net: nn.Module, shape: Shape, batch: int = BATCH) -> Tensor:
    """Images without memory, in the network's own precision."""
    return torch.empty((batch, *shape), dtype=precision_of(net), device="meta")
