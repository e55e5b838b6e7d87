"""Small networks for tests: layers by name with any forward, and layers that do what few do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Forward = Callable[[Any, Tensor], Any]
"""A network's forward, as a function of the network and its input."""


def conv(inputs: int, outputs: int, **options: Any) -> nn.Conv2d:
    """A convolution that keeps the resolution."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, **options)


class Own(nn.Module):
    """Layers, parameters and buffers by name, and a forward given as a function of them."""

    def __init__(self, forward: Forward, **layers: Any) -> None:
        super().__init__()
        for name, layer in layers.items():
            if isinstance(layer, Tensor) and not isinstance(layer, nn.Parameter):
                self.register_buffer(name, layer)
            else:
                setattr(self, name, layer)
        self._forward = forward

    def forward(self, x: Tensor) -> Any:
        return self._forward(self, x)


class Net(Own):
    """The same, with a scale for eight channels and two lists of indices of its own."""

    def __init__(self, forward: Forward, **layers: Any) -> None:
        super().__init__(forward, **layers)
        self.scale = nn.Parameter(torch.rand(8, 1, 1))
        self.register_buffer("few", torch.arange(4))
        self.register_buffer("all", torch.arange(8))


class Tied(nn.Module):
    """Two layers that share a weight, one that is kept in a list besides, and a table of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(4, 4)
        self.two = nn.Linear(4, 4)
        self.two.weight = self.one.weight
        self.seen = [self.one]
        self.table = nn.Parameter(torch.arange(3.0))


class Gain(nn.Conv2d):
    """A convolution with a factor of its own on each channel."""

    def __init__(self) -> None:
        super().__init__(8, 8, 1)
        self.gain = nn.Parameter(torch.full((8, 1, 1), 3.0))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.gain


class Flipping(nn.Conv2d):
    """A convolution that reads its channels in another order."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flip(1))


class OwnNorm(nn.BatchNorm2d):
    """A batch norm of somebody's own, with its activation in it, as in timm."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(super().forward(x))


class Taking(nn.Module):
    """One of several things that a layer gives."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place

    def forward(self, several: tuple[Tensor, ...]) -> Tensor:
        return several[self.place]


class Paired(nn.Module):
    """What a layer of two inputs makes of one."""

    def __init__(self, pair: nn.Module) -> None:
        super().__init__()
        self.pair = pair

    def forward(self, x: Tensor) -> Tensor:
        return self.pair(x, x)  # type: ignore[no-any-return]


class Refusing(nn.Conv2d):
    """Merges what it can merge only once, when it is switched."""

    def train(self, mode: bool = True) -> Refusing:
        if mode:
            raise RuntimeError("merged for good")
        return super().train(mode)


class Silent(nn.Conv2d):
    """Forgets to return itself when it is switched."""

    def train(self, mode: bool = True) -> None:  # type: ignore[override]
        super().train(mode)


class Merging(nn.Module):
    """Folds its scale into its weight while it evaluates, as networks do that are faster so."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.scale, self.merged = nn.Conv2d(8, 2, 1), nn.Parameter(torch.tensor(2.0)), False

    def train(self, mode: bool = True) -> Merging:
        super().train(mode)
        if mode == self.merged:
            self.conv.weight.data *= 1 / self.scale.data if mode else self.scale.data
            self.merged = not mode
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) * (1 if self.merged else self.scale)  # type: ignore[no-any-return]


class Put(nn.Module):
    """Leaves what passes where another layer finds it."""

    def __init__(self, cache: dict[str, Tensor]) -> None:
        super().__init__()
        self.cache = cache

    def forward(self, x: Tensor) -> Tensor:
        self.cache["x"] = x
        return x


class Take(Put):
    """Adds what was left there."""

    def forward(self, x: Tensor) -> Tensor:
        return x + self.cache.pop("x")


class Wide(nn.Module):
    """Does not run with few channels, which no tracing can know."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        if y.shape.numel() <= 2 * 2 * 16:
            raise ValueError("too few")
        return self.b(y)  # type: ignore[no-any-return]


class WithSkip(nn.Module):
    """Takes more than images."""

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return x + skip


class Shapes(nn.Module):
    """Notes the shape of every layer's output."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.seen: list[tuple[int, ...]] = []
        for module in net.modules():
            module.register_forward_hook(lambda _m, _i, output: self.seen.append(tuple(output.shape)))

    def forward(self, x: Tensor) -> list[tuple[int, ...]]:
        self.seen = []
        self.net(x)
        return self.seen
