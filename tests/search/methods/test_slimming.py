"""Network slimming: the subgradient, its strength, and whom it cannot serve."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.models.network import Network, dense
from espalier.search import allocate
from espalier.search.errors import SpecError
from espalier.search.methods.base import Parent
from espalier.search.methods.channels import Across
from espalier.search.methods.slimming import FORCE, INITIAL_SCALE, PULL, Slimming, SlimmingOptions
from espalier.search.recipe import Recipe
from espalier.search.regularizer import Regularizer
from espalier.search.schedule import learning_rate
from espalier.search.spec import Budget
from tests.search.methods.helpers import TASK, parent_of


def own(net: nn.Module) -> Network:
    """A network that no config describes."""
    return parent_of(net).network


def chain() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


def parent(network: Network) -> Parent:
    return Parent(network, TASK, lambda _: iter(()))


@pytest.mark.parametrize("schedule", ["one_cycle", "step", "constant"])
@pytest.mark.parametrize(("epochs", "momentum"), [(1, 0.9), (7, 0.5)])
def test_strength_1_moves_a_free_scale_by_the_pull_whatever_the_schedule(
    schedule: str, epochs: int, momentum: float
) -> None:
    recipe = Recipe(epochs=epochs, batch_size=1, lr=0.1, momentum=momentum, schedule=schedule)  # type: ignore[arg-type]
    net, method, steps = chain(), Slimming(SlimmingOptions()), 500 * epochs
    method.prepare(own(net))
    penalty = method.regularizer(own(net), recipe, steps)
    gamma: torch.Tensor = net[1].weight  # type: ignore[assignment]
    assert torch.all(gamma == INITIAL_SCALE)
    with torch.no_grad():
        gamma.fill_(10)  # far from zero, so that the sign never turns
    optimizer = torch.optim.SGD([gamma], lr=1, momentum=momentum)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = learning_rate(recipe, step, steps)
        gamma.grad = torch.zeros_like(gamma)
        penalty.before_step(net)
        optimizer.step()
    assert float(gamma.detach().mean()) == pytest.approx(10 - PULL, rel=0.02)


@pytest.mark.parametrize(
    ("options", "weight"),
    [(SlimmingOptions(strength=2), 2 * PULL / (10 * 0.1)), (SlimmingOptions(penalty=1e-4), 1e-4)],
)
def test_the_penalty_is_the_subgradient_of_the_absolute_value(options: SlimmingOptions, weight: float) -> None:
    net, method = chain(), Slimming(options)
    recipe = Recipe(epochs=1, batch_size=1, lr=0.1, momentum=0, nesterov=False, schedule="constant")
    penalty = method.regularizer(own(net), recipe, steps=10)
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor([-1.0, 0.0, 2.0, 3.0]))  # type: ignore[union-attr, operator]
    net[1].weight.grad = torch.full((4,), 0.5)  # type: ignore[union-attr]
    penalty.before_step(net)
    expected = torch.tensor([0.5 - weight, 0.5, 0.5 + weight, 0.5 + weight])
    assert torch.allclose(net[1].weight.grad, expected)  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize(
    ("options", "across"),
    [({"strength": 2}, "mean"), ({"early_bird": 0.1}, "max"), ({"passes": 2}, "max")],
    ids=["at the end alone", "while it trains", "between passes"],
)
def test_its_parent_depends_on_how_it_ranks_where_it_ranks_before_the_end(
    options: dict[str, float], across: str
) -> None:
    asked = SlimmingOptions.model_validate(options | {"across": "max"})
    assert Slimming(asked).trained_as == asked.model_copy(update={"across": across})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (SlimmingOptions(), FORCE * 0.5),
        (SlimmingOptions(strength=2), 2 * FORCE * 0.5),
        (SlimmingOptions(penalty=1e-4), 1e-4),
    ],
)
def test_where_training_is_long_the_penalty_is_a_share_of_what_the_loss_pulls_with_at_first(
    options: SlimmingOptions, expected: float
) -> None:
    net, method = chain(), Slimming(options)
    recipe = Recipe(epochs=1, batch_size=1, lr=0.1, momentum=0.9, schedule="constant")
    gamma: nn.Parameter = net[1].weight  # type: ignore[assignment]

    def added(penalty: Regularizer, gradient: list[float]) -> float:
        gamma.grad = torch.tensor(gradient)
        penalty.before_step(net)
        return float((gamma.grad - torch.tensor(gradient)).mean())

    penalty = method.regularizer(own(net), recipe, steps=100_000)
    assert added(penalty, [-0.1, 0.5, -0.5, 0.9]) == pytest.approx(expected, rel=1e-3)
    assert added(penalty, [0.0, 0.0, 0.0, 0.0]) == pytest.approx(expected, rel=1e-4), "the first step decides"
    restored = method.regularizer(own(net), recipe, steps=100_000)
    restored.load_state_dict(penalty.state_dict())
    assert added(restored, [0.7, 0.7, 0.7, 0.7]) == pytest.approx(expected, rel=1e-3), "and a restart changes nothing"


def test_strength_and_penalty_are_not_both_given() -> None:
    with pytest.raises(ValueError, match="give one of them"):
        SlimmingOptions(strength=2, penalty=1e-4)


@pytest.mark.parametrize(("across", "expected"), [("mean", 4.5), ("max", 9), ("sum", 45), ("first", 0)])
def test_a_channel_scores_one_of_the_scales_it_passes(across: Across, expected: float) -> None:
    config = dense("resnet20", 10, (1, 32, 32), {"width": 0.25})
    network = Network.of(config).fresh()
    trunk, net = network.groups[0], network.module
    norms = [s.tensor for s in trunk.slices if "bn" in s.tensor and s.tensor.endswith("weight")]
    state = net.state_dict()
    for value, name in enumerate(norms):
        state[name][2] = -float(value)
    assert norms == ["bn1.weight", *(f"blocks.{block}.bn2.weight" for block in range(9))], "in the forward pass's order"
    score = Slimming(SlimmingOptions(across=across)).score(parent(network))[trunk.name]
    assert float(score[2]) == pytest.approx(expected)


def test_a_network_without_batch_norm_is_refused() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    with pytest.raises(SpecError, match="none of the 1 groups passes a batch norm"):
        Slimming(SlimmingOptions()).ranked(own(net))
    plain = dense("vgg11", options={"batch_norm": False})
    with pytest.raises(SpecError, match="none of the 8 groups passes a batch norm"):
        Slimming(SlimmingOptions()).ranked(Network.of(plain))


def test_groups_that_pass_no_batch_norm_are_not_ranked() -> None:
    """Squeezes have none; they are cut last."""
    config = dense("torchvision/mobilenet_v3_small", 10, (3, 32, 32))
    method, network = Slimming(SlimmingOptions()), Network.of(config).fresh()
    ranked = {group.name for group in method.ranked(Network.of(config))}
    squeezes = {group.name for group in Network.of(config).groups if group.name.endswith("fc1")}
    assert len(squeezes) == 9
    scores = method.score(parent(network))
    assert set(scores) == ranked == {group.name for group in Network.of(config).groups} - squeezes - {"classifier.0"}
    coupling, budget = Network.of(config).coupling, Budget(metric="params", keep=0.7)
    widths = allocate.allocate(allocate.by_scores(coupling.groups, scores, 0.1), coupling, budget, 0.1)
    assert all(widths[name] == coupling.widths[name] for name in squeezes)
    assert coupling.cost(widths).params <= 0.7 * coupling.cost(coupling.widths).params


def test_a_selection_is_scored_by_the_scale_of_what_it_selects() -> None:
    config = dense("preresnet20", 10, (3, 32, 32), {"width": 0.25})
    network = Network.of(config).fresh()
    net = network.module
    net.get_parameter("blocks.1.bn1.weight").data.copy_(torch.arange(16))
    net.get_buffer("blocks.1.select.index").copy_(torch.arange(16).flip(0))
    score = Slimming(SlimmingOptions()).score(parent(network))["blocks.1.select"]
    assert score.tolist() == list(range(15, -1, -1))
