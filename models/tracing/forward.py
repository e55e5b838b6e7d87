"""What a network's forward takes, and what was put around it."""

from __future__ import annotations

import inspect

import torch
from torch import nn

from espalier.models.errors import TraceError

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def uncompiled(net: nn.Module) -> nn.Module:
    """The network as it was before it was compiled: what is found of it, and what is cut."""
    return net.get_submodule("_orig_mod") if _is_compiled(net) else net


def unwrapped(net: nn.Module) -> nn.Module:
    """The network in what was put around it to compile it, or to spread it over devices."""
    while (inside := _inside(net)) is not None:
        net = inside
    return net


def _inside(net: nn.Module) -> nn.Module | None:
    if _is_compiled(net):
        return net.get_submodule("_orig_mod")
    return net.module if isinstance(net, (nn.DataParallel, nn.parallel.DistributedDataParallel)) else None


def _is_compiled(net: nn.Module) -> bool:
    """By name: the package of its class takes seconds to import, which who compiles nothing need not wait for."""
    return type(net).__name__ == "OptimizedModule" and "_orig_mod" in net._modules


def check_forward(net: nn.Module) -> None:
    """Raise TraceError unless a network can be looked into, and can be given its images alone."""
    for module in net.modules():
        if _is_compiled(module):
            name = type(unwrapped(module)).__name__
            raise TraceError(f"{name} was compiled; give it as it was before, and compile what comes of it")
        if isinstance(module, torch.jit.ScriptModule):
            name = module.original_name
            raise TraceError(f"{name} was scripted, and scripts cannot be looked into; give it as it was before")
    parameters = [*inspect.signature(net.forward).parameters.values()]
    if not parameters:
        raise TraceError(f"{type(net).__name__}.forward takes no images")
    needed = [one.name for one in parameters[1:] if one.default is one.empty and one.kind not in _VARIADIC]
    if needed:
        raise TraceError(
            f"{type(net).__name__}.forward needs {', '.join(needed)} besides the images; wrap it in one that does not, "
            "or give defaults"
        )
