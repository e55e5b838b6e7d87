"""What every arm promises; a new one inherits all of it by being in `ARMS`."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch

from espalier.models.network import Network, dense
from espalier.models.tensors import state_of
from espalier.search import allocate
from espalier.search.arms import ARMS, BASELINES
from espalier.search.arms.base import Origin, Planned, Role
from espalier.search.arms.baseline import Baseline
from espalier.search.arms.dense import dense_of
from espalier.search.arms.sampled import Sampled
from espalier.search.arms.trial import Trial
from espalier.search.candidates import Candidate
from espalier.search.errors import SpecError
from espalier.search.spec import Budget, JobSpec, Ratios
from tests.search.helpers import TARGET, derivation, question

CONFIG = dense("resnet20", 10, (1, 32, 32), {"width": 0.25})
KEEPS = (0.3, 0.6)
SPEC = JobSpec.model_validate(
    {
        "target": TARGET.model_dump(),
        "methods": [{"name": "slimming"}, {"name": "slimming", "options": {"strength": 2}}],
        "budgets": [
            *({"metric": metric, "keep": keep} for metric in ("params", "macs", "channels") for keep in KEEPS),
            {"by": "stage", "ratios": {"1": 0.5}},
            {"by": "stage", "ratios": {"1": 0.5, "2": 0.7}, "metric": "macs"},
        ],
        "baselines": list(BASELINES),
        "guides": [
            {"name": "another network", "keep": [0.9, 0.5, 0.3]},
            {"name": "its weights", "kernels": [[[0.1, 0.2, 0.1], [0.2, 0.9, 0.2], [0.1, 0.2, 0.1]]]},
        ],
        "controls": ["reverse", "no_penalty", "shuffled", "shuffled_across"],
        "inits": ["scratch", "inherited", "untuned", "distilled"],
        "match": ["epochs", "compute", "pipeline"],
        "tune_lr": [0.01, 0.001],
        "seeds": [3, 1],
        "tickets": {
            "rounds": 3,
            "rewind_steps": 2,
            "controls": ["reinit", "random", "random_across", "one_shot", "continued", "lr_rewound"],
        },
    }
)
TRIALS = [
    Planned(
        Trial(proxy=proxy, widths={group.name: group.width // 2 for group in Network.of(CONFIG).groups}, shares=(0.5,)),
        seed,
        question(SPEC).recipe,
        {"parent": dense_of(question(SPEC), seed)},
    )
    for proxy in ("short", "adaptive_bn")
    for seed in (3, 1)
]
LATER = {
    "trial": TRIALS,
    "sampled": [
        Planned(Sampled(sampler="tpe", budget=budget), seed, question(SPEC).recipe, best_of=[TRIALS[2]])
        for budget in SPEC.budgets
        for seed in (3, 1)
    ],
}
"""What follows from other results, and is planned by no arm alone."""
kinds = pytest.mark.parametrize("kind", ARMS)


def of_kind(kind: str, seed: int | None = None) -> list[Planned]:
    """What a job that asks for everything asks of this kind."""
    everything = question(SPEC).model_copy(update={"selects": True})  # no networks are the same
    planned = LATER.get(kind) or ARMS[kind].plan(everything)
    return [one for one in planned if seed is None or one.seed == seed]


def candidate(planned: Planned, **changes: Any) -> Candidate:
    fields = {"origin": planned.origin, "target": TARGET, "data": "d", "seed": planned.seed, "minimum_keep": 0.1}
    return Candidate(**{**fields, "recipe": planned.recipe, **changes})


@kinds
def test_an_arm_says_what_it_is(kind: str) -> None:
    arm = ARMS[kind]
    assert arm.__doc__
    assert arm.role in get_args(Role)
    assert arm.model_fields["kind"].default == kind
    assert (kind in BASELINES) == issubclass(arm, Baseline)


@kinds
def test_a_plan_is_the_same_every_time_and_wants_nothing_twice(kind: str) -> None:
    planned = of_kind(kind)
    assert planned
    assert planned == of_kind(kind)
    assert all(isinstance(one.origin, ARMS[kind]) and one.seed in SPEC.seeds for one in planned)
    assert len({(one.origin.model_dump_json(), one.seed, one.recipe) for one in planned}) == len(planned)


@kinds
def test_a_job_that_does_not_ask_for_it_has_none(kind: str) -> None:
    nothing: dict[str, Any] = dict.fromkeys(("methods", "guides", "baselines", "controls", "budgets"), ())
    bare = SPEC.model_copy(update={**nothing, "tickets": None})
    assert [*ARMS[kind].plan(question(bare))] == [] or ARMS[kind].role == "reference"


@kinds
def test_samples_of_one_arm_differ_in_the_seed_alone(kind: str) -> None:
    for planned in of_kind(kind):
        samples = [candidate(planned, seed=seed, needs={"parent": str(seed)}) for seed in range(3)]
        assert len({one.arm.id for one in samples}) == 1
        assert len({one.key for one in samples}) == 3
    arms = {candidate(planned).arm for planned in of_kind(kind)}
    assert len({arm.id for arm in arms}) == len({arm.label for arm in arms}) == len(arms)


@kinds
def test_another_budget_is_another_arm_of_the_same_name(kind: str) -> None:
    by_name: dict[str, set[str]] = {}
    for planned in of_kind(kind, seed=3):
        one = candidate(planned)
        by_name.setdefault(one.arm.name, set()).add(one.arm.id)
    budgets = len(SPEC.budgets) if "budget" in ARMS[kind].model_fields else 1
    for name, ids in by_name.items():
        inherited = name.endswith("inherited")
        if "round" in ARMS[kind].model_fields:
            assert len(ids) in (2, 3), "a control may be the ticket in the first round"
        else:
            assert len(ids) == budgets * (len(SPEC.tune_lr) if inherited else 1)


@kinds
def test_a_candidate_survives_json_and_keeps_its_key(kind: str) -> None:
    for planned in of_kind(kind):
        one = candidate(planned)
        again = Candidate.model_validate_json(one.model_dump_json())
        assert again == one
        assert type(again.origin) is ARMS[kind]
        assert (again.key, again.arm, again.label) == (one.key, one.arm, one.label)
        assert Candidate.read(one.model_dump(mode="json")).key == one.key


@kinds
def test_its_recipe_is_no_longer_than_the_dense_networks_and_that_of_its_start(kind: str) -> None:
    dense = of_kind("dense")[0].recipe
    for planned in of_kind(kind):
        init = getattr(planned.origin, "init", "scratch")
        assert planned.recipe.epochs <= dense.epochs
        assert (planned.recipe.epochs < dense.epochs) == (init == "inherited" and "method" in ARMS[kind].model_fields)
        assert (planned.recipe.distillation is not None) == ("teacher" in planned.needs) == (init == "distilled")


@kinds
def test_what_it_needs_is_planned_too(kind: str) -> None:
    parents = [(one.origin, one.seed, one.recipe) for name in ARMS for one in of_kind(name)]
    for planned in of_kind(kind):
        needed = [*planned.needs.values(), *planned.best_of]
        assert all((one.origin, one.seed, one.recipe) in parents for one in needed)


def derived(planned: Planned, seed: int = 3) -> tuple[Any, Network]:
    """What a candidate's network is derived from, where of others the last is the best; and the network."""
    given = derivation(CONFIG, seed=seed)
    if planned.best_of:
        given.config = {"best": planned.best_of[-1].origin.derive(given).network.config}.__getitem__
    return given, planned.origin.derive(given).network


def cost(coupling: Any, widths: dict[str, int], metric: str) -> int:
    return sum(widths.values()) if metric == "channels" else int(getattr(coupling.cost(widths), metric))


def check_widths(origin: Origin, coupling: Any, widths: dict[str, int]) -> None:
    budget = getattr(origin, "budget", None)
    if isinstance(origin, Trial):
        assert widths == origin.widths
    elif budget is None:
        assert widths == coupling.widths
    elif isinstance(budget, Ratios) and hasattr(origin, "method"):
        assert widths == allocate.by_ratios(coupling.groups, budget, 0.1)
    else:
        least = allocate.as_cost(budget, coupling, 0.1)
        room = least.keep * cost(coupling, coupling.widths, least.metric) * (1 + 1e-9)
        assert cost(coupling, widths, least.metric) <= room
        wider = [widths | {g.name: widths[g.name] + 1} for g in coupling.groups if widths[g.name] < g.width]
        assert any(cost(coupling, more, least.metric) > room for more in wider), "a channel more would have fitted"


def check_weights(origin: Origin, network: Network) -> None:
    budget = origin.budget  # type: ignore[attr-defined]
    room = budget.keep * getattr(network.cost, budget.metric) * (1 + 1e-9)
    counted = getattr(network.counted, budget.metric)
    price = max(network.coupling.macs_per_weight.values()) if budget.metric == "macs" else 1
    assert counted <= room < counted + price


@kinds
def test_a_derived_network_meets_its_budget_and_runs(kind: str) -> None:
    weights = kind in ("uniform_weights", "guided_weights")  # meet no number of channels, and no widths
    for planned in of_kind(kind, seed=3):
        if weights and (isinstance(planned.origin.budget, Ratios) or planned.origin.budget.metric == "channels"):
            with pytest.raises(SpecError, match="single weights meet budgets of params or macs, and not"):
                derived(planned)
            continue
        given, network = derived(planned)
        if network.weight_mask is None:
            check_widths(planned.origin, given.dense.coupling, network.config.widths)
        elif hasattr(planned.origin, "budget"):
            check_weights(planned.origin, network)
        assert network.cost.params == sum(one.numel() for one in network.module.parameters())
        with torch.no_grad():
            assert network.module.eval()(torch.zeros(2, *CONFIG.shape)).shape == (2, 10)


@kinds
def test_a_network_is_derived_alike_every_time_and_otherwise_for_another_seed(kind: str) -> None:
    planned = of_kind(kind, seed=3)[0]
    one, same, other = (derived(planned, seed)[1] for seed in (3, 3, 4))
    assert one.config == same.config
    assert all(torch.equal(value, state_of(same.module)[name]) for name, value in state_of(one.module).items())
    differs = one.config != other.config or any(
        not torch.equal(value, state_of(other.module)[name]) for name, value in state_of(one.module).items()
    )
    assert differs


def test_budgets_and_starts_mean_the_same_in_every_kind() -> None:
    for arm in ARMS.values():
        if "budget" in arm.model_fields:
            assert arm.model_fields["budget"].annotation == Budget | Ratios
        if "init" in arm.model_fields:
            assert arm.model_fields["init"].default == "scratch"
