"""What can be known of a job before it runs, and how its networks will be computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from espalier.models.architectures import ARCHITECTURES, Architecture
from espalier.models.config import ChannelConfig
from espalier.models.document import NoOptions
from espalier.models.errors import ArchitectureError, ModelError, SurgeryError, UnknownArchitecture
from espalier.models.network import Network, dense, forget_traced
from espalier.search.datasets import DataPaths, load
from espalier.search.errors import SpecError
from espalier.search.evaluate import dense_config
from espalier.search.machine import forget_peak, peak_memory
from espalier.search.recipe import RecipeSpec
from espalier.search.spec import JobSpec
from espalier.search.validate import prepare, validate
from tests.search.helpers import write_images

SPEC: dict[str, Any] = {
    "target": {"arch": "vgg11", "options": {"width": 0.1}, "dataset": "digits"},
    "budgets": [{"metric": "params", "keep": 0.3}],
    "baselines": ["uniform", "random"],
    "inits": ["scratch", "inherited"],
    "seeds": [0],
    "recipe": {"epochs": 2, "batch_size": 64},
}


def spec(**changes: object) -> JobSpec:
    return JobSpec.model_validate(SPEC | changes)


def test_an_estimate_counts_what_would_run(paths: DataPaths) -> None:
    seen = validate(spec(), paths)
    assert len(seen.candidates) == 6
    assert seen.epochs == 5 * 2 + 1  # the inherited one is fine-tuned for a quarter, at least one epoch
    assert seen.dense == Network.of(dense_config(spec().target, load("digits", paths))).cost
    assert 0 < seen.macs < 3 * seen.epochs * 1295 * seen.dense.macs


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
        ({"baselines": ["lucky"]}, SpecError, "no baseline 'lucky'; there are: uniform, random"),
        ({"baselines": ["dense"]}, SpecError, "no baseline 'dense'; there are: uniform, random"),
        ({"planner": {"name": "oracle"}}, SpecError, "no planner 'oracle'; there are: fixed"),
        ({"planner": {"name": "fixed", "options": {"x": 1}}}, SpecError, "options of 'fixed': x"),
        (
            {"target": {"arch": "vgg11", "dataset": "digits", "task": "dreaming"}},
            SpecError,
            "no task 'dreaming'; there are: classification",
        ),
        ({"budgets": [{"by": "stage", "ratios": {"9": 0.5}}]}, SpecError, "no stage '9'; there are: 0, 1"),
        ({"budgets": [{"by": "group", "ratios": {"x": 0.5}}]}, SpecError, "no group 'x'; there are: features.0"),
        ({"recipe": {"momentum": 0}}, SpecError, "nesterov needs a momentum above 0"),
    ],
)
def test_what_cannot_work_is_found_before_it_runs(
    change: dict[str, object], error: type[Exception], words: str, paths: DataPaths
) -> None:
    with pytest.raises(error, match=words):
        validate(spec(**change), paths)


def test_methods_that_differ_in_how_they_rank_alone_share_their_parents(paths: DataPaths) -> None:
    methods = [{"name": "slimming", "options": options} for options in ({}, {"across": "max"}, {"strength": 2})]
    seen = validate(spec(methods=methods), paths)
    kinds = [one.origin.name for one in seen.candidates if one.arm.role == "parent" and one.seed == 0]
    assert sorted(kinds) == ["slimming parent", "slimming strength=2 parent"]
    cut = {
        one.arm.name: one.needs["parent"] for one in seen.candidates if one.arm.role == "automatic" and one.seed == 0
    }
    assert cut["slimming"] == cut["slimming across=max"] != cut["slimming strength=2"]


def test_controls_are_planned_with_their_methods(paths: DataPaths) -> None:
    methods = [{"name": "slimming"}, {"name": "l1_norm"}]
    seen = validate(spec(methods=methods, baselines=[], controls=["reverse", "no_penalty"]), paths)
    assert (seen.question.plain, seen.question.given) == (("l1_norm",), ("l1_norm",))
    assert sorted(one.label.removesuffix(" seed 0") for one in seen.candidates) == [
        "dense", "l1_norm inherited params=0.3", "l1_norm params=0.3", "l1_norm reverse inherited params=0.3",
        "slimming inherited params=0.3", "slimming no_penalty inherited params=0.3", "slimming no_penalty params=0.3",
        "slimming params=0.3", "slimming parent", "slimming reverse inherited params=0.3",
        "slimming reverse params=0.3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "idle"),
    [
        ({"controls": ["shuffled"], "inits": ["scratch"]}, "controls shuffled would"),
        ({"controls": ["reverse", "no_penalty"], "methods": [{"name": "l1_norm"}]}, "controls no_penalty would"),
        ({"controls": ["reverse"], "methods": []}, "controls reverse would"),
    ],
)
def test_a_control_that_would_change_nothing_is_refused(changes: Any, idle: str, paths: DataPaths) -> None:
    with pytest.raises(SpecError, match=idle):
        validate(spec(**changes), paths)


def test_what_seeds_may_be_added_is_estimated(paths: DataPaths) -> None:
    fixed, adaptive = (validate(spec(seeds=seeds), paths) for seeds in ([0, 1, 2], {"from": 3, "most": 6}))
    assert fixed.most == len(fixed.candidates) == len(adaptive.candidates)
    assert adaptive.most == 2 * fixed.most


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"transfer_to": [{"arch": "vgg99", "dataset": "digits"}]}, "transfer_to vgg99 on digits: no architecture"),
        ({"transfer_to": [{"arch": "vgg13", "dataset": "nowhere"}]}, "transfer_to vgg13 on nowhere: no data set"),
        (
            {"transfer_to": [{"arch": "vgg13", "dataset": "digits", "methods": [{"name": "no"}]}]},
            "transfer_to vgg13 on digits: no pruning method 'no'",
        ),
        (
            {"transfer_to": [{"arch": "vgg13", "dataset": "digits"}], "methods": []},
            "find the widths, or the single weights of 3x3 kernels, of 0 networks",
        ),
        (
            {"transfer_to": [{"arch": "vgg13", "dataset": "digits"}], "methods": [{"name": "l1_norm"}]},
            "find the widths, or the single weights of 3x3 kernels, of 0 networks",
        ),
        (
            {
                "transfer_to": [{"arch": "vgg13", "dataset": "digits", "options": {"width": 0.1}}],
                "methods": [{"name": "magnitude"}],
                "baselines": ["uniform_weights"],
                "budgets": [{"metric": "params", "keep": 0.3}, {"metric": "params", "keep": 1e-4}],
            },
            "no mask keeps 0.0001 of the params",
        ),
        (
            {
                "transfer_to": [{"arch": "vgg13", "dataset": "digits", "options": {"width": 0.1}}],
                "methods": [{"name": "magnitude", "options": {"layers": "linear"}}],
                "budgets": [{"metric": "params", "keep": 0.99}],
                "baselines": ["uniform_weights"],
            },
            "single weights of 3x3 kernels, of 0 networks",
        ),
        (
            {
                "transfer_to": [{"arch": "vgg13", "dataset": "digits"}],
                "budgets": [{"metric": "params", "keep": 0.3 + i / 1000} for i in range(33)],
                "methods": [{"name": "slimming"}, {"name": "taylor"}],
            },
            "find the widths, or the single weights of 3x3 kernels, of 66 networks .* from 1 to 64",
        ),
    ],
)
def test_what_cannot_be_carried_is_found_before_the_job_runs(changes: Any, words: str, paths: DataPaths) -> None:
    with pytest.raises(SpecError, match=words):
        validate(spec(**changes), paths)


def test_what_is_found_of_single_weights_can_be_carried(paths: DataPaths) -> None:
    there = {"arch": "vgg13", "options": {"width": 0.1}, "dataset": "digits"}
    asked = {"transfer_to": [there], "methods": [{"name": "magnitude"}], "baselines": ["uniform_weights"]}
    assert validate(spec(**asked), paths).candidates


def test_a_guide_of_single_weights_is_held_against_its_own_budget_alone(paths: DataPaths) -> None:
    budgets = [{"metric": "params", "keep": 0.3}, {"metric": "channels", "keep": 0.5}]
    guide = {"name": "g", "kernels": [[[0.5, 0.5, 0.5]] * 3], "budget": budgets[0]}
    assert validate(spec(budgets=budgets, guides=[guide], baselines=["uniform"]), paths).candidates
    with pytest.raises(SpecError, match="single weights meet budgets of params or macs, and not channels"):
        validate(spec(budgets=budgets, guides=[guide | {"budget": None}], baselines=["uniform"]), paths)


def test_guides_that_only_a_service_can_look_up_are_named(paths: DataPaths) -> None:
    with pytest.raises(SpecError, match=r"name jobs or patterns \(a, b\), which only a service can look up"):
        validate(spec(guides=[{"job": "a"}, {"pattern": "b"}]), paths)


def test_where_it_is_carried_to_costs_the_job_itself_nothing(paths: DataPaths) -> None:
    there = {"arch": "vgg13", "options": {"width": 0.1}, "dataset": "digits"}
    carried, alone = (validate(spec(**more), paths) for more in ({"transfer_to": [there]}, {}))
    assert carried.candidates == alone.candidates


def test_a_sampler_that_this_network_cannot_be_searched_by_is_refused(paths: DataPaths) -> None:
    bare = {"arch": "lenet300", "options": {"width": 0.1}, "dataset": "digits"}
    for target, words in ((bare, "this network has none: use short"), (SPEC["target"], "")):
        asked = spec(target=target, methods=[], sampler={"trials": 4, "proxy": "adaptive_bn"}, inits=["scratch"])
        if words:
            with pytest.raises(SpecError, match=words):
                validate(asked, paths)
        else:
            seen = validate(asked, paths)
            assert seen.most > len(seen.candidates) + 4
    with pytest.raises(SpecError, match=r"it may ask for .* and a job may have 5,000"):
        validate(spec(methods=[], inits=["scratch"], sampler={"trials": 200}, seeds=list(range(30))), paths)


def test_as_many_random_widths_are_drawn_as_cost_what_a_parent_does(paths: DataPaths) -> None:
    budgets = [{"metric": "macs", "keep": keep} for keep in (0.5, 0.25)]
    asked: dict[str, Any] = {"baselines": ["random_best"], "budgets": budgets, "inits": ["scratch"]}
    twice = {"name": "slimming", "options": {"passes": 2}}
    for methods, draws in (([{"name": "slimming"}], (2, 4)), ([{"name": "slimming"}, twice], (4, 8))):
        seen = validate(spec(methods=methods, **asked), paths)
        assert tuple(map(seen.question.draws_for, seen.question.spec.budgets)) == draws
        drawn = [one for one in seen.candidates if one.origin.kind == "random_draw"]
        assert len(drawn) == sum(draws)
        assert seen.most == len(seen.candidates) + 2, "the best of each is asked for once its draws are done"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipe": {"epochs": 2000}, "fine_tuning": {"epochs": 10.0}}, "epochs: .* 10000, got 20000"),
        ({"recipe": {"lr": 20.0}, "fine_tuning": {"lr": 10.0}}, "lr: .* 100, got 200"),
        (
            {"recipe": {"epochs": 3000}, "inits": ["scratch", "inherited"], "match": ["pipeline"]},
            "epochs: .* 10000, got",
        ),
    ],
)
def test_a_recipe_that_grows_out_of_its_limits_is_refused(changes: Any, words: str, paths: DataPaths) -> None:
    asked = {"inits": ["inherited"], "budgets": [{"metric": "macs", "keep": 0.1}], **changes}
    with pytest.raises(SpecError, match=f"would be out of its limits: {words}"):
        validate(spec(**asked), paths)


def test_preparing_chooses_how_to_compute_and_remembers(paths: DataPaths) -> None:
    first = prepare(spec(), None, 1, 1, paths)
    assert first.threads == 1
    remembered = [
        path for path in (paths.cache / "execution").glob("*.json") if path.read_text() == first.model_dump_json()
    ]
    assert remembered
    for path in remembered:
        path.write_text(first.model_copy(update={"threads": 7}).model_dump_json())
    assert prepare(spec(), None, 1, 1, paths).threads == 7, "a choice that was made is not measured again"
    for path in remembered:
        path.write_text("")  # cut short by a kill
    assert prepare(spec(), None, 1, 1, paths).threads == 1


def test_what_is_the_same_has_the_same_keys_and_the_same_architecture(paths: DataPaths) -> None:
    def keys(options: dict[str, Any], method: dict[str, Any]) -> list[str]:
        target = {"arch": "vgg11", "dataset": "digits", "options": options}
        spec = JobSpec.model_validate({"target": target, "methods": [{"name": "slimming", "options": method}]})
        return [candidate.key for candidate in validate(spec, paths).candidates]

    assert keys({}, {}) == keys({"width": 1}, {"strength": 1}) == keys({"width": 1.0}, {"strength": 1.0})
    assert keys({}, {}) != keys({"width": 0.5}, {})
    assert dense("vgg11", options={"width": 1}).id == dense("vgg11").id


@pytest.mark.parametrize("width", ["1.0", True, None, [1]])
def test_an_option_of_the_wrong_type_is_refused(width: Any) -> None:
    with pytest.raises(ModelError, match="options of 'vgg11': width"):
        dense("vgg11", options={"width": width})


def test_widths_given_beforehand_can_be_asked_for(paths: DataPaths) -> None:
    ratios = {"by": "stage", "ratios": {"0": 0.5}}
    seen = validate(spec(budgets=[ratios, {"metric": "params", "keep": 0.3}]), paths)
    assert [c.label for c in seen.candidates if c.origin.kind == "uniform"] == [
        "uniform ratios 33fe85 seed 0",
        "uniform params=0.3 seed 0",
    ]
    assert 0 < seen.macs < 3 * seen.epochs * 1295 * seen.dense.macs


def test_one_method_with_two_options_is_two_arms(paths: DataPaths) -> None:
    seen = validate(spec(methods=[{"name": "slimming"}, {"name": "slimming", "options": {"strength": 2}}]), paths)
    assert {c.arm.name for c in seen.candidates if c.arm.role == "automatic"} == {
        "slimming", "slimming inherited", "slimming strength=2", "slimming strength=2 inherited",
    }  # fmt: skip


def test_two_entries_that_mean_the_same_are_the_same_thing_twice(paths: DataPaths) -> None:
    with pytest.raises(SpecError, match="methods names the same thing twice"):
        validate(spec(methods=[{"name": "slimming"}, {"name": "slimming", "options": {"strength": 1.0}}]), paths)


def test_the_question_is_the_spec_as_it_is_meant(paths: DataPaths) -> None:
    target = {"arch": "vgg11", "options": {"width": 1}, "dataset": "digits"}
    seen = validate(spec(target=target, methods=[{"name": "slimming", "options": {"strength": 1}}]), paths)
    assert seen.question.spec.target.options == {}
    assert seen.question.spec.methods[0].options == {}
    assert seen.question.recipe.epochs == 2
    assert seen.question.data == load("digits", paths).fingerprint
    assert all((c.target, c.data) == (seen.question.spec.target, seen.question.data) for c in seen.candidates)


def test_a_job_of_the_dense_network_alone_needs_nothing_that_can_be_pruned(paths: DataPaths) -> None:
    alone: dict[str, Any] = {"methods": [], "baselines": [], "budgets": []}
    seen = validate(spec(**alone), paths)
    assert [c.label for c in seen.candidates] == ["dense seed 0"]
    assert seen.macs == 3 * 2 * 1295 * seen.dense.macs


def test_a_batch_that_no_batch_norm_can_take_is_found(tmp_path: Path) -> None:
    """Of 16 pixels, VGG's last layers have one number left for each channel."""
    for part in ("train", "test"):
        write_images(tmp_path / "tiny", part, size=16)
    asked = spec(target={"arch": "vgg11", "options": {"width": 0.1}, "dataset": {"folder": "tiny"}})
    paths = DataPaths(tmp_path, tmp_path / "cache")
    validate(asked, paths)
    with pytest.raises(
        SpecError, match=r"a batch of 1 images cannot be trained on: .*; use a larger batch_size or data"
    ):
        validate(asked.model_copy(update={"recipe": RecipeSpec(batch_size=1)}), paths)


def test_what_is_too_large_to_be_looked_at_is_refused_before_memory_is_taken(paths: DataPaths) -> None:
    """By its parameters, which tracing knows."""
    huge = spec(target={"arch": "vgg19", "options": {"width": 8}, "dataset": "digits"})
    forget_peak()
    before = peak_memory()
    with pytest.raises(
        SpecError, match=r"vgg19 would have 1,28\d,\d{3},\d{3} parameters .* the 8\.0 GiB that a request"
    ):
        validate(huge, paths, 8 * 2**30)
    assert peak_memory() - before < 2**30
    assert validate(spec(), paths, 8 * 2**30).candidates


class Squeezing(nn.Module):
    """Drops every dimension of one element, that of the images among them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.pool = nn.Conv2d(1, 10, 3), nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        squeezed: Tensor = self.pool(self.conv(x)).squeeze()
        return squeezed


class Pair(Squeezing):
    """Compares neighbours."""

    def forward(self, x: Tensor) -> Tensor:
        compared: Tensor = self.pool(self.conv(x)).flatten(1) - x[1].mean()
        return compared


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Squeezing, r"gives \(10,\) for one image instead of \(1, 10\): .* as squeeze\(\) does"),
        (Pair, "does not take one image alone: "),
    ],
)
def test_a_network_that_breaks_on_one_image_is_refused_before_hours_of_training(
    make: Any, words: str, paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Architecture("breaking", "", lambda *_: make(), NoOptions, 10, (1, 32, 32))
    monkeypatch.setitem(ARCHITECTURES, "breaking", entry)
    forget_traced()
    with pytest.raises(SpecError, match=words):
        validate(spec(target={"arch": "breaking", "dataset": "digits"}), paths)


def test_a_network_without_norms_has_a_recipe_that_suits_it(paths: DataPaths) -> None:
    """Sgd at the rate of the others diverges in its first epoch."""
    least = {"target": {"arch": "lenet5", "dataset": "digits"}, "methods": [{"name": "l1_norm"}], "seeds": [0]}
    recipe = validate(JobSpec.model_validate(least), paths).question.recipe
    assert (recipe.optimizer, recipe.lr) == ("adam", 1e-3)
    own = JobSpec.model_validate({**least, "recipe": {"optimizer": "sgd", "lr": 0.01}})
    assert validate(own, paths).question.recipe.lr == 0.01
    norms = {**least, "target": {"arch": "vgg11", "dataset": "digits"}}
    assert validate(JobSpec.model_validate(norms), paths).question.recipe.optimizer == "sgd"


LENET: dict[str, Any] = {"target": {"arch": "lenet300", "dataset": "digits"}, "seeds": [0]}
DENSENET = {"arch": "densenet40", "options": {"growth": 2}, "dataset": "digits"}
BLOCKS: dict[str, Any] = {
    "target": {"arch": "resnet20", "options": {"width": 0.5}, "dataset": "digits"},
    "methods": [{"name": "block_selection"}],
    "baselines": [],
    "budgets": [{"metric": "macs", "keep": 0.5}],
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tickets": {"layers": "conv"}}, "lenet300 has no convolution whose single weights could be cut"),
        ({"tickets": {"layers": "linear", "rewind_steps": 10**6}}, "set back to step 1,000,000, and training has 480"),
        ({"tickets": {"scope": "global"}, "target": {"arch": "vgg11", "dataset": "digits"}}, ""),
        ({"methods": [{"name": "magnitude"}]}, "lenet300 has no convolution"),
        ({"methods": [{"name": "magnitude", "options": {"layers": "few"}}]}, "options of 'magnitude': layers"),
        (
            {"methods": [{"name": "magnitude", "options": {"layers": "all"}}], "baselines": [],
             "budgets": [{"metric": "channels", "keep": 0.5}]},
            "single weights meet budgets of params or macs",
        ),
        (
            {"methods": [{"name": "magnitude", "options": {"layers": "all"}}], "baselines": ["uniform_weights"],
             "budgets": [{"metric": "params", "keep": 0.001}]},
            "no mask keeps 0.001 of the params: what is not cut takes",
        ),
        ({"methods": [{"name": "snip"}], "inits": ["inherited"]}, "snip: the parent is not trained, so there are no"),
        (
            {"methods": [{"name": "slimming"}], "recipe": {"optimizer": "adam"},
             "target": {"arch": "vgg11", "dataset": "digits"}},
            "adam divides it by its own size: use sgd",
        ),
        ({"methods": [{"name": "structure_selection"}], "recipe": {"optimizer": "adam"}}, "use sgd"),
        (
            {"methods": [{"name": "structure_selection"}],
             "target": {"arch": "densenet40", "options": {"growth": 2}, "dataset": "digits"}},
            "only selects from a stream that stays",
        ),
        *(
            ({"methods": [{"name": name}], "budgets": [{"metric": "macs", "keep": 0.5}], "target": DENSENET}, words)
            for name, words in {
                **dict.fromkeys(("slimming", "batch_norm_scale", "random_scores"), ""),
                **dict.fromkeys(("snip", "synflow", "taylor", "l1_norm", "soft_filter", "geometric_median"), "to rank any"),
            }.items()
        ),
        (
            {"methods": [{"name": "structure_selection"}], "controls": ["no_penalty"], "target": BLOCKS["target"]},
            "no_penalty would change nothing here",
        ),
        ({**BLOCKS, "controls": ["no_penalty"]}, "no_penalty would change nothing here"),
        ({**BLOCKS, "controls": ["shuffled"]}, "shuffled would change nothing here"),
        ({**BLOCKS, "controls": ["shuffled_across", "reverse"]}, ""),
        (
            {"methods": [{"name": "magnitude", "options": {"layers": "all"}}], "controls": ["shuffled"], "baselines": []},
            "",
        ),
        (
            {"methods": [{"name": "l1_norm"}, {"name": "snip"}], "inits": ["scratch", "inherited"],
             "budgets": [{"by": "stage", "ratios": {"0": 0.5}}], "target": BLOCKS["target"]},
            "snip would train nothing that is not trained anyway",
        ),
        (
            {"methods": [{"name": "slimming", "options": {"early_bird": 0.1}}], "recipe": {"epochs": 5},
             "target": {"arch": "vgg11", "dataset": "digits"}},
            "looks at the masks of 5 epochs, and training has no more than 5",
        ),
        (BLOCKS, ""),
        ({**BLOCKS, "target": {"arch": "vgg11", "dataset": "digits"}}, "vgg11 has no option that leaves blocks out"),
        ({**BLOCKS, "budgets": [{"metric": "macs", "keep": 0.001}]}, r"no choice of blocks keeps 0\.001 of the macs"),
        ({**BLOCKS, "budgets": [{"metric": "channels", "keep": 0.5}]}, "whole blocks meet budgets of params or macs"),
        ({**BLOCKS, "recipe": {"optimizer": "adam"}}, "use sgd"),
    ],
)  # fmt: skip
def test_what_tickets_and_methods_cannot_do_is_refused_before(
    changes: dict[str, Any], words: str, paths: DataPaths
) -> None:
    spec = JobSpec.model_validate({**LENET, **changes})
    if not words:
        assert validate(spec, paths).candidates
        return
    with pytest.raises(SpecError, match=words):
        validate(spec, paths)


def test_a_budget_of_blocks_may_lie_below_what_channels_allow(paths: DataPaths) -> None:
    """Stages of fewer branches have narrower streams, too."""
    low = {**BLOCKS, "minimum_keep": 1.0, "budgets": [{"metric": "macs", "keep": 0.3}]}
    assert validate(JobSpec.model_validate({**LENET, **low}), paths).candidates
    with pytest.raises(SpecError, match=r"no widths keep 0\.3 of the macs"):
        validate(JobSpec.model_validate({**LENET, **low, "baselines": ["uniform"]}), paths)


def test_a_budget_of_single_weights_may_lie_below_what_channels_allow(paths: DataPaths) -> None:
    weights = {"methods": [{"name": "magnitude", "options": {"layers": "all"}}], "baselines": ["uniform_weights"]}
    budget = {"budgets": [{"metric": "params", "keep": 0.01}]}
    assert validate(JobSpec.model_validate({**LENET, **weights, **budget}), paths).candidates
    with pytest.raises(SpecError, match=r"no widths keep 0\.01 of the params"):
        validate(JobSpec.model_validate({**LENET, **weights, **budget, "baselines": ["uniform"]}), paths)


def test_what_was_tried_of_a_network_and_went_well_is_not_tried_again(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def tries(config: ChannelConfig) -> None:
        tried.append(config.id)
        if len(tried) == 1:
            raise SurgeryError("not yet")

    monkeypatch.setattr("espalier.search.validate.self_check", tries)
    forget_traced()
    with pytest.raises(SurgeryError, match="not yet"):
        validate(spec(), paths)
    for seed in range(3):  # what went wrong is
        validate(spec(seeds=[seed]), paths)
    assert len(tried) == 2
    forget_traced()
    validate(spec(), paths)
    assert len(tried) == 3, "it may be another network by now"
