"""The sampled plan: trials after the fixed plan, then the best for each budget in full."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from espalier.models.config import ChannelConfig, Cost
from espalier.search.arms.sampled import Sampled
from espalier.search.arms.trial import Trial
from espalier.search.candidates import Candidate
from espalier.search.errors import SpecError
from espalier.search.planners import create
from espalier.search.question import Place, Question
from espalier.search.results import Failure, Outcome
from espalier.search.spec import JobSpec
from tests.search.helpers import question, result

GROUPS = (Place("a", 20, 0), Place("b", 40, 1), Place("c", 40, 1), Place("d", 80, 2))
WHOLE = {place.name: place.width for place in GROUPS}
SPEC: dict[str, Any] = {
    "target": {"arch": "vgg11", "dataset": "digits"},
    "methods": [],
    "baselines": ["uniform"],
    "budgets": [{"metric": "params", "keep": 0.5}, {"metric": "macs", "keep": 0.2}],
    "seeds": [3, 1],
}


def asked(trials: int = 20, **changes: Any) -> Question:
    options = {"trials": trials, **changes.pop("options", {})}
    spec = JobSpec.model_validate(SPEC | {"planner": {"name": "sampled", "options": options}} | changes)
    return question(spec).model_copy(update={"groups": GROUPS})


def widths_of(one: Candidate) -> dict[str, int]:
    if isinstance(one.origin, Trial):
        return one.origin.widths
    if one.budget is None:
        return WHOLE
    return {
        name: max(1, round(width * (0.7 if one.budget.metric == "params" else 0.4))) for name, width in WHOLE.items()
    }  # type: ignore[union-attr]


def told(one: Candidate) -> Outcome:
    """Parameters and multiply-adds are squares of widths; the last group is worth most."""
    widths = widths_of(one)
    params = sum(width**2 for width in widths.values())
    accuracy = 0.3 + 0.002 * widths["d"] + 0.0005 * sum(widths.values())
    config = ChannelConfig.of_classifier("vgg11", {}, 10, (1, 32, 32), widths)
    return result(one, accuracy, config=config, cost=Cost(params, 100 * params))


def run(
    one: Question, outcome: Callable[[Candidate], Outcome] = told
) -> tuple[list[list[Candidate]], dict[str, Outcome]]:
    """What is asked for, time after time, until nothing is new."""
    planner, done, asked_for = create(one), dict[str, Outcome](), []
    while new := [candidate for candidate in planner.next(done) if candidate.key not in done]:
        asked_for.append(new)
        done |= {candidate.key: outcome(candidate) for candidate in new}
    return asked_for, done


def kinds(candidates: list[Candidate]) -> set[str]:
    return {one.origin.kind for one in candidates}


def trials(candidates: list[Candidate], proxy: str, seed: int) -> list[Candidate]:
    return [
        one for one in candidates if isinstance(one.origin, Trial) and one.origin.proxy == proxy and one.seed == seed
    ]


def test_the_fixed_plan_comes_first_then_trials_then_the_best_in_full() -> None:
    rounds, done = run(asked())
    assert kinds(rounds[0]) == {"dense", "uniform"}
    assert all(kinds(one) == {"trial"} for one in rounds[1:-1])
    assert kinds(rounds[-1]) == {"sampled"}
    everything = [one for some in rounds for one in some]
    assert len(everything) == len(done) <= create(asked()).most()
    for seed in (3, 1):
        adaptive = trials(everything, "adaptive_bn", seed)
        assert 2 + 15 <= len(adaptive) <= 2 + 20, "what uniform networks keep, and proposals, which may come twice"
        assert [one.origin.widths for one in adaptive[:2]] == [  # type: ignore[union-attr]
            widths_of(one) for one in rounds[0] if one.origin.kind == "uniform" and one.seed == seed
        ]
        assert {one.recipe.last_step for one in adaptive} == {0}
        assert 2 <= len(trials(everything, "short", seed)) <= 2 * 2 * 2
    sampled = rounds[-1]
    assert {(one.seed, str(one.budget)) for one in sampled} == {
        (seed, b) for seed in (3, 1) for b in ("params=0.5", "macs=0.2")
    }
    assert len({one.arm.id for one in sampled}) == 2, "seeds are samples of one arm"


def test_the_best_short_training_that_the_budget_has_room_for_is_taken() -> None:
    rounds, done = run(asked())
    known = {one.key: one for some in rounds for one in some}
    whole = told(next(one for one in known.values() if one.origin.kind == "dense"))
    for one in rounds[-1]:
        best = done[one.needs["best"]]
        origin = known[best.key].origin
        assert isinstance(origin, Trial)
        assert origin.proxy == "short"
        short = [done[key] for role, key in one.needs.items() if role == "best" or role.startswith("choice")]
        assert best.chosen_by == max(found.chosen_by for found in short)  # type: ignore[union-attr]
        assert all(
            getattr(found.cost, one.budget.metric) <= one.budget.keep * getattr(whole.cost, one.budget.metric)
            for found in short
        )  # type: ignore[union-attr]
        assert {known[key].seed for key in one.needs.values()} == {one.seed}
        judged = {key for key in one.needs.values() if known[key].recipe.last_step == 0}
        assert judged == {c.key for c in trials([*known.values()], "adaptive_bn", one.seed)}, "its ledger has them all"


def test_it_finds_more_than_uniform_widths_do() -> None:
    rounds, done = run(asked(trials=60))
    for one in rounds[-1]:
        uniform = next(
            c for c in rounds[0] if c.origin.kind == "uniform" and (c.seed, c.budget) == (one.seed, one.budget)
        )
        assert done[one.needs["best"]].chosen_by > done[uniform.key].chosen_by  # type: ignore[union-attr]


def test_short_trainings_alone_may_judge() -> None:
    rounds, _ = run(asked(options={"proxy": "short"}))
    everything = [one for some in rounds for one in some]
    assert not trials(everything, "adaptive_bn", 3)
    assert {tuple(one.needs) for one in trials(everything, "short", 3)} == {()}
    assert kinds(rounds[-1]) == {"sampled"}


def test_what_is_found_is_trained_in_every_way_that_needs_no_parent() -> None:
    rounds, _ = run(asked(inits=["scratch", "distilled", "inherited"], methods=[{"name": "taylor"}]))
    assert {one.init for one in rounds[-1]} == {"scratch", "distilled"}
    taught = [one for one in rounds[-1] if one.init == "distilled"]
    assert all("teacher" in one.needs for one in taught)
    only, _ = run(asked(inits=["distilled"]))
    assert {one.init for one in only[-1]} == {"distilled"}


def test_what_others_found_is_tried_first() -> None:
    spec = {"methods": [{"name": "taylor"}], "guides": [{"name": "g", "keep": [0.5, 0.2]}], "baselines": ["random"]}
    rounds, _ = run(asked(**spec))
    assert kinds(rounds[0]) >= {"pruned", "guided", "random"}
    first = trials(rounds[1], "adaptive_bn", 3)
    assert {tuple(one.origin.widths.values()) for one in first} == {  # type: ignore[union-attr]
        tuple(widths_of(one).values()) for one in rounds[0] if one.budget is not None
    }


def test_seeds_that_share_a_parent_share_its_search() -> None:
    rounds, _ = run(asked(parents="one"))
    everything = [one for some in rounds for one in some]
    assert {one.seed for one in everything if isinstance(one.origin, Trial)} == {3}
    assert {one.seed for one in rounds[-1]} == {3, 1}
    assert len({frozenset(one.needs.values()) for one in rounds[-1]}) == 2, "one for each budget"


def test_failed_trials_are_left_out_and_a_failed_dense_network_ends_its_seeds_search() -> None:
    def failing(one: Candidate) -> Outcome:
        lost = isinstance(one.origin, Trial) and one.origin.widths["a"] % 2 == 1
        lost = lost or (one.origin.kind == "dense" and one.seed == 1)
        return Failure(key=one.key, error="no") if lost else told(one)

    rounds, done = run(asked(), failing)
    assert {one.seed for one in rounds[-1]} == {3}
    assert all(done[one.needs["best"]].config.widths["a"] % 2 == 0 for one in rounds[-1])  # type: ignore[union-attr]


def test_where_no_trial_fits_there_is_no_network_for_the_budget() -> None:
    rounds, _ = run(
        asked(
            budgets=[{"metric": "params", "keep": 0.5}, {"metric": "params", "keep": 0.012}],
            options={"sampler": "random"},
        )
    )
    assert {str(one.budget) for one in rounds[-1] if isinstance(one.origin, Sampled)} == {"params=0.5"}


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "nsga3", "random"])
def test_a_search_that_was_killed_goes_on_with_the_same_trials(sampler: str) -> None:
    one = asked(options={"sampler": sampler})
    whole = [c.key for some in run(one)[0] for c in some]
    done: dict[str, Outcome] = {}
    again: list[str] = []
    while new := [c for c in create(one).next(done) if c.key not in done]:  # another process each time
        half = new[: max(1, len(new) // 2)]
        again += [c.key for c in half]
        done |= {c.key: told(c) for c in half}
    assert sorted(again) == sorted(whole)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": {"from": 2, "most": 4}}, "give seeds as a list"),
        (
            {"budgets": [{"by": "stage", "ratios": {"0": 0.5}}], "baselines": ["uniform"]},
            "add a budget that is no ratios",
        ),
        ({"options": {"trials": 1}}, "trials: Input should be greater than or equal to 2"),
        ({"options": {"proxy": "luck"}}, "proxy: Input should be"),
    ],
)
def test_what_cannot_be_searched_is_refused(changes: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        create(
            asked(
                **({"trials": changes["options"].pop("trials")} if "trials" in changes.get("options", {}) else {}),
                **changes,
            )
        )


def test_networks_without_batch_norm_are_judged_by_short_trainings() -> None:
    bare = asked().model_copy(update={"batch_norm": False})
    with pytest.raises(SpecError, match="this network has none: use short"):
        create(bare)
    create(asked(options={"proxy": "short"}).model_copy(update={"batch_norm": False}))
