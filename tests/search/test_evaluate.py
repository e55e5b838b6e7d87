"""One candidate from key to numbers, and what can be known of a job before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from espalier.models.config import ChannelConfig, Cost
from espalier.models.cost import cost
from espalier.models.errors import ArchitectureError, ModelError, UnknownArchitecture
from espalier.models.network import Network, build, dense
from espalier.models.weights import notes_of
from espalier.search import allocate
from espalier.search.data import Data, Places, load
from espalier.search.derive import derive
from espalier.search.errors import SpecError
from espalier.search.evaluate import evaluate, examine, matched, prepare
from espalier.search.export import export
from espalier.search.methods import create
from espalier.search.plan import plan
from espalier.search.types import Candidate, Execution, JobSpec, Recipe

SPEC = {
    "target": {"arch": "vgg11", "options": {"width": 0.1}, "dataset": "digits"},
    "budgets": [{"metric": "params", "keep": 0.3}],
    "baselines": ["uniform", "random"],
    "inits": ["scratch", "inherited"],
    "seeds": [0],
    "recipe": {"epochs": 2, "batch_size": 64},
}
FAST = Execution(precision="bfloat16", channels_last=True)


def spec(**changes: object) -> JobSpec:
    return JobSpec.model_validate(SPEC | changes)


@pytest.fixture(scope="module")
def candidates(digits: Data) -> dict[str, Candidate]:
    return {c.label: c for c in plan(spec(), digits.fingerprint).candidates}


@pytest.fixture(scope="module")
def parent(candidates: dict[str, Candidate], places: Places, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parent") / "parent.safetensors"
    weights = evaluate(candidates["slimming parent seed 0"], None, FAST, places).weights
    assert weights is not None
    path.write_bytes(weights)
    return path


@pytest.mark.parametrize(
    "label",
    [
        "dense seed 0",
        "slimming params=0.3 seed 0",
        "slimming params=0.3 inherited seed 0",
        "uniform params=0.3 seed 0",
        "random params=0.3 seed 0",
    ],
)
def test_a_result_says_what_was_trained(
    label: str, candidates: dict[str, Candidate], parent: Path, places: Places
) -> None:
    candidate = candidates[label]
    epochs: list[int] = []
    evaluated = evaluate(
        candidate, parent if candidate.parent else None, FAST, places, report=lambda e: epochs.append(e.epoch)
    )
    result = evaluated.result
    assert result.key == candidate.key
    assert result.cost == cost(result.config)
    assert 0.05 < result.accuracy <= 1
    assert result.holdout == result.curve[-1].holdout
    assert epochs == [e.epoch for e in result.curve] == list(range(candidate.recipe.epochs))
    if candidate.budget:
        assert result.cost.params <= 0.3 * cost(plan_dense(places)).params
    assert evaluated.weights is not None
    build(result.config).load_state_dict(safetensors.torch.load(evaluated.weights))
    again = evaluate(candidate, parent if candidate.parent else None, FAST, places, keep_weights=False)
    assert (again.result.accuracy, again.result.curve, again.weights) == (result.accuracy, result.curve, None)


def plan_dense(places: Places) -> ChannelConfig:
    from espalier.search.derive import dense_config

    return dense_config(spec().target, load("digits", places))


def test_pruned_widths_are_the_parents_highest_scores(
    candidates: dict[str, Candidate], parent: Path, places: Places
) -> None:
    candidate = candidates["slimming params=0.3 seed 0"]
    start = derive(candidate, parent, load("digits", places))
    whole = plan_dense(places)
    net, coupling = build(whole), Network.of(whole).coupling
    net.load_state_dict(safetensors.torch.load_file(parent))
    scores = create(candidate.origin.method).score(net, coupling.groups)  # type: ignore[union-attr, arg-type]
    order = allocate.by_scores(coupling.groups, scores, candidate.floor)
    assert candidate.budget is not None
    assert start.config.widths == allocate.allocate(order, coupling, candidate.budget, candidate.floor)


def test_weights_carry_their_config(parent: Path) -> None:
    config = ChannelConfig.model_validate_json(notes_of(parent)["config"])
    build(config).load_state_dict(safetensors.torch.load_file(parent))


def test_what_leaves_reaches_the_accuracy_that_was_measured(
    candidates: dict[str, Candidate], parent: Path, places: Places, tmp_path: Path
) -> None:
    """From the Python file and the weights alone, on pixels as an image file has them."""
    evaluated = evaluate(candidates["slimming params=0.3 seed 0"], parent, FAST, places)
    assert evaluated.weights is not None
    (tmp_path / "w").write_bytes(evaluated.weights)
    file: dict[str, Any] = {}
    exec(export("python", evaluated.result.config, tmp_path / "w").content, file)
    test = load("digits", places).test
    pixels = torch.from_numpy(np.array(test.x)).float() / 255
    with torch.no_grad():
        found = file["build"](str(tmp_path / "w")).eval()(file["prepare"](pixels)).argmax(1)
    assert float((found == torch.from_numpy(test.y)).float().mean()) == pytest.approx(
        evaluated.result.accuracy, abs=0.01
    )
    assert file["CLASSES"] == [str(digit) for digit in range(10)]
    assert "trained on digits" in file["__doc__"]


def test_a_parent_is_needed_where_one_is_named(candidates: dict[str, Candidate], places: Places) -> None:
    with pytest.raises(ValueError, match="needs its parent's weights"):
        evaluate(candidates["slimming params=0.3 seed 0"], None, FAST, places)


def test_scratch_b_trains_longer_at_most_twice() -> None:
    recipe = Recipe(epochs=10, batch_size=1, lr=0.1, match="compute")
    lengths = [matched(recipe, Cost(0, 300), Cost(0, macs)).epochs for macs in (300, 200, 100, 1)]
    assert lengths == [10, 15, 20, 20]
    assert matched(recipe.model_copy(update={"match": "epochs"}), Cost(0, 300), Cost(0, 100)).epochs == 10


def test_examination_counts_what_would_run(places: Places) -> None:
    seen = examine(spec(), places)
    assert len(seen.candidates) == 6
    assert seen.epochs == 5 * 2 + 1  # the inherited one is fine-tuned for a quarter, at least one epoch
    assert seen.dense == cost(plan_dense(places))
    assert 0 < seen.macs < 3 * seen.epochs * 1293 * seen.dense.macs


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"target": {"arch": "vgg99", "dataset": "digits"}}, UnknownArchitecture, "there are: lenet300"),
        ({"target": {"arch": "vgg11", "dataset": "nowhere"}}, SpecError, "there are: digits"),
        (
            {"target": {"arch": "vgg11", "options": {"width": -1}, "dataset": "digits"}},
            ArchitectureError,
            "greater than 0",
        ),
        ({"target": {"arch": "torchvision/resnet18", "dataset": "digits"}}, ArchitectureError, "3 channels, got 1"),
        ({"target": {"arch": "lenet300", "dataset": "digits"}}, SpecError, "none of the 2 groups passes a batch norm"),
        (
            {"target": {"arch": "vgg11", "options": {"batch_norm": False}, "dataset": "digits"}},
            SpecError,
            "none of the 8 groups passes a batch norm",
        ),
        (
            {"target": {"arch": "resnet20", "options": {"blocks": [1, 1]}, "dataset": "digits"}},
            ArchitectureError,
            "options of 'resnet20': blocks",
        ),
        (
            {"target": {"arch": "preresnet20", "options": {"bare": [3]}, "dataset": "digits"}},
            ArchitectureError,
            "options of 'preresnet20': bare.0",
        ),
        ({"methods": [{"name": "magic"}]}, SpecError, "there are: slimming"),
        ({"methods": [{"name": "slimming", "options": {"strength": -1}}]}, SpecError, "strength"),
        ({"budgets": [{"metric": "params", "keep": 0.0001}]}, SpecError, "the network keeps"),
        ({"recipe": {"preset": "never"}}, SpecError, "there are: quick, paper"),
    ],
)
def test_what_cannot_work_is_found_before_it_runs(
    change: dict[str, object], error: type[Exception], words: str, places: Places
) -> None:
    with pytest.raises(error, match=words):
        examine(spec(**change), places)


def test_preparing_chooses_how_to_compute_and_remembers(places: Places) -> None:
    first = prepare(spec(), 1, places)
    assert first.threads == 1
    remembered = [
        path for path in (places.cache / "execution").glob("*.json") if path.read_text() == first.model_dump_json()
    ]
    assert remembered
    for path in remembered:
        path.write_text(first.model_copy(update={"threads": 7}).model_dump_json())
    assert prepare(spec(), 1, places).threads == 7, "a choice that was made is not measured again"
    for path in remembered:
        path.write_text("")  # cut short by a kill
    assert prepare(spec(), 1, places).threads == 1


def test_other_images_than_planned_are_refused(candidates: dict[str, Candidate], places: Places) -> None:
    stale = candidates["dense seed 0"].model_copy(update={"data": "other"})
    with pytest.raises(SpecError, match="digits has other images than when the job was submitted"):
        evaluate(stale, None, FAST, places)


def test_what_is_the_same_has_the_same_keys_and_the_same_architecture(places: Places) -> None:
    def keys(options: dict[str, Any], method: dict[str, Any]) -> list[str]:
        target = {"arch": "vgg11", "dataset": "digits", "options": options}
        spec = JobSpec.model_validate({"target": target, "methods": [{"name": "slimming", "options": method}]})
        return [candidate.key for candidate in examine(spec, places).candidates]

    assert keys({}, {}) == keys({"width": 1}, {"strength": 1}) == keys({"width": 1.0}, {"strength": 1.0})
    assert keys({}, {}) != keys({"width": 0.5}, {})
    assert dense("vgg11", options={"width": 1}).id == dense("vgg11").id


@pytest.mark.parametrize("width", ["1.0", True, None, [1]])
def test_an_option_of_the_wrong_type_is_refused(width: Any) -> None:
    with pytest.raises(ModelError, match="options of 'vgg11': width"):
        dense("vgg11", options={"width": width})


def test_networks_that_select_channels_are_searched_like_all_others(places: Places, tmp_path: Path) -> None:
    """Picks are the parent's highest scores where it is pruned, drawn where it is not, and survive training."""
    target = {"arch": "preresnet20", "options": {"width": 0.25}, "dataset": "digits"}
    wanted = spec(target=target, recipe={"epochs": 1, "batch_size": 128}, budgets=[{"metric": "macs", "keep": 0.5}])
    trained = {c.label: c for c in plan(wanted, load("digits", places).fingerprint).candidates}
    path, weights = tmp_path / "parent", evaluate(trained["slimming parent seed 0"], None, FAST, places).weights
    assert weights is not None
    path.write_bytes(weights)
    chosen = {}
    for label in ("slimming macs=0.5 seed 0", "slimming macs=0.5 inherited seed 0", "uniform macs=0.5 seed 0"):
        candidate = trained[label]
        evaluated = evaluate(candidate, path if candidate.parent else None, FAST, places)
        assert evaluated.weights is not None
        state, config = safetensors.torch.load(evaluated.weights), evaluated.result.config
        assert all(tuple(state[f"{name}.index"].tolist()) == picks for name, picks in config.picks.items())
        chosen[label] = config
    assert chosen["slimming macs=0.5 seed 0"] == chosen["slimming macs=0.5 inherited seed 0"]
    uniform = chosen["uniform macs=0.5 seed 0"].picks
    assert len(uniform) == 7
    read = {
        pick for name, picks in uniform.items() if name.startswith("blocks.5") or name == "select" for pick in picks
    }
    assert len(read) > max(map(len, uniform.values())), "all blocks would read the same channels of the stream"
