"""Ways of training what an arm finds: how weights begin, for how long, at which rate. Side by side in one job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from espalier.search.question import Question
from espalier.search.recipe import TUNED, FineTuning, Recipe, fine_tuning
from espalier.search.spec import INHERITING, Budget, Init, MethodSpec, Ratios


class Way(NamedTuple):
    """How the weights of a network begin, and how it is trained from there."""

    init: Init
    recipe: Recipe
    lr: float | None = None
    """Its learning rate, where it is one of several that are tried."""


def from_scratch(question: Question) -> Iterator[Way]:
    """Every way that needs no parent's weights; fresh weights as the recipe has it if a job names none."""
    for init in [init for init in question.spec.inits if init not in INHERITING] or ["scratch"]:
        yield from _at_every_length(question, init)


def ways(question: Question, method: MethodSpec, budget: Budget | Ratios) -> Iterator[Way]:
    """Every way that a job asks for what a method finds for a budget; from scratch only where no other arm is the
    same."""
    anyway = question.is_trained_anyway(method, budget)
    for init in question.spec.inits:
        if (init in INHERITING and method.name in question.untrained) or (anyway and init not in INHERITING):
            continue
        if init == "untuned":
            yield Way(init, question.recipe.model_copy(update={"match": "epochs", "last_step": 0}))
        else:
            yield from _at_every_rate(question, method) if init == "inherited" else _at_every_length(question, init)


def _at_every_length(question: Question, init: Init) -> Iterator[Way]:
    spec, recipe = question.spec, question.recipe
    taught = {"distillation": spec.distillation if init == "distilled" else None}
    passes = max((method.passes for method in spec.methods), default=1)
    own = [question.fine_tuning.get(method.name, FineTuning()) for method in spec.methods]
    tuned = max((how.epochs for how in ([spec.fine_tuning] if spec.fine_tuning else own)), default=TUNED)
    for match in spec.match or (recipe.match,):
        pipeline = {"parents": passes, "tuning": tuned} if match == "pipeline" else {}  # one for all: equal compute
        yield Way(init, recipe.model_copy(update={**taught, "match": match, **pipeline}))


def _at_every_rate(question: Question, method: MethodSpec) -> Iterator[Way]:
    how = question.spec.fine_tuning or question.fine_tuning.get(method.name)
    for lr in question.spec.tune_lr or (None,):
        yield Way("inherited", fine_tuning(question.recipe, how, lr), lr)


def dense_recipe(question: Question) -> Recipe:
    """How networks of the dense one's size are trained, whatever others are to be matched in."""
    return question.recipe.model_copy(update={"match": "epochs"})
