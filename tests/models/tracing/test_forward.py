"""Other arguments of forward than the images, and what is put around a network."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from espalier.models.config import ChannelMask
from espalier.models.errors import TraceError
from espalier.models.surgery import prune, silence
from espalier.models.tracing.forward import check_forward, unwrapped
from espalier.models.tracing.trace import trace
from tests.models.networks import WithSkip, conv


class Features(nn.Module):
    """Gives its features where that is asked for, as many networks do."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = conv(3, 8), conv(8, 2)

    def forward(
        self, images: Tensor, features: bool = False, *_more: Any, mask: Tensor | None = None, **_rest: Any
    ) -> Any:
        x = torch.relu(self.body(images))
        if mask is not None:
            x = x * mask
        return x if features else self.head(x)


class Anything(nn.Module):
    """Passes on what it is given, as wrappers do."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Features()

    def forward(self, *args: Any, **options: Any) -> Any:
        return self.inner(*args, **options)


@pytest.mark.parametrize("net", [Features(), Anything(), nn.DataParallel(Features())])
def test_arguments_with_defaults_stay_there(net: nn.Module) -> None:
    (group,) = trace(net, (3, 8, 8)).groups
    assert [layer.rpartition(".")[2] for layer in group.layers] == ["body", "head"]


class Nothing(nn.Module):
    """Takes no images."""

    def forward(self) -> None:
        pass


def test_what_must_be_given_besides_is_named() -> None:
    with pytest.raises(TraceError, match=r"WithSkip\.forward needs skip besides the images; wrap it"):
        check_forward(WithSkip())
    with pytest.raises(TraceError, match=r"Nothing\.forward takes no images"):
        check_forward(Nothing())


class Compiled(nn.Module):
    """Looks as what torch.compile gives, without the seconds that takes."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self._orig_mod = net


Compiled.__name__ = "OptimizedModule"


@pytest.mark.parametrize(
    "wrap", [nn.DataParallel, Compiled, lambda net: Compiled(nn.DataParallel(net)), lambda net: net]
)
def test_wrappers_are_looked_through(wrap: Any) -> None:
    net = Features()
    assert unwrapped(wrap(net)) is net


def test_what_stands_for_a_compiled_network_here_is_as_torch_makes_it() -> None:
    code = (
        "import torch; net = torch.nn.ReLU(); one = torch.compile(net); print(type(one).__name__, one._orig_mod is net)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["OptimizedModule", "True"]


def test_a_compiled_network_is_traced_and_cut_as_what_it_was() -> None:
    net = Compiled(Features())
    coupling = trace(net, (3, 8, 8))
    assert coupling.widths == {"body": 8}
    cut = prune(net, coupling, ChannelMask({"body": torch.arange(8) < 3}))
    assert isinstance(cut, Features)
    assert cut.body.out_channels == 3
    assert isinstance(silence(net, coupling, ChannelMask({"body": torch.arange(8) < 3})), Features)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*")
def test_compiled_and_scripted_networks_are_refused_with_what_would_work() -> None:
    with pytest.raises(TraceError, match="Features was compiled; give it as it was before"):
        trace(nn.Sequential(Compiled(Features())), (3, 8, 8))
    scripted = nn.Sequential(conv(3, 8), torch.jit.script(conv(8, 8)), conv(8, 2))
    with pytest.raises(TraceError, match="Conv2d was scripted, and scripts cannot be looked into"):
        trace(scripted, (3, 8, 8))
