"""What every pruning method promises; a new one inherits all of it by being in `METHODS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from espalier.models.blocks import branches, leave_out
from espalier.models.config import ChannelConfig, ChannelMask
from espalier.models.network import Network, dense
from espalier.models.self_check import random_mask
from espalier.models.surgery import permute
from espalier.search import tasks
from espalier.search.blocks import allocate_blocks
from espalier.search.datasets import Data, DataPaths
from espalier.search.datasets.base import Images
from espalier.search.errors import SpecError, UnknownName
from espalier.search.methods import METHODS, create
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.recipe import Recipe
from espalier.search.results import Execution
from espalier.search.schedule import steps_per_epoch
from espalier.search.scores import top
from espalier.search.spec import Budget, JobSpec, MethodSpec
from espalier.search.tasks import Batch
from espalier.search.training import loop
from espalier.search.training.batches import plain_batches
from espalier.search.training.loop import train
from espalier.search.validate import validate
from espalier.search.weights import allocate_weights

names = pytest.mark.parametrize("name", METHODS)
CONFIG: ChannelConfig = dense("resnet20", 10, (1, 32, 32), {"width": 0.5})


RECIPE = Recipe(epochs=1, batch_size=128, lr=0.05, augment=())
TASK = tasks.create("classification", RECIPE)

Trained = tuple[PruningMethod[Any], Parent]


CHANNELS, BLOCKS, WEIGHTS = (
    [name for name, kind in METHODS.items() if kind.grain == grain] for grain in ("channel", "block", "weight")
)


@pytest.fixture(scope="module", params=CHANNELS)
def trained(request: pytest.FixtureRequest, digits: Data) -> Trained:
    """A method that ranks channels, and its parent trained the way the method asks."""
    return parent_of(request.param, digits)


@pytest.fixture(scope="module", params=BLOCKS)
def trained_blocks(request: pytest.FixtureRequest, digits: Data) -> Trained:
    """A method that ranks residual blocks, and its parent."""
    return parent_of(request.param, digits)


@pytest.fixture(scope="module", params=WEIGHTS)
def trained_weights(request: pytest.FixtureRequest, digits: Data) -> Trained:
    """A method that ranks single weights, and its parent."""
    return parent_of(request.param, digits)


def parent_of(name: str, data: Data) -> Trained:
    method, network = create(MethodSpec(name=name)), Network.of(CONFIG).fresh()
    method.prepare(network)
    steps = steps_per_epoch(RECIPE, len(data.train))
    kept = train(network.module, TASK, data, RECIPE, 0, method.regularizer(network, RECIPE, steps)).kept
    return method, Parent(network, TASK, lambda size: plain_batches(data, "train", size, Execution()), kept)


def test_what_is_scored_is_channels_or_blocks_or_weights() -> None:
    assert sorted([*CHANNELS, *BLOCKS, *WEIGHTS]) == sorted(METHODS)


def test_every_block_has_one_finite_score_that_repeats(trained_blocks: Trained) -> None:
    method, parent = trained_blocks
    before = {key: value.clone() for key, value in parent.network.module.state_dict().items()}
    scores, again = (method.score(parent) for _ in range(2))
    assert list(scores) == [branch.block for branch in branches(parent.network)]
    assert all(values.shape == (1,) and values.isfinite().all() for values in scores.values())
    assert scores == again
    assert all(torch.equal(before[key], value) for key, value in parent.network.module.state_dict().items())
    assert method.ranked(Network.of(CONFIG)) == ()
    mask = allocate_blocks(parent.network, scores, Budget(metric="macs", keep=0.5))
    assert leave_out(parent.network, mask).cost.macs <= 0.5 * parent.network.cost.macs


def test_every_weight_that_may_be_cut_has_one_finite_score(trained_weights: Trained) -> None:
    method, parent = trained_weights
    scores = method.score(parent)
    assert scores
    for name, values in scores.items():
        assert values.shape == parent.network.module.get_parameter(name).shape
        assert torch.isfinite(values).all()
    assert method.ranked(Network.of(CONFIG)) == ()
    allocate_weights(parent.network, scores, Budget(metric="params", keep=0.3)).check(parent.network.module)


def test_scoring_weights_leaves_the_network_alone_and_repeats(trained_weights: Trained) -> None:
    method, parent = trained_weights
    before = {key: value.clone() for key, value in parent.network.module.state_dict().items()}
    first, second = (method.score(parent) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(torch.equal(before[key], value) for key, value in parent.network.module.state_dict().items())


def test_weights_of_permuted_channels_have_permuted_scores(trained_weights: Trained) -> None:
    """Scores are permuted as the network is: as its own weights would be."""
    method, parent = trained_weights
    network = parent.network
    order = {g.name: torch.randperm(g.width, generator=torch.Generator().manual_seed(1)) for g in network.groups}
    moved = method.score(with_module(parent, permute(network.module, network.coupling, order)))
    holder = Network.of(CONFIG).fresh().module
    for name, values in method.score(parent).items():
        holder.get_parameter(name).data.copy_(values)
    expected = permute(holder, network.coupling, order)
    for name, values in moved.items():
        wanted = expected.get_parameter(name).detach().double()
        assert float((values - wanted).abs().max()) <= 1e-3 * float(wanted.abs().max())


def test_a_dead_weight_ranks_last(trained_weights: Trained) -> None:
    method, parent = trained_weights
    net = Network.of(CONFIG).fresh().module
    net.load_state_dict(parent.network.module.state_dict())
    name = next(iter(method.score(parent)))
    net.get_parameter(name).data.view(-1)[3] = 0
    assert int(method.score(with_module(parent, net))[name].argmin()) == 3


def test_other_examples_order_alike(trained: Trained, digits: Data) -> None:
    """Spearman's correlation of the scores on two halves of the data."""
    method, parent = trained
    halves = [Images(digits.train.x[part], digits.train.y[part]) for part in (slice(0, None, 2), slice(1, None, 2))]
    data = [replace(digits, train=half) for half in halves]
    found = [method.score(replace(parent, batches=examples_of(one))) for one in data]
    places = [torch.cat([one[g.name].argsort().argsort().double() for g in parent.network.groups]) for one in found]
    assert float(torch.corrcoef(torch.stack(places))[0, 1]) > 0.4


def examples_of(data: Data) -> Callable[[int], Iterator[Batch]]:
    return lambda size: plain_batches(data, "train", size, Execution())


@names
def test_what_its_regularizer_remembers_survives_a_kill(
    name: str, digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9)
    recipe, method = RECIPE.model_copy(update={"epochs": 2}), create(MethodSpec(name=name))
    few = replace(digits, train=Images(digits.train.x[:256], digits.train.y[:256]))

    def trained_to(epochs: int, checkpoint: Path | None) -> nn.Module:
        network = Network.of(CONFIG).fresh()
        method.prepare(network)
        steps = recipe.epochs * steps_per_epoch(recipe, len(few.train))
        regularizer = method.regularizer(network, recipe, steps)
        part = recipe.model_copy(update={"last_step": epochs * steps // recipe.epochs})
        train(network.module, TASK, few, part, 0, regularizer, checkpoint=checkpoint)
        return network.module

    whole = trained_to(2, None).state_dict()
    trained_to(1, tmp_path / "state")
    resumed = trained_to(2, tmp_path / "state").state_dict()
    assert all(torch.equal(value, resumed[key]) for key, value in whole.items())


def with_module(parent: Parent, net: nn.Module, order: Mapping[str, Tensor] | None = None) -> Parent:
    """The same parent with another network's values, its channels in another order."""
    network = Network(parent.network.config, parent.network.coupling, net)
    kept = {name: value[order[name]] if order else value for name, value in parent.kept.items()}
    return Parent(network, parent.task, parent.batches, kept)


def test_scores_are_one_finite_number_for_each_channel(trained: Trained) -> None:
    method, parent = trained
    scores = method.score(parent)
    assert {name: tuple(values.shape) for name, values in scores.items()} == {
        g.name: (g.width,) for g in parent.network.groups
    }
    assert all(torch.isfinite(values).all() for values in scores.values())


def test_the_groups_that_are_scored_are_those_said_before(trained: Trained) -> None:
    method, parent = trained
    ranked = method.ranked(Network.of(CONFIG))  # on the meta device
    assert {group.name for group in ranked} == set(method.score(parent))


def test_scoring_leaves_the_network_alone_and_repeats(trained: Trained) -> None:
    method, parent = trained
    net = parent.network.module
    before = {key: value.clone() for key, value in net.state_dict().items()}
    first, second = (method.score(parent) for _ in range(2))
    assert all(torch.equal(first[group], second[group]) for group in first)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


def test_permuted_channels_have_permuted_scores(trained: Trained) -> None:
    method, parent = trained
    order = {g.name: torch.randperm(g.width, generator=torch.Generator().manual_seed(1)) for g in parent.network.groups}
    plain = method.score(parent)
    moved = method.score(with_module(parent, permute(parent.network.module, parent.network.coupling, order), order))
    for group, scores in plain.items():  # in another order, sums of single precision round differently
        expected = scores[order[group]] if method.is_informed else scores
        assert float((moved[group] - expected).abs().max()) <= 5e-3 * float(scores.abs().max())


def test_a_dead_channel_ranks_last(trained: Trained) -> None:
    method, parent = trained
    group = parent.network.groups[1]
    state = {key: value.clone() for key, value in parent.network.module.state_dict().items()}
    for part in group.slices:
        state[part.tensor].narrow(part.dim, part.start + 3 * part.repeat, part.repeat).zero_()
    dead = Network.of(CONFIG).fresh().module
    dead.load_state_dict(state)
    scores = method.score(with_module(parent, dead))[group.name]
    assert int(scores.argmin()) == 3 if method.is_informed else torch.equal(scores, method.score(parent)[group.name])


def test_as_many_channels_are_selected_as_may_be(trained: Trained) -> None:
    method, parent = trained
    scores = method.score(parent)
    widths = random_mask(parent.network.groups, 0).widths
    assert method.select(parent, scores, widths).widths == widths


def test_repairing_what_was_not_cut_leaves_it(trained: Trained) -> None:
    method, parent = trained
    everything = ChannelMask({g.name: torch.ones(g.width, dtype=torch.bool) for g in parent.network.groups})
    cut = parent.network.prune(everything)
    method.repair(cut, parent, everything)
    x = torch.randn(2, *CONFIG.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(cut.module.eval()(x), parent.network.module.eval()(x), rtol=1e-3, atol=1e-4)


def test_a_repaired_network_still_computes(trained: Trained) -> None:
    method, parent = trained
    mask = random_mask(parent.network.groups, 0)
    cut = parent.network.prune(mask)
    before = {key: value.clone() for key, value in parent.network.module.state_dict().items()}
    method.repair(cut, parent, mask)
    with torch.no_grad():
        assert cut.module.eval()(torch.zeros(2, *CONFIG.shape)).isfinite().all()
    assert all(torch.equal(before[key], value) for key, value in parent.network.module.state_dict().items())


class Bare(PruningMethod[Any]):
    """A method that writes nothing but its scores."""

    def score(self, parent: Parent) -> dict[str, torch.Tensor]:
        return {group.name: torch.arange(float(group.width)) for group in parent.network.groups}


def test_a_method_need_write_no_more_than_its_scores() -> None:
    method, network = Bare(None), Network.of(CONFIG).fresh()
    parent = Parent(network, TASK, lambda _: iter(()))
    before = {key: value.clone() for key, value in network.module.state_dict().items()}
    method.prepare(network)
    assert method.ranked(network) == network.groups
    assert method.regularizer(network, RECIPE, 1) is None
    widths = random_mask(network.groups, 0).widths
    chosen, expected = (
        method.select(parent, method.score(parent), widths),
        top(network.groups, method.score(parent), widths),
    )
    assert all(torch.equal(chosen.kept[name], kept) for name, kept in expected.kept.items())
    assert all(torch.equal(before[key], value) for key, value in network.module.state_dict().items())


def test_a_method_that_asks_nothing_of_training_prunes_the_dense_network() -> None:
    assert {name for name, kind in METHODS.items() if kind.has_own_parent()} == {
        "block_selection",
        "slimming",
        "soft_filter",
        "structure_selection",
    }
    assert not Bare.has_own_parent()


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


NEEDS = {
    "slimming": "none of the 2 groups passes a batch norm",
    "batch_norm_scale": "none of the 2 groups passes a batch norm",
    "block_selection": "has no option that leaves blocks out",
    "magnitude": "has no convolution whose single weights could be cut",
}
"""What methods say of a network of linear layers alone; all others prune it."""


@names
def test_a_network_that_it_cannot_handle_is_refused_with_the_reason_before_anything_runs(
    name: str, tmp_path: Path
) -> None:
    spec = JobSpec.model_validate(
        {
            "target": {"arch": "lenet300", "dataset": "digits"},
            "methods": [{"name": name}],
            "budgets": [{"metric": "params", "keep": 0.5}],
            "baselines": [],
            "inits": ["scratch" if METHODS[name].finds_widths else "inherited"],
            "seeds": [0],
        }
    )
    paths = DataPaths(tmp_path, tmp_path)
    if name in NEEDS:
        with pytest.raises(SpecError, match=NEEDS[name]):
            validate(spec, paths)
    else:
        planned = validate(spec, paths).candidates
        assert any(one.method == name and one.arm.role == "automatic" for one in planned)
