"""One candidate from key to numbers, and what can be known of a job before it runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from espalier.models.config import ChannelConfig
from espalier.models.network import Network, build
from espalier.models.weight_mask import WeightMask
from espalier.models.weights import notes_of
from espalier.search import allocate, tasks
from espalier.search.candidates import Candidate
from espalier.search.datasets import Data, DataPaths, load
from espalier.search.datasets.base import Images
from espalier.search.errors import SpecError
from espalier.search.evaluate import dense_config, derive, evaluate, latency, spent_on
from espalier.search.exports import export
from espalier.search.methods import create
from espalier.search.methods.base import Parent
from espalier.search.methods.snip import Snip
from espalier.search.planners import create as create_planner
from espalier.search.results import Effort, Execution, Reported
from espalier.search.spec import JobSpec
from espalier.search.validate import validate
from tests.search.helpers import planned, question, written

SPEC = {
    "target": {"arch": "vgg11", "options": {"width": 0.1}, "dataset": "digits"},
    "budgets": [{"metric": "params", "keep": 0.3}],
    "baselines": ["uniform", "random"],
    "inits": ["scratch", "inherited"],
    "seeds": [0],
    "recipe": {"epochs": 2, "batch_size": 64},
}
LAST = Execution(channels_last=True)


def spec(**changes: object) -> JobSpec:
    return JobSpec.model_validate(SPEC | changes)


@pytest.fixture(scope="module")
def candidates(digits: Data) -> dict[str, Candidate]:
    return {c.label: c for c in planned(spec(), digits.fingerprint)}


@pytest.fixture(scope="module")
def parent(candidates: dict[str, Candidate], paths: DataPaths, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parent") / "parent.safetensors"
    path.write_bytes(evaluate(candidates["slimming parent seed 0"], {}, LAST, paths).artifacts["weights"])
    return path


@pytest.mark.parametrize(
    "label",
    [
        "dense seed 0",
        "slimming params=0.3 seed 0",
        "slimming inherited params=0.3 seed 0",
        "uniform params=0.3 seed 0",
        "random params=0.3 seed 0",
    ],
)
def test_a_result_says_what_was_trained(
    label: str, candidates: dict[str, Candidate], parent: Path, paths: DataPaths
) -> None:
    candidate = candidates[label]
    told: list[Reported] = []
    needs = needs_of(candidate, parent)
    evaluated = evaluate(candidate, needs, LAST, paths, report=told.append)
    result = evaluated.result
    assert result.key == candidate.key
    assert result.cost == Network.of(result.config).cost
    assert 0.05 < result.reported <= 1
    assert {"loss": result.curve[-1].metrics["loss"]} | result.holdout == result.curve[-1].metrics
    assert [one.point for one in told] == list(result.curve)
    assert [point.epoch for point in result.curve] == list(range(candidate.recipe.epochs))
    assert (result.ran.epochs, result.ran.steps) == (candidate.recipe.epochs, candidate.recipe.epochs * (1295 // 64))
    assert {(one.epochs, one.metric) for one in told} == {(candidate.recipe.epochs, "accuracy")}
    if candidate.budget:
        assert result.cost.params <= 0.3 * whole(paths).cost.params
    build(result.config).load_state_dict(safetensors.torch.load(evaluated.artifacts["weights"]))
    again = evaluate(candidate, needs, LAST, paths, keep_weights=False)
    assert (again.result.test, again.result.curve, again.artifacts) == (result.test, result.curve, {})


def needs_of(candidate: Candidate, parent: Path) -> dict[str, dict[str, Path]]:
    return {role: {"weights": parent} for role in candidate.needs}


def whole(paths: DataPaths) -> Network:
    return Network.of(dense_config(spec().target, load("digits", paths)))


def test_pruned_widths_are_the_parents_highest_scores(
    candidates: dict[str, Candidate], parent: Path, paths: DataPaths, digits: Data
) -> None:
    candidate = candidates["slimming params=0.3 seed 0"]
    network, task = whole(paths), tasks.create("classification", candidate.recipe)
    start, _ = derive(candidate, network, task, digits, needs_of(candidate, parent), paths.cache)
    scores = create(candidate.origin.method).score(Parent(network.with_weights(parent), task, lambda _: iter(())))  # type: ignore[attr-defined]
    order = allocate.by_scores(network.groups, scores, candidate.minimum_keep)
    widths = allocate.allocate(order, network.coupling, candidate.budget, candidate.minimum_keep)  # type: ignore[arg-type]
    assert start.network.config.widths == widths


def test_weights_carry_their_config(parent: Path) -> None:
    config = ChannelConfig.model_validate_json(notes_of(parent)["config"])
    build(config).load_state_dict(safetensors.torch.load_file(parent))


def test_what_leaves_reaches_the_accuracy_that_was_measured(
    candidates: dict[str, Candidate], parent: Path, paths: DataPaths, tmp_path: Path
) -> None:
    """From the Python file and the weights alone, on pixels as an image file has them."""
    evaluated = evaluate(candidates["slimming params=0.3 seed 0"], {"parent": {"weights": parent}}, LAST, paths)
    (tmp_path / "w").write_bytes(evaluated.artifacts["weights"])
    file: dict[str, Any] = {}
    exec(export("python", evaluated.result.config, tmp_path / "w").content, file)
    test = load("digits", paths).test
    pixels = torch.from_numpy(np.array(test.x)).float() / 255
    with torch.no_grad():
        found = file["build"](str(tmp_path / "w")).eval()(file["prepare"](pixels)).argmax(1)
    assert float((found == torch.from_numpy(test.y)).float().mean()) == pytest.approx(
        evaluated.result.reported, abs=0.01
    )
    assert file["CLASSES"] == [str(digit) for digit in range(10)]
    assert "trained on digits" in file["__doc__"]


def test_a_parent_is_needed_where_one_is_named(candidates: dict[str, Candidate], paths: DataPaths) -> None:
    with pytest.raises(ValueError, match=r"'slimming params=0\.3 seed 0' needs the weights of its parent"):
        evaluate(candidates["slimming params=0.3 seed 0"], {}, LAST, paths)


def test_other_images_than_planned_are_refused(candidates: dict[str, Candidate], paths: DataPaths) -> None:
    stale = candidates["dense seed 0"].model_copy(update={"data": "other"})
    with pytest.raises(SpecError, match="digits has other images than when the job was submitted"):
        evaluate(stale, {}, LAST, paths)


def test_networks_that_select_channels_are_searched_like_all_others(paths: DataPaths, tmp_path: Path) -> None:
    """Picks are the parent's highest scores where it is pruned, drawn where it is not, and survive training."""
    target = {"arch": "preresnet20", "options": {"width": 0.25}, "dataset": "digits"}
    wanted = spec(target=target, recipe={"epochs": 1, "batch_size": 128}, budgets=[{"metric": "macs", "keep": 0.5}])
    trained = {c.label: c for c in planned(wanted, load("digits", paths).fingerprint)}
    path = tmp_path / "parent"
    path.write_bytes(evaluate(trained["slimming parent seed 0"], {}, LAST, paths).artifacts["weights"])
    chosen = {}
    for label in ("slimming macs=0.5 seed 0", "slimming inherited macs=0.5 seed 0", "uniform macs=0.5 seed 0"):
        candidate = trained[label]
        evaluated = evaluate(candidate, needs_of(candidate, path), LAST, paths)
        state, config = safetensors.torch.load(evaluated.artifacts["weights"]), evaluated.result.config
        assert all(tuple(state[f"{name}.index"].tolist()) == picks for name, picks in config.picks.items())
        chosen[label] = config
    assert chosen["slimming macs=0.5 seed 0"] == chosen["slimming inherited macs=0.5 seed 0"]
    uniform = chosen["uniform macs=0.5 seed 0"].picks
    assert len(uniform) == 7
    read = {
        pick for name, picks in uniform.items() if name.startswith("blocks.5") or name == "select" for pick in picks
    }
    assert len(read) > max(map(len, uniform.values())), "all blocks would read the same channels of the stream"


def test_weights_say_how_images_are_prepared_and_how_good_they_are(parent: Path, digits: Data) -> None:
    notes = notes_of(parent)
    seen, measured = (json.loads(notes[name]) for name in ("preprocessing", "measured"))
    assert (seen["dataset"], seen["classes"], seen["mean"]) == ("digits", list(digits.classes), list(digits.mean))
    assert set(measured) == {"metric", "holdout", "test"}
    assert 0 < measured["test"]["accuracy"] <= 1


def test_a_stretched_training_says_so(digits: Data, paths: DataPaths) -> None:
    wanted = spec(recipe={"epochs": 1, "batch_size": 128, "match": "compute"}, baselines=["uniform"], methods=[])
    candidate = next(c for c in planned(wanted, digits.fingerprint) if c.origin.kind == "uniform")
    ran = evaluate(candidate, {}, LAST, paths, keep_weights=False).result.ran
    assert ran.epochs == 2
    assert ran.notes == ("trained for 2 epochs instead of 1, to spend what the dense network does",)


def test_a_ledger_has_the_training_and_all_that_came_before(
    candidates: dict[str, Candidate], parent: Path, paths: DataPaths
) -> None:
    images, network = 1295 // 64 * 64, whole(paths)
    (before,) = spent_on(parent).values()
    assert (before.epochs, before.images) == (2, 2 * images)
    assert before.macs == 2 * images * 3 * network.cost.macs
    one = evaluate(candidates["slimming params=0.3 seed 0"], {"parent": {"weights": parent}}, LAST, paths).result
    assert one.ledger is not None
    assert one.ledger.own.macs == 2 * images * 3 * one.cost.macs
    assert one.ledger.own.seconds == one.seconds
    assert one.ledger.pipeline.macs == one.ledger.own.macs + before.macs, "slimming reads no images to score"
    assert one.ledger.pipeline.epochs == 4


def test_scratch_may_be_given_what_the_whole_pipeline_takes(digits: Data, paths: DataPaths, tmp_path: Path) -> None:
    """One epoch of the parent and one of fine-tuning: the same for every network of a size."""
    options = {"name": "taylor", "options": {"batches": 4}}
    wanted = spec(methods=[options], match=["pipeline"], baselines=["uniform"], recipe={"epochs": 1, "batch_size": 64})
    asked = question(wanted, digits.fingerprint).model_copy(update={"plain": ("taylor",)})
    trained = {c.label: c for c in create_planner(asked).next({})}
    (tmp_path / "dense").write_bytes(evaluate(trained["dense seed 0"], {}, LAST, paths).artifacts["weights"])
    images, network = 1295 // 64 * 64, whole(paths)
    for label in ("taylor batches=4 pipeline params=0.3 seed 0", "uniform pipeline params=0.3 seed 0"):
        one = evaluate(trained[label], needs_of(trained[label], tmp_path / "dense"), LAST, paths).result
        macs, small = network.cost.macs, one.cost.macs
        assert one.ran.epochs == (macs + small) // small
        assert one.ledger is not None
        assert 0 <= 3 * images * (macs + small) - one.ledger.own.macs < 3 * images * small
        assert one.ran.notes[-1].endswith("to spend what a pruning pipeline does")
        assert len(one.curve) == one.ran.epochs


@pytest.mark.parametrize("label", ["magnitude", "magnitude inherited", "uniform_weights"])
def test_single_weights_that_are_cut_stay_zero_and_cost_nothing(
    label: str, digits: Data, paths: DataPaths, tmp_path: Path
) -> None:
    wanted = spec(methods=[{"name": "magnitude"}], baselines=["uniform_weights"], recipe={"epochs": 4})
    asked = question(wanted, digits.fingerprint).model_copy(update={"plain": ("magnitude",)})
    trained = {c.label: c for c in create_planner(asked).next({})}
    (tmp_path / "dense").write_bytes(evaluate(trained["dense seed 0"], {}, LAST, paths).artifacts["weights"])
    one = trained[f"{label} params=0.3 seed 0"]
    evaluated = evaluate(one, needs_of(one, tmp_path / "dense"), LAST, paths, keep_weights=True)
    result, network = evaluated.result, whole(paths)
    assert result.cost == network.cost
    assert result.sparsity is not None
    assert result.counted == result.sparsity.nonzero
    assert result.counted.params == int(0.3 * network.cost.params)
    (tmp_path / "mask").write_bytes(evaluated.artifacts["mask"])
    mask = WeightMask.read(tmp_path / "mask")
    assert mask.hash == result.config.mask
    weights = safetensors.torch.load(evaluated.artifacts["weights"])
    assert all(torch.equal(weights[name] != 0, kept) for name, kept in mask.kept.items())
    assert result.ledger is not None
    assert result.ledger.own.macs == 3 * result.counted.macs * result.ledger.own.images
    assert "mask" in evaluate(one, needs_of(one, tmp_path / "dense"), LAST, paths, keep_weights=False).artifacts


def test_a_second_pass_trains_what_the_first_left_and_is_in_the_ledger(
    digits: Data, paths: DataPaths, tmp_path: Path
) -> None:
    wanted = spec(methods=[{"name": "slimming", "options": {"passes": 2}}], baselines=[])
    trained = {c.label: c for c in planned(wanted, digits.fingerprint)}
    files: dict[str, Path] = {}
    for number in (1, 2):
        one = trained[f"slimming passes=2 parent pass {number} seed 0"]
        found = evaluate(one, {"parent": files} if files else {}, LAST, paths)
        files = written(found, tmp_path / str(number))
    assert found.result.sparsity is not None
    assert found.result.counted.params < 0.6 * found.result.cost.params
    pruned = evaluate(trained["slimming passes=2 params=0.3 seed 0"], {"parent": files}, LAST, paths).result
    assert pruned.cost.params <= 0.3 * whole(paths).cost.params
    assert pruned.ledger is not None
    assert pruned.ledger.pipeline.epochs == 6
    scales = safetensors.torch.load_file(files["weights"])
    mask = WeightMask.read(files["mask"])
    assert all(not scales[name][~kept].any() for name, kept in mask.kept.items()), "what was cut is zero"


def test_a_network_may_be_taught_by_the_dense_one(digits: Data, paths: DataPaths, tmp_path: Path) -> None:
    wanted = spec(methods=[], inits=["scratch", "distilled"], baselines=["uniform"])
    trained = {c.label: c for c in planned(wanted, digits.fingerprint)}
    (tmp_path / "dense").write_bytes(evaluate(trained["dense seed 0"], {}, LAST, paths).artifacts["weights"])
    alone = evaluate(trained["uniform params=0.3 seed 0"], {}, LAST, paths).result
    label = "uniform distilled params=0.3 seed 0"
    taught = evaluate(trained[label], {"teacher": {"weights": tmp_path / "dense"}}, LAST, paths).result
    assert taught.config == alone.config
    assert taught.curve != alone.curve
    assert taught.ledger is not None
    images = 1295 // 64 * 64
    assert taught.ledger.own.macs == 2 * images * (3 * taught.cost.macs + whole(paths).cost.macs)
    assert taught.ledger.pipeline.epochs == 4


def test_the_best_of_some_draws_has_their_training_in_its_ledger(paths: DataPaths, tmp_path: Path) -> None:
    asked = validate(spec(methods=[], inits=["scratch"], baselines=["random_best"]), paths).question
    planner, done = create_planner(asked), {}
    assert asked.draws_for(asked.spec.budgets[0]) > 1
    while new := [one for one in planner.next(done) if one.key not in done]:
        for one in new:
            files = {role: {"notes": tmp_path / key / "notes"} for role, key in one.needs.items()}
            found = evaluate(one, files, LAST, paths)
            written(found, tmp_path / one.key)
            done[one.key] = found.result
    best = done[one.key]
    draws = [result for key, result in done.items() if key in one.needs.values()]
    assert one.origin.kind == "random_best"
    assert best.config == max(draws, key=lambda result: result.chosen_by).config
    assert best.ledger is not None
    assert best.ledger.pipeline.epochs == 2 * (len(draws) + 1) == 2 * (asked.draws_for(asked.spec.budgets[0]) + 1)


@pytest.mark.parametrize("proxy", ["adaptive_bn", "short"])
def test_a_sampler_finds_networks_by_trials_that_leave_notes_alone(
    proxy: str, paths: DataPaths, tmp_path: Path
) -> None:
    sampler = {"name": "random", "trials": 3, "proxy": proxy}
    asked = validate(spec(methods=[], inits=["scratch"], baselines=["uniform"], sampler=sampler), paths).question
    planner, done, labels = create_planner(asked), {}, []
    while new := [
        one for one in planner.next({key: found.result for key, found in done.items()}) if one.key not in done
    ]:
        for one in new:
            files = {role: written(done[key], tmp_path / key) for role, key in one.needs.items()}
            done[one.key] = evaluate(one, files, LAST, paths)
            labels.append(one)
    trials = [(one, done[one.key]) for one in labels if one.origin.kind == "trial"]
    assert [*trials[0][1].artifacts] == ["notes"]
    for one, found in trials:
        assert found.result.config.widths == one.origin.widths
        assert found.result.ran.epochs == (0 if one.recipe.last_step == 0 else 1)
        ledger = found.result.ledger
        assert ledger is not None
        assert ledger.own.images == (0 if one.recipe.last_step == 0 else 1280)
        assert ledger.pipeline.images == (2 * 1280 + 1200 if one.recipe.last_step == 0 else 1280), "to recalibrate"
        if one.recipe.last_step == 0:
            parent = next(seen.result.ledger for own, seen in done.items() if own in one.needs.values())
            assert parent is not None
            assert ledger.pipeline.macs - parent.own.macs == 1200 * found.result.cost.macs, (
                "by the network that was cut"
            )
            assert ledger.pipeline.seconds > parent.own.seconds + ledger.own.seconds
    sampled = done[labels[-1].key].result
    assert labels[-1].origin.kind == "sampled"
    assert sampled.cost.params <= 0.3 * whole(paths).cost.params
    assert sampled.ledger is not None
    adaptive = sum(one.recipe.last_step == 0 for one, _ in trials)
    short = len(trials) - adaptive
    assert adaptive == (4 if proxy == "adaptive_bn" else 0), "three, and the uniform one"
    assert sampled.ledger.pipeline.images == 2 * 1280 + short * 1280 + (2 * 1280 + adaptive * 1200 if adaptive else 0)


def test_what_is_needed_twice_is_in_the_ledger_once(digits: Data, paths: DataPaths, tmp_path: Path) -> None:
    """The dense network is the parent and the teacher."""
    wanted = spec(methods=[{"name": "taylor", "options": {"batches": 1}}], inits=["distilled"], baselines=[])
    asked = question(wanted, digits.fingerprint).model_copy(update={"plain": ("taylor",)})
    trained = {c.label: c for c in create_planner(asked).next({})}
    (tmp_path / "dense").write_bytes(evaluate(trained["dense seed 0"], {}, LAST, paths).artifacts["weights"])
    one = trained["taylor batches=1 distilled params=0.3 seed 0"]
    assert one.needs["parent"] == one.needs["teacher"]
    found = evaluate(one, needs_of(one, tmp_path / "dense"), LAST, paths).result.ledger
    assert found is not None
    assert (found.own.epochs, found.pipeline.epochs) == (2, 4)


@pytest.mark.parametrize(
    ("method", "images", "passes"),
    [
        ({"name": "synflow", "options": {"rounds": 5}}, 5, 3),  # images of ones
        ({"name": "snip"}, 100, 3),
        ({"name": "feature_reconstruction", "options": {"images": 64}}, 192, 1),  # to score, select and repair
    ],
)
def test_what_scores_and_selection_take_is_in_the_ledger(
    method: dict[str, Any], images: int, passes: int, digits: Data, paths: DataPaths, tmp_path: Path
) -> None:
    wanted = spec(methods=[method], budgets=[{"by": "stage", "ratios": {"0": 0.5}}], baselines=[])
    plain, untrained = ("feature_reconstruction", "snip", "synflow"), ("snip", "synflow")
    asked = question(wanted, digits.fingerprint).model_copy(update={"plain": plain, "untrained": untrained})
    trained = {c.origin.kind: c for c in create_planner(asked).next({})}
    one, before = trained["pruned"], Effort()
    if one.needs:
        (tmp_path / "dense").write_bytes(evaluate(trained["dense"], {}, LAST, paths).artifacts["weights"])
        (before,) = spent_on(tmp_path / "dense").values()
    found = evaluate(one, needs_of(one, tmp_path / "dense"), LAST, paths).result.ledger
    assert found is not None
    assert found.pipeline.images - found.own.images - before.images == images
    assert found.pipeline.macs - found.own.macs - before.macs == images * passes * whole(paths).cost.macs


def test_a_run_that_was_killed_goes_on_where_it_was(
    candidates: dict[str, Candidate], paths: DataPaths, tmp_path: Path
) -> None:
    candidate, path = candidates["uniform params=0.3 seed 0"], tmp_path / "checkpoint"
    undisturbed = evaluate(candidate, {}, LAST, paths)

    def kill(told: Reported) -> None:
        if told.point.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(candidate, {}, LAST, paths, checkpoint=path, report=kill)
    resumed = evaluate(candidate, {}, LAST, paths, checkpoint=path)
    assert (resumed.result.curve, resumed.result.test) == (undisturbed.result.curve, undisturbed.result.test)


def test_scores_of_a_parent_are_shared_by_all_that_read_it(
    candidates: dict[str, Candidate], parent: Path, paths: DataPaths, digits: Data, tmp_path: Path
) -> None:
    apart = DataPaths(paths.datasets, tmp_path)
    task = tasks.create("classification", candidates["dense seed 0"].recipe)
    for label in ("slimming params=0.3 seed 0", "slimming inherited params=0.3 seed 0"):
        derive(candidates[label], whole(paths), task, digits, {"parent": {"weights": parent}}, apart.cache)
    assert len(list((tmp_path / "scores").glob("*.safetensors"))) == 1


def test_latency_is_measured_on_one_thread_in_evaluation() -> None:
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.BatchNorm1d(4))  # in training, one image would not do
    assert 0 < latency(net.train(), (1, 2, 2), Execution(), runs=2) < 1000


def test_methods_see_all_classes_of_data_that_lies_class_by_class(
    digits: Data, paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = np.argsort(digits.train.y, kind="stable")
    data = replace(digits, train=Images(digits.train.x[order], digits.train.y[order]))
    wanted = spec(methods=[{"name": "snip"}], baselines=[])
    asked = question(wanted, digits.fingerprint).model_copy(update={"untrained": ("snip",)})
    one = next(c for c in create_planner(asked).next({}) if c.origin.kind == "pruned")
    seen: list[Any] = []

    def score(_self: Any, parent: Parent) -> dict[str, torch.Tensor]:
        seen.extend(next(iter(parent.batches(100))).targets.tolist() for _ in range(2))
        return {}

    monkeypatch.setattr(Snip, "score", score)
    derive(one, whole(paths), tasks.create("classification", one.recipe), data, {}, paths.cache)
    assert len(set(seen[0])) == 10
    assert seen[0] == seen[1], "the same again"


def test_untuned_weights_are_the_parents_and_cost_nothing_more(digits: Data, paths: DataPaths, parent: Path) -> None:
    wanted = spec(inits=["untuned"], budgets=[{"metric": "params", "keep": 1.0}], baselines=[])
    one = next(c for c in planned(wanted, digits.fingerprint) if c.origin.kind == "pruned")
    found = evaluate(one, needs_of(one, parent), LAST, paths)
    before = json.loads(notes_of(parent)["measured"])
    assert found.result.test["accuracy"] == pytest.approx(before["test"]["accuracy"], abs=0.01)
    assert (found.result.ran.epochs, found.result.ran.steps) == (0, 0)
    assert [point.step for point in found.result.curve] == [0]
    assert found.result.ledger is not None
    assert (found.result.ledger.own.images, found.result.ledger.pipeline.epochs) == (0, 2)
