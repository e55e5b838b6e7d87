"""ThiNet (Luo et al. 2017, 1707.06342; the second objective: Luo et al. 2018, TPAMI)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from espalier.models.config import ChannelGroup, ChannelMask
from espalier.models.network import Network
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.methods.reading import ReadingOptions, by_group, grams, left, read_groups
from espalier.search.recipe import FineTuning
from espalier.search.scores import Scores


class ThiNetOptions(ReadingOptions):
    """Options of ThiNet."""

    objective: Literal["remove", "keep"] = Field(
        default="remove",
        description="remove: one by one those that together add least to the next layer; keep: one by one those that "
        "explain most of what is left of its outputs, with factors of their own",
    )
    places: int = Field(default=2, strict=True, ge=1, le=1000, description="drawn in each, where the next layer works")
    scaling: bool = Field(default=True, strict=True, description="least-squares factors for inherited weights")


class ThiNet(PruningMethod[ThiNetOptions]):
    """Cuts the channels without which the next layer's outputs change least. How many each layer keeps is given.

    All layers are looked at in the parent as it is; the paper prunes and fine-tunes one after the other. And all
    outputs at a place are looked at, where the paper draws one.
    """

    Options = ThiNetOptions
    finds_widths = False
    fine_tuning = FineTuning(epochs=0.07, lr=0.1, schedule="step")
    """After the last layer, as the released code has it: 6 of 90 epochs from 1e-3, where VGG-16 trains at 1e-2."""

    def ranked(self, network: Network) -> Sequence[ChannelGroup]:
        """Those that a convolution or a linear layer reads. Raises SpecError if there are none."""
        return read_groups(network, "thinet")

    def score(self, parent: Parent) -> Scores:
        """The place of each channel in the order of removal, the first of all 0."""
        order = removal_order if self.options.objective == "remove" else selection_order
        return {name: _places(order(gram)) for name, gram in by_group(grams(parent, self.options)).items()}

    @torch.no_grad()
    def repair(self, network: Network, parent: Parent, mask: ChannelMask) -> None:
        """Multiply what each layer still reads by the factors that make its outputs nearest to those of the parent."""
        if not self.options.scaling:
            return
        factors: dict[str, Tensor] = {}
        for reader, gram in grams(parent, self.options).items():
            part, kept = reader.part, mask.kept[reader.group.name]
            if kept.all():
                continue
            of_channels = torch.ones(len(kept), dtype=gram.dtype)
            of_channels[kept] = least_squares(gram, kept)
            weight = parent.network.module.get_parameter(part.tensor)
            own = factors.setdefault(part.tensor, torch.ones(weight.shape[1], dtype=gram.dtype))
            own[part.start : part.start + len(kept) * part.repeat] = of_channels.repeat_interleave(part.repeat)
        for tensor, own in factors.items():
            weight = network.module.get_parameter(tensor)
            stays = own[left(parent.network, tensor, 1, mask)]
            weight.mul_(stays.to(weight).view(1, -1, *[1] * (weight.dim() - 2)))


def removal_order(gram: Tensor) -> list[int]:
    """Greedy removal: each time the channel with which the sum of all that is gone stays smallest, in squares.

    ||r + x_c||^2 - ||r||^2 = 2 r.x_c + x_c.x_c, and r.x_c is a sum of columns of the products [width, width].
    """
    gone, alive = torch.zeros(len(gram), dtype=gram.dtype), torch.ones(len(gram), dtype=torch.bool)
    order = []
    for _ in range(len(gram)):
        growth = (2 * gone + gram.diagonal()).masked_fill(~alive, torch.inf)
        chosen = int(growth.argmin())
        order.append(chosen)
        alive[chosen] = False
        gone = gone + gram[chosen]
    return order


def selection_order(gram: Tensor) -> list[int]:
    """Greedy selection, turned round: each time the channel that with a factor of its own leaves the least of the
    output, after which all factors are fitted anew (orthogonal matching pursuit)."""
    width = len(gram)
    target, alive = gram.sum(1), torch.ones(width, dtype=torch.bool)
    residual, chosen = target.clone(), []
    scale = gram.diagonal().clamp(min=torch.finfo(gram.dtype).tiny)
    basis = torch.zeros(0, width, dtype=gram.dtype)  # orthonormal combinations of what is chosen, times all columns
    for _ in range(width):
        gain = (residual.square() / scale).masked_fill(~alive, -1)
        one = int(gain.argmax())
        chosen.append(one)
        alive[one] = False
        row = gram[one] - basis[:, one] @ basis
        if row[one] > 1e-12 * scale[one]:  # else it is a combination of the others, and explains nothing more
            row = row / row[one].sqrt()
            residual = residual - row * (residual[one] / row[one])
            basis = torch.cat([basis, row[None]])
    return chosen[::-1]


def least_squares(gram: Tensor, kept: Tensor) -> Tensor:
    """A factor for each kept channel, with which their sum is nearest to the sum of all; the smallest where several
    are."""
    inner, target = gram[kept][:, kept], gram[kept].sum(1)
    solution: Tensor = torch.linalg.lstsq(inner, target[:, None], driver="gelsd").solution
    return solution.flatten()


def _places(order: Sequence[int]) -> Tensor:
    scores = torch.empty(len(order), dtype=torch.double)
    scores[torch.tensor(order)] = torch.arange(len(order), dtype=torch.double)
    return scores
