"""How hard the loss pulls at batch-norm scales, beside the penalties that slimming's paper set against it."""

from __future__ import annotations

from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.common import Setting
from espalier.app.tables import Table, table
from espalier.models.network import Network, dense
from espalier.search.datasets.base import Data
from espalier.search.datasets.recipes import PAPER
from espalier.search.methods.slimming import FORCE, PULL, Slimming, SlimmingOptions
from espalier.search.schedule import steps_per_epoch, travel

NETS = {"vgg16": 1e-4, "vgg19": 1e-4, "preresnet164": 1e-5, "densenet40": 1e-5}
"""And the penalty of each on CIFAR-10 (Liu et al. 2017; released code)."""
BATCHES = 8


def run(setting: Setting) -> Table:
    """At the start, where every scale is one half, over a few batches of the paper's size."""
    data = setting.data()
    steps = PAPER.epochs * steps_per_epoch(PAPER, len(data.train))
    full = PULL / travel(PAPER, steps)
    rows = []
    for name, penalty in NETS.items():
        pull = _pull(name, data)
        strength = penalty / max(full, FORCE * pull)
        rows.append((name, f"{pull:.1e}", f"{penalty:.0e}", f"{penalty / pull:.3f}", f"{strength:.2f}"))
    columns = ("network", "median |gradient|", "paper's lambda", "of the gradient", "strength that this is")
    return table(f"The loss's pull at scales, {BATCHES} batches of {PAPER.batch_size}, at the start", columns, rows)


def _pull(name: str, data: Data) -> float:
    """The median of |dL/dgamma| over all scales, mean over batches."""
    network = Network.of(dense(name, len(data.classes), data.shape)).fresh()
    Slimming(SlimmingOptions()).prepare(network)
    net = network.module.train()
    scales = [net.get_parameter(scale) for scale in network.coupling.with_role("scale")]
    mean, std = (torch.tensor(of).view(-1, 1, 1) for of in (data.mean, data.std))
    medians: list[Tensor] = []
    for batch in islice(data.batches("train", PAPER.batch_size, np.random.default_rng(0)), BATCHES):
        images = (torch.from_numpy(batch.x).float() / 255 - mean) / std
        loss = F.cross_entropy(net(images), torch.from_numpy(batch.y))
        medians.append(torch.cat([*torch.autograd.grad(loss, scales)]).abs().median())
    return float(torch.stack(medians).mean())
