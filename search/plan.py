"""From a job's spec to its candidates, and what may run now. No torch: names and values only."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pydantic import ValidationError

from espalier.search.data import recipes
from espalier.search.errors import SpecError, UnknownName
from espalier.search.types import Candidate, Dense, Init, JobSpec, Origin, Plan, Pruned, Random, Recipe, Uniform

MOST_CANDIDATES = 5000

FINE_TUNING = 0.25
"""Length of training after inheriting weights, as a share of the recipe (40 of 160 epochs in Liu et al. 2019)."""


def recipe_of(spec: JobSpec) -> Recipe:
    """The recipe a spec asks for: its preset with its changes. Raises UnknownName or SpecError."""
    presets = recipes(spec.target.dataset)
    name = spec.recipe.preset or next(iter(presets))
    if name not in presets:
        raise UnknownName("recipe", name, presets)
    changes = spec.recipe.model_dump(exclude={"preset"}, exclude_none=True)
    try:
        return Recipe.model_validate({**presets[name].model_dump(), **changes})
    except ValidationError as error:
        raise SpecError("recipe: " + "; ".join(e["msg"] for e in error.errors())) from error


def fine_tuning(recipe: Recipe) -> Recipe:
    """A quarter of the epochs at a constant hundredth of the learning rate, on whole images (Liu et al. 2019)."""
    epochs = max(1, round(recipe.epochs * FINE_TUNING))
    changes = {"epochs": epochs, "lr": recipe.lr / 100, "schedule": "constant", "match": "epochs", "small_first": 0.0}
    return recipe.model_copy(update=changes)


def plan(spec: JobSpec, data: str) -> Plan:
    """Every candidate once, parents first. Each method has one parent, trained with the first seed.

    `data` is the fingerprint of the data set. Raises SpecError.
    """
    count = len(spec.seeds) * (1 + len(spec.budgets) * (len(spec.methods) * len(spec.inits) + len(spec.baselines)))
    if count > MOST_CANDIDATES:
        raise SpecError(f"{count:,} candidates; the most a job may have is {MOST_CANDIDATES:,}: split it")
    unique = {candidate.key: candidate for candidate in _candidates(spec, recipe_of(spec), data)}
    return Plan(candidates=tuple(unique.values()))


def _candidates(spec: JobSpec, recipe: Recipe, data: str) -> Iterator[Candidate]:
    def candidate(origin: Origin, seed: int, parent: str | None = None, init: Init = "scratch") -> Candidate:
        return Candidate(
            origin=origin,
            target=spec.target,
            recipe=recipe if init == "scratch" else fine_tuning(recipe),
            data=data,
            seed=seed,
            floor=spec.floor,
            parent=parent,
            init=init,
        )

    parents = [candidate(Dense(method=method), spec.seeds[0]) for method in spec.methods]
    yield from parents
    for seed in spec.seeds:
        yield candidate(Dense(), seed)
        for budget in spec.budgets:
            for method, parent in zip(spec.methods, parents, strict=True):
                for init in spec.inits:
                    yield candidate(Pruned(method=method, budget=budget), seed, parent.key, init)
            if "uniform" in spec.baselines:
                yield candidate(Uniform(budget=budget), seed)
            if "random" in spec.baselines:
                yield candidate(Random(budget=budget, draw=seed), seed)


def ready(plan: Plan, done: Collection[str], failed: Collection[str] = ()) -> list[Candidate]:
    """What may run now: not yet done, and its parent is; children of a failed parent never are."""
    done = set(done)
    finished = done | set(failed)
    return [
        candidate
        for candidate in plan.candidates
        if candidate.key not in finished and (candidate.parent is None or candidate.parent in done)
    ]


def orphans(plan: Plan, failed: Collection[str]) -> list[Candidate]:
    """Candidates that can never run, because their parent failed."""
    failed = set(failed)
    return [candidate for candidate in plan.candidates if candidate.parent in failed and candidate.key not in failed]


def hopeless(plan: Plan, failed: Collection[str]) -> bool:
    """Whether the plan can give no verdict any more: all that was to be compared on one side failed."""
    alive = [c for c in plan.candidates if c.key not in failed and (c.parent is None or c.parent not in failed)]
    for side in ({"pruned"}, {"uniform", "random"}):
        planned = any(candidate.origin.kind in side for candidate in plan.candidates)
        if planned and not any(candidate.origin.kind in side for candidate in alive):
            return True
    return not alive
