"""Networks that use one function of torch each, and what must be found of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from espalier.models.self_check import random_mask, randomise
from espalier.models.surgery import prune, silence
from espalier.models.tracing.coupling import Coupling
from espalier.models.tracing.trace import trace
from tests.models.helpers import close
from tests.models.networks import Forward, Own, conv

PX = (3, 8, 8)


def found(forward: Forward, **layers: Any) -> Coupling:
    """What tracing finds of layers and a forward: `a` gives eight channels, `b` reads them and gives two. Whatever it
    is, cut networks must compute what the silenced ones do, in double precision."""
    net = Own(forward, **{"a": conv(3, 8), "b": conv(8, 2), **layers}).double().eval()
    randomise(net, torch.Generator().manual_seed(0))
    coupling = trace(net, PX)
    check(net, coupling)
    return coupling


def check(net: nn.Module, coupling: Coupling, masks: int = 3) -> None:
    """Cut, and compare with what is silenced, on the cut itself and tensor by tensor."""
    x = torch.randn((3, *coupling.input), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for seed in range(masks):
        mask = random_mask(coupling.groups, seed)
        cut = prune(net, coupling, mask, check=False)
        with torch.no_grad():
            assert close(cut(x), silence(net, coupling, mask)(x))
        assert sum(p.numel() for p in cut.parameters()) == coupling.cost(mask.widths).params
        prune(net, coupling, mask, check=True)


def kept(forward: Forward, **layers: Any) -> str:
    """Why the channels of `a` stay."""
    return dict(found(forward, **layers).kept).get("a", "")
