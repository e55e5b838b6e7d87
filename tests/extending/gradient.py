"""A method that needs data: first-order Taylor importance, |sum of weight x gradient| of what each channel puts out."""

from __future__ import annotations

import torch

from espalier.models.document import Frozen
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.scores import Scores


class GradientOptions(Frozen):
    """Options of the gradient method."""

    examples: int = 64


class Gradient(PruningMethod[GradientOptions]):
    """Ranks channels by how much the loss would change, to first order, without them."""

    Options = GradientOptions

    def score(self, parent: Parent) -> Scores:
        """Of every channel, the size of weight x gradient summed over its outgoing weights."""
        net, batch = parent.network.module, next(parent.batches(self.options.examples))
        was_training = net.training
        net.eval()
        names = {part.tensor for group in parent.network.groups for part in group.slices if part.role == "out"}
        weights = {name: net.get_parameter(name) for name in names}
        found = torch.autograd.grad(parent.task.loss(net, batch), [*weights.values()])
        net.train(was_training)
        products = {name: (w.detach() * g).double() for (name, w), g in zip(weights.items(), found, strict=True)}
        scores = {}
        for group in parent.network.groups:
            total = torch.zeros(group.width, dtype=torch.double)
            for part in group.slices:
                if part.role == "out":
                    rows = products[part.tensor].transpose(0, part.dim).flatten(1).abs().sum(1)
                    total += rows[part.start : part.start + group.width * part.repeat].view(group.width, -1).sum(1)
            scores[group.name] = total
        return scores
