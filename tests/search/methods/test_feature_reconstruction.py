"""LASSO against its closed form and its conditions, reconstruction against least squares on the rows themselves."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from espalier.models.config import ChannelMask
from espalier.search.errors import SpecError
from espalier.search.methods.feature_reconstruction import (
    FeatureReconstruction,
    FeatureReconstructionOptions,
    lasso,
    lasso_to,
    path_scores,
    step_of,
)
from tests.models.networks import Own
from tests.search.methods.helpers import cut_of, parent_of


def rows(seed: int, count: int = 60, width: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(width, width, generator=generator, dtype=torch.double)
    return torch.randn(count, width, generator=generator, dtype=torch.double) @ mixed


def test_of_orthogonal_columns_it_is_the_soft_threshold() -> None:
    x = torch.linalg.qr(rows(0)).Q * torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 8], dtype=torch.double)
    sizes = x.square().sum(0)
    for penalty in (0.0, 0.5, 5.0, 30.0, 100.0):
        expected = (sizes - penalty).clamp(min=0) / sizes
        assert torch.allclose(lasso(x.T @ x, step_of(x.T @ x), penalty), expected, atol=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_its_subgradient_is_zero(seed: int) -> None:
    gram = rows(seed).T @ rows(seed)
    for share in (0.01, 0.1, 0.5):
        penalty = share * float(gram.sum(1).abs().max())
        found = lasso(gram, step_of(gram), penalty, steps=20_000)
        slope = gram.sum(1) - gram @ found
        assert torch.allclose(slope[found != 0], penalty * found[found != 0].sign(), atol=1e-4 * penalty)
        assert (slope[found == 0].abs() <= penalty * (1 + 1e-6)).all()


def test_where_it_starts_does_not_change_where_it_ends() -> None:
    gram = rows(3).T @ rows(3)
    penalty = 0.1 * float(gram.sum(1).abs().max())
    found = lasso(gram, step_of(gram), penalty, steps=20_000)
    for start in (torch.ones(8, dtype=torch.double), torch.eye(8, dtype=torch.double)[2], 100 * found):
        assert torch.allclose(lasso(gram, step_of(gram), penalty, start, 20_000), found, atol=1e-6)


@pytest.mark.parametrize("width", range(1, 9))
def test_the_penalty_leaves_as_many_as_may_stay(width: int) -> None:
    gram = rows(2).T @ rows(2)
    assert width <= int((lasso_to(gram, width) != 0).sum()) <= max(width * 1.1, 8 if width == 8 else width + 1)


def test_a_channel_that_enters_the_path_sooner_scores_higher() -> None:
    x = torch.linalg.qr(rows(0)).Q * torch.tensor([1.0, 8, 3, 6, 5, 4, 7, 2], dtype=torch.double)
    x[:, 2] = 0
    scores = path_scores(x.T @ x)
    assert scores.argsort(descending=True).tolist()[:5] == [1, 6, 3, 4, 5]
    assert float(scores[2]) == 0


def network() -> nn.Module:
    torch.manual_seed(0)
    return Own(
        lambda m, x: m.e(torch.relu(m.d(torch.cat([torch.relu(m.a(x)), m.b(x)], 1)))),
        a=nn.Conv2d(1, 8, 3), b=nn.Conv2d(1, 6, 3), d=nn.Conv2d(14, 6, 2), e=nn.Conv2d(6, 2, 1, bias=False),
    ).double().eval()  # fmt: skip


def test_kernels_and_bias_are_those_of_least_squares_on_the_rows() -> None:
    net = network()
    parent = parent_of(net, (1, 4, 4))  # the layer works at one place alone
    mask = ChannelMask({"a": torch.arange(8) % 2 == 0, "b": torch.arange(6) < 4, "d": torch.arange(6) != 1})
    cut = cut_of(parent, mask)
    FeatureReconstruction(FeatureReconstructionOptions(images=96, places=1)).repair(cut, parent, mask)
    images = torch.cat([batch.inputs for batch in parent.batches(32)])
    with torch.no_grad():
        seen = torch.cat([torch.relu(net.a(images))[:, ::2], net.b(images)[:, :4]], 1).flatten(1)
        wanted = net.d(torch.cat([torch.relu(net.a(images)), net.b(images)], 1)).flatten(1)[:, mask.kept["d"]]
    ones = torch.ones(len(seen), 1, dtype=torch.double)
    expected = torch.linalg.lstsq(torch.cat([seen, ones], 1), wanted, driver="gelsd").solution.T
    assert torch.allclose(cut.module.d.weight.flatten(1), expected[:, :-1], atol=1e-6)  # type: ignore[union-attr, operator]
    assert torch.allclose(cut.module.d.bias, expected[:, -1], atol=1e-6)  # type: ignore[arg-type]


def test_a_cut_network_is_nearer_to_its_parent_once_it_is_reconstructed() -> None:
    net = network()
    parent = parent_of(net, (1, 6, 6))
    method = FeatureReconstruction(FeatureReconstructionOptions(images=96, places=4))
    mask = method.select(parent, method.score(parent), {"a": 4, "b": 3, "d": 4})
    assert mask.widths == {"a": 4, "b": 3, "d": 4}
    errors = []
    for repaired in (False, True):
        cut = cut_of(parent, mask)
        if repaired:
            method.repair(cut, parent, mask)
        with torch.no_grad():
            errors.append(sum(float((cut.module(b.inputs) - net(b.inputs)).square().sum()) for b in parent.batches(32)))
    assert errors[1] < 0.8 * errors[0]


def test_windows_that_are_too_large_are_left_alone() -> None:
    parent = parent_of(network(), (1, 6, 6))
    mask = ChannelMask({"a": torch.arange(8) < 4, "b": torch.arange(6) < 4, "d": torch.arange(6) < 6})
    cut = cut_of(parent, mask)
    before = {name: value.clone() for name, value in cut.module.state_dict().items()}
    FeatureReconstruction(FeatureReconstructionOptions(images=32, elements=55)).repair(cut, parent, mask)
    assert all(torch.equal(value, before[name]) for name, value in cut.module.state_dict().items())


def test_constant_and_dead_features_are_no_obstacle() -> None:
    net = network()
    with torch.no_grad():
        net.a.weight.zero_()  # constant
        net.b.weight[2:].zero_()
        net.b.bias[2:].zero_()  # dead
    parent = parent_of(net, (1, 6, 6))
    method = FeatureReconstruction(FeatureReconstructionOptions(images=64))
    mask = method.select(parent, method.score(parent), {"a": 2, "b": 5, "d": 3})
    assert mask.widths == {"a": 2, "b": 5, "d": 3}
    assert mask.kept["b"][:2].all(), "the dead ones go first"
    cut = cut_of(parent, mask)
    method.repair(cut, parent, mask)
    assert all(value.isfinite().all() for value in cut.module.state_dict().values())


def test_a_network_in_which_no_layer_reads_a_group_is_refused() -> None:
    one = parent_of(nn.Sequential(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 2, 1, padding_mode="reflect"))).network
    with pytest.raises(
        SpecError, match="feature_reconstruction looks at the convolution or linear layer that reads a channel"
    ):
        FeatureReconstruction(FeatureReconstructionOptions()).ranked(one)
