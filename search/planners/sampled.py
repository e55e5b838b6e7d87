"""The fixed plan, and a search beside it: a sampler proposes, proxies judge, the best for each budget are trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import Annotated, NamedTuple

from pydantic import Field

from espalier.models.config import minimum_width
from espalier.models.document import Frozen
from espalier.search.arms.base import Planned
from espalier.search.arms.dense import Dense, dense_of, teacher_of
from espalier.search.arms.sampled import Sampled
from espalier.search.arms.trial import Proxy, Trial
from espalier.search.arms.ways import from_scratch
from espalier.search.candidates import Candidate
from espalier.search.errors import SpecError
from espalier.search.planners.fixed import FixedPlan
from espalier.search.question import Question
from espalier.search.recipe import TUNED
from espalier.search.results import Outcome, Result
from espalier.search.sampling import SamplerName, Sampling, shares_of
from espalier.search.spec import Budget, CostMetric

BATCH = 8
"""Trials that are proposed at once."""
PROMOTED = 8
"""Of so many trials that a budget has room for, one is judged once more by a short training."""


class SampledOptions(Frozen):
    """How widths are proposed and judged."""

    sampler: SamplerName = Field(
        default="tpe", description="tpe: multi-objective TPE; nsga2, nsga3: evolution; random: nothing is learned"
    )
    trials: Annotated[int, Field(strict=True, ge=2, le=200)] = Field(default=30, description="of each seed")
    proxy: Proxy = Field(
        default="adaptive_bn",
        description="adaptive_bn: the dense network's weights, with batch norm's statistics taken anew, and the best "
        "then by short trainings; short: those alone, for a quarter of the epochs",
    )


class Tried(NamedTuple):
    """A trial and what came of it."""

    planned: Planned
    result: Result


class SampledPlanner(FixedPlan[SampledOptions]):
    """The fixed plan first; then, for every seed that has parents, trials of what the plan's widths keep and of what a
    sampler proposes; then for each budget the best of them in full."""

    Options = SampledOptions

    def __init__(self, question: Question, options: SampledOptions) -> None:
        super().__init__(question, options)
        if question.spec.looks:
            raise SpecError("a sampler searches for every seed: give seeds as a list")
        if not self._budgets:
            raise SpecError("a sampler needs a share of the cost to search for: add a budget that is no ratios")
        if self.options.proxy == "adaptive_bn" and not question.batch_norm:
            raise SpecError(
                "proxy adaptive_bn takes batch norm's statistics anew, and this network has none: use short"
            )

    def next(self, done: Mapping[str, Outcome]) -> Sequence[Candidate]:
        """The fixed plan, and what follows from what came of it. Raises SpecError if that may become too large."""
        fixed = super().next(done)
        if any(one.key not in done for one in fixed):
            return fixed
        seeds = self.question.spec.all_seeds
        own = [seed for seed in seeds if seed == self.question.parent_seed(seed)]
        wanted = [planned for seed in own for planned in self._search(seed, fixed, done)]
        return [*fixed, *self.candidates(wanted, done)]

    def may_need(self, candidate: Candidate) -> bool:
        """Trials are judged with the weights of the dense network, too."""
        return super().may_need(candidate) or isinstance(candidate.origin, Dense)

    def most(self) -> int:
        """At most so many: trials of its own and of every arm of the plan, some of them twice, and what is trained in
        the end."""
        spec, fixed = self.question.spec, super().most()
        own = sum(seed == self.question.parent_seed(seed) for seed in spec.all_seeds)
        trials = own * self.options.trials + fixed
        ways = sum(1 for _ in from_scratch(self.question))
        return fixed + trials + len(spec.budgets) * (trials // PROMOTED + 2 * own + ways * len(spec.all_seeds))

    def _search(self, seed: int, fixed: Sequence[Candidate], done: Mapping[str, Outcome]) -> Iterator[Planned]:
        """All that is asked for of one seed so far."""
        dense = self._dense(seed, done)
        if dense is None:
            return  # nothing to hold costs against, and no weights to judge by
        tried: list[Tried] = []
        for batch in self._batches(seed, fixed, dense, done):
            yield from batch
            found = [self._outcome(one, done) for one in batch]
            if None in found:
                return
            tried += [Tried(one, r) for one, r in zip(batch, found, strict=True) if isinstance(r, Result)]
        for budget in self._budgets:
            yield from self._for_budget(budget, seed, dense, tried, done)

    def _batches(
        self, seed: int, fixed: Sequence[Candidate], dense: Result, done: Mapping[str, Outcome]
    ) -> Iterator[list[Planned]]:
        """Trials of what is known, then of proposals; the sampler is told what came of a batch before the next."""
        low = {f"stage {i}": min(self._least(stage)) for i, stage in enumerate(self._stages)}
        most: dict[str, float] = {}
        for one in self._budgets:
            most[one.metric] = max(one.keep, most.get(one.metric, 0.0))
        sampling = Sampling(self.options.sampler, seed, self.options.trials, low, most)
        known = [self._trial(widths, seed, self.options.proxy) for widths in self._widths(seed, fixed, done)]
        asked = [(sampling.ask(one.origin.parameters), one) for one in known]
        left = self.options.trials
        while asked or left:
            if not asked:
                proposals = [sampling.ask() for _ in range(min(BATCH, left))]
                left -= len(proposals)
                asked = [(one, self._proposed(one.params, seed)) for one in proposals]
            yield [planned for _, planned in asked]
            for trial, planned in asked:
                outcome = self._outcome(planned, done)
                if isinstance(outcome, Result):
                    costs: dict[str, float] = {b.metric: _cost(outcome, dense, b.metric) for b in self._budgets}
                    sampling.tell(trial, costs, outcome.metric.sign * outcome.chosen_by)
                else:
                    sampling.fail(trial)
            asked = []

    def _for_budget(
        self, budget: Budget, seed: int, dense: Result, tried: Sequence[Tried], done: Mapping[str, Outcome]
    ) -> Iterator[Planned]:
        """The best trials that it has room for once more, by a short training, and the best of those in full."""
        fitting = [one for one in tried if _cost(one.result, dense, budget.metric) <= budget.keep]
        fitting.sort(key=lambda one: -one.result.metric.sign * one.result.chosen_by)
        chosen = [one.planned for one in fitting[: max(2, len(fitting) // PROMOTED)]]
        if self.options.proxy != "short":
            chosen = [self._trial(one.origin.widths, seed, "short") for one in chosen]
        yield from chosen
        if not chosen or any(self._outcome(one, done) is None for one in chosen):
            return
        origin = Sampled(sampler=self.options.sampler, budget=budget)
        others = {f"trial {place}": one.planned for place, one in enumerate(tried) if one.planned not in chosen}
        for own in self.question.spec.all_seeds:
            if self.question.parent_seed(own) == seed:
                for way in from_scratch(self.question):
                    needs = {**others, **teacher_of(way.init, self.question, own)}
                    yield Planned(origin.model_copy(update={"init": way.init}), own, way.recipe, needs, chosen)

    # --- trials -----------------------------------------------------------------------------------------------------

    @cached_property
    def _budgets(self) -> list[Budget]:
        return [one for one in self.question.spec.budgets if isinstance(one, Budget)]

    @cached_property
    def _stages(self) -> list[list[tuple[str, int]]]:
        """Groups and their widths by stage, from the first."""
        places = sorted(self.question.groups, key=lambda place: place.stage)
        return [[(one.name, one.width) for one in some] for _, some in groupby(places, lambda place: place.stage)]

    def _least(self, stage: Sequence[tuple[str, int]]) -> list[float]:
        return [minimum_width(width, self.question.spec.minimum_keep) / width for _, width in stage]

    def _proposed(self, parameters: Mapping[str, float], seed: int) -> Planned:
        """Every group of a stage as wide as its share says."""
        keep = self.question.spec.minimum_keep
        widths = {
            name: max(minimum_width(width, keep), round(share * width))
            for stage, share in zip(self._stages, parameters.values(), strict=True)
            for name, width in stage
        }
        return self._trial(widths, seed, self.options.proxy)

    def _trial(self, widths: Mapping[str, int], seed: int, proxy: Proxy) -> Planned:
        origin = Trial(proxy=proxy, widths=dict(widths), shares=shares_of(widths, self._stages))
        recipe = self.question.recipe.model_copy(update={"match": "epochs"})
        if proxy == "adaptive_bn":
            return Planned(
                origin, seed, recipe.model_copy(update={"last_step": 0}), {"parent": dense_of(self.question, seed)}
            )
        return Planned(origin, seed, recipe.model_copy(update={"epochs": max(1, round(TUNED * recipe.epochs))}))

    def _widths(self, seed: int, fixed: Sequence[Candidate], done: Mapping[str, Outcome]) -> list[Mapping[str, int]]:
        """What the plan's networks of this seed have, each once: automatic, transferred, uniform, random ones."""
        names = {place.name for place in self.question.groups}
        found: dict[tuple[int, ...], Mapping[str, int]] = {}
        for one in fixed:
            result = done.get(one.key)
            if one.seed != seed or one.arm.role not in ("automatic", "baseline") or not isinstance(result, Result):
                continue
            if result.config.mask is None and result.config.widths.keys() == names:
                widths = {place.name: result.config.widths[place.name] for place in self.question.groups}
                found[tuple(widths.values())] = widths
        return list(found.values())

    def _dense(self, seed: int, done: Mapping[str, Outcome]) -> Result | None:
        found = self._outcome(dense_of(self.question, seed), done)
        return found if isinstance(found, Result) else None

    def _outcome(self, planned: Planned, done: Mapping[str, Outcome]) -> Outcome | None:
        return done.get(self.key(planned, done) or "")


def _cost(result: Result, dense: Result, metric: CostMetric) -> float:
    """As a share of the dense network's."""
    if metric == "channels":
        return sum(result.config.widths.values()) / sum(dense.config.widths.values())
    return float(getattr(result.counted, metric)) / float(getattr(dense.counted, metric))
