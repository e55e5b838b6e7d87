"""Cutting, silencing and permuting channels: loops over slices, with no knowledge of layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from espalier.models.config import ChannelGroup, ChannelMask, Slice
from espalier.models.copies import tell, with_tensors
from espalier.models.errors import SurgeryError
from espalier.models.tensors import named_tensors, precision_of, selected
from espalier.models.tracing.coupling import Coupling
from espalier.models.tracing.forward import uncompiled


def prune(net: nn.Module, coupling: Coupling, mask: ChannelMask, check: bool = True) -> nn.Module:
    """A smaller network with the kept channels only, weights inherited; `net` itself is left as it is. Of a compiled
    network, one that is not.

    With `check`, the cut network is compared on random inputs with the same network silenced, in evaluation mode,
    before it is handed out.
    Raises SurgeryError when the mask does not fit, or when the cut changes what the network computes. A network that
    keeps something of what it was last given keeps that of the random inputs.
    """
    net, groups = uncompiled(net), coupling.groups
    _validate(groups, mask)
    kept = {name: (keep.nonzero().flatten(), len(keep)) for name, keep in mask.kept.items()}
    cut = with_tensors(net, _rewritten(net, groups, lambda t, part, name: selected(t, part, *kept[name])))
    tell(cut, coupling.numbers_at(mask.widths))
    if check and groups:
        _compare(net, cut, coupling, mask)
    return cut


def silence(net: nn.Module, coupling: Coupling, mask: ChannelMask) -> nn.Module:
    """A copy of the network, of the same size, in which the cut channels are zero wherever they occur."""
    net, groups = uncompiled(net), coupling.groups
    _validate(groups, mask)
    return with_tensors(net, _rewritten(net, groups, lambda t, part, name: _zeroed(t, part, mask.kept[name])))


def permute(net: nn.Module, coupling: Coupling, order: Mapping[str, Tensor]) -> nn.Module:
    """A copy in which channel i of a group is the original's channel order[i]; it computes the same function."""
    net, groups, widths = uncompiled(net), coupling.groups, coupling.widths
    return with_tensors(
        net, _rewritten(net, groups, lambda t, part, name: selected(t, part, order[name], widths[name]))
    )


_Rewrite = Callable[[Tensor, Slice, str], Tensor]


def _rewritten(net: nn.Module, groups: tuple[ChannelGroup, ...], rewrite: _Rewrite) -> dict[str, Tensor]:
    """Apply `rewrite` to every tensor once per slice in it.

    Slices of one dimension are taken from the highest start down, so that a cut never moves those still to come. Rows
    come first: cutting them is the fastest, and leaves less to cut.
    """
    tensors = named_tensors(net)
    result: dict[str, Tensor] = {}
    for tensor, parts in _by_tensor(groups).items():
        value = tensors[tensor].detach()
        for part, name in parts:
            value = rewrite(value, part, name)
        result[tensor] = value
    return result


def _by_tensor(groups: Iterable[ChannelGroup]) -> dict[str, list[tuple[Slice, str]]]:
    found: dict[str, list[tuple[Slice, str]]] = {}
    for group in groups:
        for part in group.slices:
            found.setdefault(part.tensor, []).append((part, group.name))
    for parts in found.values():
        parts.sort(key=lambda item: (item[0].dim, -item[0].start))
    return found


def _zeroed(tensor: Tensor, part: Slice, kept: Tensor) -> Tensor:
    if part.role == "direction":  # its length is silenced, and a vector without length has no direction
        return tensor
    factor = torch.ones(tensor.shape[part.dim], dtype=torch.bool)
    factor[part.start : part.start + part.repeat * len(kept)] = kept.repeat_interleave(part.repeat)
    shape = [-1 if dim == part.dim else 1 for dim in range(tensor.dim())]
    return tensor.where(factor.to(tensor.device).view(shape), tensor.new_zeros(()))


def _validate(groups: tuple[ChannelGroup, ...], mask: ChannelMask) -> None:
    names = {group.name for group in groups}
    if unknown := sorted(set(mask.kept) - names):
        raise SurgeryError(f"the mask names no group of this network: {', '.join(unknown)}")
    for group in groups:
        kept = mask.kept.get(group.name)
        if kept is None or tuple(kept.shape) != (group.width,) or kept.dtype != torch.bool:
            got = "nothing" if kept is None else f"{kept.dtype} of shape {tuple(kept.shape)}"
            raise SurgeryError(f"group {group.name!r} needs a bool mask of {group.width} channels, got {got}")
        if not kept.any():
            raise SurgeryError(f"group {group.name!r} would be empty; keep at least one of its {group.width} channels")


# --- the check that ships -----------------------------------------------------------------------------------------


_ROUNDING = {torch.float64: 1e-9, torch.float32: 1e-3}
"""Difference that is rounding, as a share of the largest output; where two precisions meet, the coarser counts."""
_ROUGH = 0.05
"""The same for numbers of half precision."""


def _compare(net: nn.Module, cut: nn.Module, coupling: Coupling, mask: ChannelMask) -> None:
    """Silenced and cut networks must agree; layers are silenced one at a time, so no second dense copy is held."""
    groups, shape = coupling.groups, coupling.input
    parameters = [parameter for parameter in net.parameters() if parameter.is_floating_point()]
    if any(parameter.is_meta for parameter in parameters):
        raise SurgeryError("a network without values cannot be compared with what is cut from it; say check=False")
    tolerance = max(_ROUNDING.get(parameter.dtype, _ROUGH) for parameter in parameters)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn((2, *shape), generator=generator).to(parameters[0].device, precision_of(net))
    with torch.no_grad(), _evaluating(net), _evaluating(cut):
        with _SilencedInPassing(net, groups, mask):
            expected = net(inputs)
        if not expected.isfinite().all():
            raise SurgeryError("on random inputs the network itself gives NaN or infinity, which nothing compares with")
        scale = float(expected.abs().max().clamp(min=1e-6))
        try:
            difference = float((cut(inputs) - expected).abs().max()) / scale
        except Exception:  # whatever its own forward raises where shapes do not even fit together
            difference = math.inf
        if not difference <= tolerance:  # a NaN is not smaller either
            worst = _worst_group(net, coupling, mask, inputs)
            raise SurgeryError(
                f"the cut network differs from the silenced one by {difference:.3g} of its largest output "
                f"(at most {tolerance:g} is rounding); the group that differs most is {worst!r}"
            )


def _worst_group(net: nn.Module, coupling: Coupling, mask: ChannelMask, inputs: Tensor) -> str:
    """The group whose cut alone changes the output most against silencing it alone."""
    groups = coupling.groups
    differences: dict[str, float] = {}
    for group in groups:
        only = ChannelMask({g.name: mask.kept[g.name] | (g.name != group.name) for g in groups})
        with _SilencedInPassing(net, groups, only):
            expected = net(inputs)
        try:
            cut = prune(net, coupling, only, check=False).eval()
            differences[group.name] = float((cut(inputs) - expected).abs().max())
        except Exception:  # as above
            differences[group.name] = float("inf")
    return max(differences, key=lambda name: differences[name])


@contextmanager
def _evaluating(net: nn.Module) -> Iterator[None]:
    training = {module: module.training for module in net.modules()}
    if any(training.values()):
        net.eval()
    try:
        yield
    finally:
        if any(training.values()):
            net.train(training[net])  # somebody's own layers may do more then than to note it
        for module, mode in training.items():
            module.training = mode


class _SilencedInPassing(TorchFunctionMode):
    """While this is active, every function that is given one of a network's tensors gets it silenced. One at a time, so
    that no second copy of the network is held."""

    def __init__(self, net: nn.Module, groups: tuple[ChannelGroup, ...], mask: ChannelMask) -> None:
        super().__init__()
        tensors = named_tensors(net)  # by identity, since layers may share one
        self._parts = {id(tensors[name]): parts for name, parts in _by_tensor(groups).items()}
        self._mask = mask

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = {name: self._silenced(part) for name, part in (kwargs or {}).items()}
        return func(*map(self._silenced, args), **options)

    def _silenced(self, part: Any) -> Any:
        if isinstance(part, Tensor):
            parts = self._parts.get(id(part), ())
            for place, name in parts:
                part = _zeroed(part, place, self._mask.kept[name])
            return part
        if type(part) in (list, tuple):
            return type(part)(map(self._silenced, part))
        return part
