"""Tracing: which channels of a plain network are coupled.

The network's own code is run once, in shapes alone. Along the way every channel of every tensor carries a label; each
function says how the labels of its inputs become those of its output, and which indices of which weights belong to
which label (`operations.py`). Labels that must live or die together are merged, and what is left are the channel
groups. A function that is not on the list freezes the channels that reach it: they stay dense, and the report says why.
Nothing is guessed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from espalier.models.channels.graph import BATCH
from espalier.models.config import Shape
from espalier.models.copies import on_meta
from espalier.models.errors import ArchitectureError, TraceError, first_line
from espalier.models.tracing.coupling import Coupling
from espalier.models.tracing.forward import check_forward, uncompiled
from espalier.models.tracing.groups import assemble
from espalier.models.tracing.probe import Snapshot, images, probe, switch
from espalier.models.tracing.run import Run


def trace(net: nn.Module, shape: Shape) -> Coupling:
    """Find the channel groups of `net` for one input of `shape` (channels, height, width).

    The network itself is not run, changed or copied.
    Raises TraceError when its control flow depends on data, ArchitectureError when it cannot take the input.
    """
    net = uncompiled(net)
    check_forward(net)
    skeleton = on_meta(net)
    switch(skeleton, False)
    before = Snapshot(skeleton)
    for follow_numbers in (True, False):
        run, coupling = _found(skeleton, before, shape, follow_numbers)
        try:
            probe(skeleton, before, coupling, run)
            break
        except TraceError:  # a number that a module keeps may be used in two ways, of which only one was seen
            if not (follow_numbers and coupling.numbers):
                raise
            before.restore()
    return coupling


def _found(skeleton: nn.Module, before: Snapshot, shape: Shape, follow_numbers: bool) -> tuple[Run, Coupling]:
    with torch.random.fork_rng(devices=[]):
        run, output = _run(skeleton, shape, follow_numbers)
    before.restore()
    coupling = assemble(run, skeleton, shape, output)
    before.restore()
    if coupling.activation_macs < 0:
        raise TraceError(f"multiply-adds of {type(skeleton).__name__} cannot be told apart by layer")
    return run, coupling


def _run(net: nn.Module, shape: Shape, follow_numbers: bool) -> tuple[Run, Tensor]:
    run, x = Run(net), images(net, shape)
    run.start(x)
    try:
        with torch.no_grad(), run:
            run.watch_numbers(follow_numbers)
            output = net(x)
    except Exception as error:  # whatever a network's own operations may raise
        raise _refusal(net, shape, run, error) from error
    run.finish()
    if not isinstance(output, Tensor):
        raise TraceError(
            f"the network must return one tensor, got {type(output).__name__}; its entry may say which one is trained "
            "on: Architecture(…, output=name or place)"
        )
    run.labels.keep(run.value(output).labels, "network output")
    if output.dim() == 0 or output.shape[0] != BATCH:
        given = f"{tuple(output.shape)} for {BATCH} of them"
        raise TraceError(f"the network must return a row for each image, but its output has shape {given}")
    return run, output


def _refusal(net: nn.Module, shape: Shape, run: Run, error: Exception) -> Exception:
    """What to say of an error in a network's own code."""
    where, words = run.where_of(error), first_line(error)
    if any(part in words for part in ("meta tensor", "Meta tensor", "data-dependent", "aten::_local_scalar_dense")):
        return TraceError(
            f"{type(net).__name__} decides by the numbers in its activations{where}, so which channels are coupled "
            "depends on the image; let it decide by sizes, options, or whether it trains"
        )
    return ArchitectureError(f"{type(net).__name__} cannot take an input of shape {shape}{where}: {words}")
