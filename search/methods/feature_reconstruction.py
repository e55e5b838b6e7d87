"""Regression-based feature reconstruction (He, Zhang & Sun 2017, 1707.06168)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from pydantic import Field
from torch import Tensor

from espalier.models.config import ChannelGroup, ChannelMask
from espalier.models.network import Network
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.methods.reading import ReadingOptions, by_group, grams, left, read_groups, readers, window_products
from espalier.search.recipe import FineTuning
from espalier.search.scores import Scores, top

TOLERANCE = 0.1
"""How many more channels than wanted the search for the penalty puts up with, as a share; the smallest of them go."""
PATH = 32
"""Penalties at which channels are ranked, three decades down from the one that leaves none."""


class FeatureReconstructionOptions(ReadingOptions):
    """Options of feature reconstruction."""

    elements: int = Field(
        default=8192, strict=True, ge=1, le=100_000, description="largest window whose kernels are reconstructed"
    )


class FeatureReconstruction(PruningMethod[FeatureReconstructionOptions]):
    """Selects channels by LASSO and fits the next layer's kernels to its outputs. How many each layer keeps is given.

    Outputs and inputs are those of the parent; the paper goes from layer to layer, with the inputs of what is cut so
    far.
    """

    Options = FeatureReconstructionOptions
    finds_widths = False
    fine_tuning = FineTuning(epochs=0.11, lr=0.001)
    """As the paper has it: 10 of 90 epochs at 1e-5, where VGG-16 trains at 1e-2."""

    def ranked(self, network: Network) -> Sequence[ChannelGroup]:
        """Those that a convolution or a linear layer reads. Raises SpecError if there are none."""
        return read_groups(network, "feature_reconstruction")

    def score(self, parent: Parent) -> Scores:
        """The largest penalty, of those tried, that leaves a channel its factor, as a share of the one that leaves
        none; among equals, its factor decides."""
        return {name: path_scores(gram) for name, gram in self._grams(parent).items()}

    def select(self, parent: Parent, scores: Scores, widths: Mapping[str, int]) -> ChannelMask:
        """By LASSO, with the penalty that leaves as many as may stay, and of those the largest factors."""
        factors = {name: lasso_to(gram, widths[name]).abs() for name, gram in self._grams(parent).items()}
        # a tiny share of the path's ranking fills up where fewer have a factor than may stay
        ranking = {name: values + 1e-12 * values.max().clamp(min=1) * scores[name] for name, values in factors.items()}
        return top(parent.network.groups, {**scores, **ranking}, widths)

    @torch.no_grad()
    def repair(self, network: Network, parent: Parent, mask: ChannelMask) -> None:
        """Least squares from what is left of each layer's windows to its outputs in the parent; an intercept where
        the layer has a bias for it."""
        cut = {
            reader.part.tensor: reader.part.layer
            for group in parent.network.groups
            if not mask.kept[group.name].all()
            for reader in readers(parent.network, group)
        }
        small = {
            tensor: layer
            for tensor, layer in cut.items()
            if parent.network.module.get_parameter(tensor)[0].numel() <= self.options.elements
        }
        products = window_products(parent, [*small.values()], self.options)
        for tensor, layer in small.items():
            _refit(network, parent.network, tensor, layer, products[layer], mask)

    def _grams(self, parent: Parent) -> Mapping[str, Tensor]:
        return by_group(grams(parent, self.options))


def _refit(network: Network, whole: Network, tensor: str, layer: str, products: Tensor, mask: ChannelMask) -> None:
    """Fit a layer's weight, and its bias if it has one, to what the whole network's layer gives."""
    weight, module = whole.module.get_parameter(tensor).detach(), network.module.get_submodule(layer)
    ins, outs = left(whole, tensor, 1, mask), left(whole, tensor, 0, mask)
    kernel = weight[0, 0].numel()
    elements = (ins[:, None] * kernel + torch.arange(kernel)).flatten()
    bias = getattr(module, "bias", None)
    if bias is not None:  # the last element of a window is 1
        elements = torch.cat([elements, torch.tensor([len(products) - 1])])
    target = products[elements, :-1] @ weight[outs].flatten(1).double().cpu().T
    fitted = torch.linalg.lstsq(products[elements][:, elements], target, driver="gelsd").solution.T
    if bias is not None:
        bias.add_(fitted[:, -1].to(bias))
        fitted = fitted[:, :-1]
    own: Tensor = module.weight  # type: ignore[assignment]
    own.copy_(fitted.reshape(own.shape).to(own))


def lasso(gram: Tensor, step: float, penalty: float, start: Tensor | None = None, steps: int = 2000) -> Tensor:
    """The factors b [width] with the least 1/2 |sum of all columns - sum of b times columns|^2 + penalty * |b|_1.

    On products alone, in steps of `step_of(gram)`. Only factors that are not zero, or should not be, are worked on:
    where most are zero, that is a small part of the products.
    """
    target = gram.sum(1)
    found = torch.zeros_like(target) if start is None else start
    working = torch.zeros_like(target, dtype=torch.bool)
    while True:
        wanted = working | (found != 0) | ((target - gram @ found).abs() > penalty)
        if torch.equal(wanted, working):
            return found
        working, at = wanted, wanted.nonzero().flatten()
        factors = _proximal(gram[at][:, at], target[at], step, penalty, found[at], steps)
        found = torch.zeros_like(target).index_put((at,), factors)


def _proximal(gram: Tensor, target: Tensor, step: float, penalty: float, found: Tensor, steps: int) -> Tensor:
    """By accelerated proximal gradient (Beck & Teboulle 2009), restarted where it turns back."""
    ahead, pace = found, 1.0
    for _ in range(steps):
        moved = ahead - step * (gram @ ahead - target)
        new = moved.sign() * (moved.abs() - step * penalty).clamp(min=0)
        if float((new - found).abs().max()) <= 1e-9 * max(1e-9, float(new.abs().max())):
            return new
        if float((ahead - new) @ (new - found)) > 0:
            pace = 1.0
        following = (1 + math.sqrt(1 + 4 * pace * pace)) / 2
        ahead, found, pace = new + (pace - 1) / following * (new - found), new, following
    return found


def step_of(gram: Tensor) -> float:
    """The longest step with which `lasso` converges: one over the largest eigenvalue."""
    return 1 / max(float(torch.linalg.eigvalsh(gram)[-1]), 1e-300)


def lasso_to(gram: Tensor, width: int) -> Tensor:
    """The factors under the largest penalty, by bisection, that leaves at least `width` of them, and at most a tenth
    more where one does."""
    low, high, step = 0.0, float(gram.sum(1).abs().max()), step_of(gram)
    found = lasso(gram, step, 0.0)
    for _ in range(40):
        middle = (low + high) / 2
        tried = lasso(gram, step, middle, found)
        count = int((tried != 0).sum())
        if count < width:
            high = middle
            continue
        low, found = middle, tried
        if count <= width * (1 + TOLERANCE):
            break
    return found


def path_scores(gram: Tensor) -> Tensor:
    """See `FeatureReconstruction.score`."""
    most, step = float(gram.sum(1).abs().max()), step_of(gram)
    scores, factors = torch.zeros(len(gram), dtype=gram.dtype), torch.zeros(len(gram), dtype=gram.dtype)
    for share in torch.logspace(0, -3, PATH, dtype=torch.double).tolist():
        factors = lasso(gram, step, share * most, factors)
        new = (scores == 0) & (factors != 0)
        size = factors.abs() / factors.abs().max().clamp(min=1e-300)
        scores[new] = share * (1 + 0.1 * size[new])
    return scores
