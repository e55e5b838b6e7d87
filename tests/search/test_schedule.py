"""Learning rates and lengths, worked out by hand."""

from __future__ import annotations

import pytest
import torch

from espalier.models.config import Cost
from espalier.search.recipe import Distillation, Recipe
from espalier.search.schedule import image_share, learning_rate, matched, steps_per_epoch, travel


def test_schedules() -> None:
    step = Recipe(epochs=1, batch_size=1, lr=1.0, schedule="step")
    assert [learning_rate(step, s, 8) for s in (0, 3, 4, 5, 6, 7)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    cycle = Recipe(epochs=1, batch_size=1, lr=1.0, schedule="one_cycle", warmup=0.25)
    rates = [learning_rate(cycle, s, 100) for s in range(100)]
    assert max(rates) == pytest.approx(1, abs=0.05)
    assert 20 <= rates.index(max(rates)) <= 26
    assert 0 < rates[-1] < 0.05
    assert all(0 < rate <= 1 for rate in rates)
    constant = Recipe(epochs=1, batch_size=1, lr=0.3, schedule="constant")
    assert {learning_rate(constant, s, 9) for s in range(9)} == {0.3}


def test_steps_are_full_batches() -> None:
    recipe = Recipe(epochs=1, batch_size=10, lr=0.1)
    assert [steps_per_epoch(recipe, n) for n in (5, 10, 19, 20)] == [1, 1, 1, 2]


@pytest.mark.parametrize("schedule", ["one_cycle", "step", "constant"])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_travel_is_how_far_sgd_gets(schedule: str, momentum: float) -> None:
    recipe = Recipe.model_validate(
        {"epochs": 1, "batch_size": 1, "lr": 0.1, "schedule": schedule, "momentum": momentum, "nesterov": False}
    )
    weight, steps = torch.zeros(1, requires_grad=True), 2000
    optimizer = torch.optim.SGD([weight], lr=1, momentum=momentum)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = learning_rate(recipe, step, steps)
        weight.grad = -torch.ones(1)
        optimizer.step()
    assert travel(recipe, steps) == pytest.approx(float(weight.detach()), rel=0.01)


def test_scratch_b_trains_longer_at_most_twice() -> None:
    recipe = Recipe(epochs=10, batch_size=1, lr=0.1, match="compute")
    lengths = [matched(recipe, Cost(0, 300), Cost(0, macs)).epochs for macs in (300, 200, 100, 1)]
    assert lengths == [10, 15, 20, 20]
    assert matched(recipe.model_copy(update={"match": "epochs"}), Cost(0, 300), Cost(0, 100)).epochs == 10


def test_scratch_b_ends_before_more_compute_than_the_dense_network_has() -> None:
    recipe = Recipe(epochs=7, batch_size=1, lr=0.1, match="compute")
    for macs in range(150, 300, 7):
        epochs = matched(recipe, Cost(0, 300), Cost(0, macs)).epochs
        assert epochs * macs <= 7 * 300 < (epochs + 1) * macs


def test_scratch_is_given_what_training_and_fine_tuning_take() -> None:
    """8 epochs of the dense network and 2 of one that costs a quarter: 8.5, which is 34 of that one."""
    recipe, whole, small = Recipe(epochs=8, batch_size=1, lr=0.1, match="pipeline"), Cost(0, 1000), Cost(0, 250)
    assert matched(recipe, whole, small).epochs == 34
    assert matched(recipe.model_copy(update={"parents": 3}), whole, small).epochs == 4 * 24 + 2
    assert matched(recipe, whole, Cost(0, 2000)).epochs == 8, "never shorter than the recipe"


def test_small_images_count_as_what_they_are() -> None:
    """Half of the epochs on images of 9/16: 25/32 on average, of the dense network and of the small one alike, but not
    of fine-tuning, which sees whole images."""
    recipe = Recipe(epochs=8, batch_size=1, lr=0.1, match="pipeline", small_first=0.5)
    assert image_share(recipe) == 25 / 32
    assert matched(recipe, Cost(0, 1000), Cost(0, 500)).epochs == int((8 * 25 / 32 + 2 / 2) * 2 / (25 / 32)) == 18


def test_a_pipeline_that_fine_tunes_longer_gives_scratch_more() -> None:
    recipe, whole, small = Recipe(epochs=8, batch_size=1, lr=0.1, match="pipeline"), Cost(0, 1000), Cost(0, 500)
    lengths = [matched(recipe.model_copy(update={"tuning": share}), whole, small).epochs for share in (0.25, 1.0)]
    assert lengths == [(8 + 2 // 2) * 2, (8 + 8 // 2) * 2]


@pytest.mark.parametrize(("match", "epochs"), [("compute", 12), ("pipeline", 13)])
def test_a_teachers_pass_is_paid_for(match: str, epochs: int) -> None:
    """A step of the dense network is 3, one of half of it with a teacher 1.5 + 1."""
    recipe = Recipe(epochs=10, batch_size=1, lr=0.1, match=match, distillation=Distillation())  # type: ignore[arg-type]
    assert matched(recipe, Cost(0, 1000), Cost(0, 500)).epochs == epochs


def test_steps_and_constants_may_rise_first() -> None:
    rising = Recipe(epochs=1, batch_size=1, lr=1.0, schedule="step", warmup_steps=4)
    assert [learning_rate(rising, s, 16) for s in (0, 1, 3, 4, 8)] == pytest.approx([0.25, 0.5, 1, 1, 0.1])
    constant = rising.model_copy(update={"schedule": "constant"})
    assert [learning_rate(constant, s, 16) for s in (0, 3, 15)] == pytest.approx([0.25, 1, 1])
