"""What a job asks: as it was stored, whatever the release."""

from __future__ import annotations

from espalier.search.question import Question
from espalier.search.spec import JobSpec, MethodSpec
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
