"""The dense network: one for each seed, whole, with fresh weights."""

from __future__ import annotations

import torch

from espalier.models.network import build, dense
from espalier.search.arms.dense import Dense
from espalier.search.spec import JobSpec
from tests.search.helpers import TARGET, derivation, question

CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.1})


def test_there_is_one_for_each_seed_whatever_else_is_asked_for() -> None:
    spec = JobSpec(target=TARGET, methods=(), baselines=(), budgets=(), seeds=(5, 2))
    assert [(one.origin, one.seed, dict(one.needs)) for one in Dense.plan(question(spec))] == [
        (Dense(), 5, {}),
        (Dense(), 2, {}),
    ]


def test_it_starts_from_the_weights_of_its_seed() -> None:
    start = Dense().derive(derivation(CONFIG, seed=4))
    assert (start.network.config, start.method) == (CONFIG, None)
    expected = build(CONFIG, 4).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in start.network.module.state_dict().items())
