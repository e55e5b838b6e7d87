"""What every planner promises; a new one inherits all of it by being in `PLANNERS`."""

from __future__ import annotations

from typing import Any

import pytest

from espalier.search.arms import BASELINES
from espalier.search.candidates import Candidate
from espalier.search.datasets import recipe_of
from espalier.search.errors import SpecError, UnknownName
from espalier.search.planners import PLANNERS, create
from espalier.search.question import Question
from espalier.search.results import Failure, Outcome
from espalier.search.spec import JobSpec, PlannerSpec
from tests.search.helpers import question, result

names = pytest.mark.parametrize("name", PLANNERS)
SPEC: dict[str, Any] = {
    "target": {"arch": "vgg11", "dataset": "digits"},
    "methods": [{"name": "slimming"}, {"name": "slimming", "options": {"strength": 2}}],
    "budgets": [{"metric": "params", "keep": 0.3}, {"by": "stage", "ratios": {"0": 0.5}}],
    "baselines": list(BASELINES),
    "inits": ["scratch", "inherited"],
    "seeds": [3, 1],
}
ROUNDS = 100


def asked(name: str, **changes: Any) -> Question:
    return question(JobSpec.model_validate(SPEC | {"planner": {"name": name}} | changes))


def finish(asked: Question, failing: bool = False) -> tuple[list[Candidate], dict[str, Outcome]]:
    """Everything that is named until nothing new is, and what came of it."""
    planner, named, done = create(asked), list[Candidate](), dict[str, Outcome]()
    for _ in range(ROUNDS):
        new = [one for one in planner.next(done) if one.key not in done]
        if not new:
            return named, done
        named += new
        done |= {one.key: Failure(key=one.key, error="no") if failing else result(one) for one in new}
    raise AssertionError("it never ends")


@names
def test_it_says_what_it_is(name: str) -> None:
    assert PLANNERS[name].__doc__


@names
def test_what_it_names_follows_from_the_question(name: str) -> None:
    one = asked(name)
    first = list(create(one).next({}))
    assert first
    assert first == list(create(one).next({}))
    assert first == list(create(Question.model_validate_json(one.model_dump_json())).next({}))
    assert first == list(create(Question.read(one.model_dump(mode="json"))).next({}))


@names
@pytest.mark.parametrize("failing", [False, True])
def test_what_is_needed_is_named_before(name: str, failing: bool) -> None:
    named, _ = finish(asked(name), failing)
    seen: set[str] = set()
    for one in named:
        assert seen.issuperset(one.needs.values())
        assert one.key not in seen, "each is named once"
        seen.add(one.key)


@names
@pytest.mark.parametrize("failing", [False, True])
def test_when_everything_is_done_nothing_is_new(name: str, failing: bool) -> None:
    named, done = finish(asked(name), failing)
    assert {one.key for one in named} == set(done)
    assert {one.key for one in create(asked(name)).next(done)} <= set(done)


@names
def test_candidates_are_of_the_job_and_its_data(name: str) -> None:
    one = asked(name, minimum_keep=0.2)
    named, _ = finish(one)
    assert {(c.data, c.minimum_keep) for c in named} == {(one.data, 0.2)}
    assert all(c.target == one.spec.target and c.recipe.epochs <= one.recipe.epochs for c in named)


@names
def test_options_are_closed_and_survive_json(name: str) -> None:
    options = PLANNERS[name].Options()
    assert PLANNERS[name].Options.model_validate_json(options.model_dump_json()) == options
    assert PLANNERS[name].Options.model_json_schema()["additionalProperties"] is False
    with pytest.raises(SpecError, match=f"options of '{name}': nonsense: Extra inputs"):
        create(asked(name, planner={"name": name, "options": {"nonsense": 1}}))


def test_an_unknown_planner_lists_those_there_are() -> None:
    spec = JobSpec.model_validate(SPEC).model_copy(update={"planner": PlannerSpec(name="oracle")})
    with pytest.raises(UnknownName, match=f"no planner 'oracle'; there are: {', '.join(PLANNERS)}"):
        create(Question(spec=spec, recipe=recipe_of(spec), data="d"))


def test_a_question_is_stored_as_it_was_asked() -> None:
    one = asked("fixed")
    assert Question.model_validate_json(one.model_dump_json()) == one
    assert one.schema_version == 1
