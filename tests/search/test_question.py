"""What a job asks: as it was stored, whatever the release."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from espalier.search.question import Question
from espalier.search.spec import Budget, JobSpec, MethodSpec, Ranking
from tests.search.helpers import SLIMMING, TARGET, question

SPEC = JobSpec(target=TARGET)


def test_a_question_of_an_earlier_release_has_a_parent_for_each_method() -> None:
    stored = question(SPEC).model_dump(mode="json", exclude={"plain"})
    assert Question.read(stored).has_own_parent(MethodSpec(name="l1_norm"))


def test_methods_that_train_their_parent_like_any_network_share_the_dense_one() -> None:
    asked = question(SPEC).model_copy(update={"plain": ("l1_norm",)})
    assert not asked.has_own_parent(MethodSpec(name="l1_norm", options={}))
    assert asked.has_own_parent(SLIMMING)
    assert Question.model_validate_json(asked.model_dump_json()) == asked


@pytest.mark.parametrize(
    ("changes", "init", "controls"),
    [
        ({}, "scratch", {"reverse", "shuffled_across", "no_penalty"}),
        ({}, "inherited", {"reverse", "shuffled", "shuffled_across", "no_penalty"}),
        ({"selects": True}, "scratch", {"reverse", "shuffled", "shuffled_across", "no_penalty"}),
        ({"given": ("slimming",)}, "scratch", set()),
        ({"plain": ("slimming",)}, "scratch", {"reverse", "shuffled_across"}),
        ({"own_parent_only": ("slimming",)}, "scratch", {"reverse", "shuffled_across"}),
        (
            {"grains": {"slimming": "weight"}, "plain": ("slimming",)},
            "scratch",
            {"reverse", "shuffled", "shuffled_across"},
        ),
        ({"grains": {"slimming": "block"}}, "scratch", {"reverse", "shuffled_across", "no_penalty"}),
        ({"grains": {"slimming": "block"}}, "inherited", {"reverse", "shuffled_across", "no_penalty"}),
    ],
)
def test_a_ranking_is_a_control_where_it_makes_another_network(
    changes: dict[str, Any], init: Any, controls: set[str]
) -> None:
    asked, budget = question(SPEC).model_copy(update=changes), Budget(metric="params", keep=0.5)
    rankings = get_args(Ranking)
    assert {one for one in rankings if asked.is_controlled(SLIMMING, budget, one, init)} == controls
