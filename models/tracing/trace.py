"""Tracing: which channels of a plain network are coupled.

The network is traced symbolically and run once on the meta device. Along the way every channel of every activation
carries a label; each operation says how the labels of its inputs become those of its output, and each layer says which
indices of which of its tensors belong to which label (`operations.py`). Labels that must live or die together are
merged, and what is left are the channel groups. An operation that is not on the list freezes the channels that reach
it: they stay dense, and the report says why. Nothing is guessed.
"""

from __future__ import annotations

import linecache

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from espalier.models.config import Shape
from espalier.models.copies import on_meta
from espalier.models.errors import ArchitectureError, TraceError, first_line
from espalier.models.tensors import named_tensors
from espalier.models.tracing.coupling import Coupling
from espalier.models.tracing.groups import assemble
from espalier.models.tracing.interpreter import Interpreter, LayerTracer, keep_outputs
from espalier.models.tracing.probe import images, probe, switch
from espalier.models.tracing.tracer import check_forward


def trace(net: nn.Module, shape: Shape) -> Coupling:
    """Find the channel groups of `net` for one input of `shape` (channels, height, width).

    The network itself is not run, changed or copied.
    Raises TraceError when its control flow depends on data, ArchitectureError when it cannot take the input.
    """
    check_forward(net)
    if lazy := next((name for name, tensor in named_tensors(net).items() if is_lazy(tensor)), None):
        raise ArchitectureError(f"the shape of {lazy} is not known before it has run once")
    skeleton = on_meta(net)
    switch(skeleton, False)
    try:
        graph = LayerTracer().trace(skeleton)
    except Exception as error:  # a traced network may raise anything from its own forward
        raise TraceError(f"{type(net).__name__} cannot be traced symbolically{_where(error)}: {error}") from error
    for module in skeleton.modules():
        for name, value in [*vars(module).items()]:
            if isinstance(value, Tensor):  # no buffer, or a constant of the code, which the tracer left there
                setattr(module, name, value.to("meta"))
    run = Interpreter(skeleton, graph)
    try:
        with torch.no_grad():
            output = run.run(images(skeleton, shape))
    except Exception as error:  # whatever a network's own operations may raise
        where = f" at {run.where}" if run.where else ""
        raise ArchitectureError(
            f"{type(net).__name__} cannot take an input of shape {shape}{where}: {first_line(error)}"
        ) from error
    keep_outputs(run, output)
    coupling = assemble(run, skeleton, shape, output)
    if coupling.activation_macs < 0:
        raise TraceError(f"multiply-adds of {type(net).__name__} cannot be told apart by layer")
    probe(skeleton, coupling, run.only_shapes.weighted)
    return coupling


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
