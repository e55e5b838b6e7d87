"""What every pruning method promises; a new one inherits all of it by being in `METHODS`."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.models.config import ChannelConfig
from espalier.models.network import Network, build, dense
from espalier.models.surgery import permute
from espalier.search.data import Data
from espalier.search.errors import SpecError, UnknownName
from espalier.search.methods import METHODS, create
from espalier.search.train import steps_per_epoch, train
from espalier.search.types import MethodSpec, Recipe

names = pytest.mark.parametrize("name", METHODS)
CONFIG: ChannelConfig = dense("resnet20", 10, (1, 32, 32), {"width": 0.5})


@pytest.fixture(scope="module", params=METHODS)
def trained(request: pytest.FixtureRequest, digits: Data) -> tuple[str, nn.Module]:
    """A method's parent, trained the way the method asks."""
    recipe = Recipe(epochs=1, batch_size=128, lr=0.05, flip=False, crop=0)
    method, net = create(MethodSpec(name=request.param)), build(CONFIG)
    method.prepare(net, recipe, steps_per_epoch(recipe, len(digits.train)))
    train(net, digits, recipe, 0, method)
    return request.param, net


def test_scores_are_one_finite_number_for_each_channel(trained: tuple[str, nn.Module]) -> None:
    scores = create(MethodSpec(name=trained[0])).score(trained[1], Network.of(CONFIG).groups)
    assert {name: tuple(values.shape) for name, values in scores.items()} == {
        g.name: (g.width,) for g in Network.of(CONFIG).groups
    }
    assert all(torch.isfinite(values).all() for values in scores.values())


def test_scoring_leaves_the_network_alone_and_repeats(trained: tuple[str, nn.Module]) -> None:
    name, net = trained
    before = {key: value.clone() for key, value in net.state_dict().items()}
    first, second = (create(MethodSpec(name=name)).score(net, Network.of(CONFIG).groups) for _ in range(2))
    assert all(torch.equal(first[group], second[group]) for group in first)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


def test_permuted_channels_have_permuted_scores(trained: tuple[str, nn.Module]) -> None:
    name, net = trained
    order = {
        g.name: torch.randperm(g.width, generator=torch.Generator().manual_seed(1)) for g in Network.of(CONFIG).groups
    }
    plain = create(MethodSpec(name=name)).score(net, Network.of(CONFIG).groups)
    moved = create(MethodSpec(name=name)).score(
        permute(net, Network.of(CONFIG).coupling, order), Network.of(CONFIG).groups
    )
    assert all(torch.allclose(moved[group], plain[group][order[group]]) for group in plain)


def test_a_dead_channel_ranks_last(trained: tuple[str, nn.Module]) -> None:
    name, net = trained
    group = Network.of(CONFIG).groups[1]
    state = {key: value.clone() for key, value in net.state_dict().items()}
    for part in group.slices:
        state[part.tensor].narrow(part.dim, part.start + 3 * part.repeat, part.repeat).zero_()
    dead = build(CONFIG)
    dead.load_state_dict(state)
    assert int(create(MethodSpec(name=name)).score(dead, Network.of(CONFIG).groups)[group.name].argmin()) == 3


@names
def test_options_are_closed_and_survive_json(name: str) -> None:
    options = METHODS[name].Options()
    assert METHODS[name].Options.model_validate_json(options.model_dump_json()) == options
    assert METHODS[name].Options.model_json_schema()["additionalProperties"] is False
    with pytest.raises(SpecError, match=f"options of '{name}': nonsense: Extra inputs"):
        create(MethodSpec(name=name, options={"nonsense": 1}))


@names
def test_every_method_says_what_it_is(name: str) -> None:
    assert METHODS[name].__doc__


def test_an_unknown_method_lists_those_there_are() -> None:
    with pytest.raises(UnknownName, match="no pruning method 'slimmin'; there are: slimming"):
        create(MethodSpec(name="slimmin"))
