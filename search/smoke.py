"""A smoke run: one batch of every arm, through all that its training would go through, before the hours begin."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from espalier.search import planners
from espalier.search.candidates import Candidate, ready
from espalier.search.datasets import Data, DataPaths
from espalier.search.datasets.base import Images
from espalier.search.errors import SearchError
from espalier.search.evaluate import data_of, evaluate_on
from espalier.search.question import Question
from espalier.search.results import Evaluated, Execution, Failure, Outcome, Smoke
from espalier.search.scratch import scratch


def smoke(question: Question, execution: Execution, paths: DataPaths) -> Smoke:
    """Derive, build, train for one step, measure and keep a candidate of every arm that the job asks for or may come to
    ask for, those of its first seed. Nothing is left of it."""
    began = time.monotonic()
    with scratch(paths.cache / "smoke") as folder:
        run = _Run(question, execution, paths, folder)
        run.to_its_end()
    return Smoke(len({one.arm.id for one in run.candidates.values()}), run.failures, time.monotonic() - began)


class _Run:
    def __init__(self, question: Question, execution: Execution, paths: DataPaths, folder: Path) -> None:
        seed = {"seeds": question.spec.all_seeds[:1]}
        self.planner = planners.create(question.model_copy(update={"spec": question.spec.model_copy(update=seed)}))
        self.execution, self.paths, self.folder = execution, paths, folder
        self.candidates: dict[str, Candidate] = {}
        self.done: dict[str, Outcome] = {}
        self.files: dict[str, dict[str, Path]] = {}
        """By key and name, what was kept."""
        self.failures: dict[str, str] = {}

    def to_its_end(self) -> None:
        """Until the planner asks for nothing new."""
        while new := [one for one in self.planner.next(self.done) if one.key not in self.candidates]:
            self.candidates |= {one.key: one for one in new}
            while waiting := ready(self.candidates.values(), self.files, self._failed):
                self._try(waiting[0])

    @property
    def _failed(self) -> list[str]:
        return [key for key, outcome in self.done.items() if isinstance(outcome, Failure)]

    def _try(self, candidate: Candidate) -> None:
        try:
            evaluated = self._evaluated(candidate)
        except Exception as error:  # whatever the code of a network or a method raises
            words = str(error) if isinstance(error, SearchError) else f"{type(error).__name__}: {error}"
            self.failures[candidate.label] = words
            self.done[candidate.key] = Failure(key=candidate.key, error=words)
        else:
            self.done[candidate.key] = evaluated.result.model_copy(update={"key": candidate.key})
            self.files[candidate.key] = self._kept(candidate.key, evaluated)

    def _evaluated(self, candidate: Candidate) -> Evaluated:
        """One step on whole images, since these take most memory; it is measured on no more than it was trained on.
        What scores or repairs reads as many images as ever."""
        data, steps = data_of(candidate, self.paths), 0 if candidate.recipe.last_step == 0 else 1
        recipe = candidate.recipe.model_copy(update={"first_step": 0, "last_step": steps, "small_first": 0.0})
        return evaluate_on(
            _measured_on(data, recipe.batch_size),
            candidate.model_copy(update={"recipe": recipe}),
            {role: self.files[key] for role, key in candidate.needs.items()},
            self.execution,
            self.folder,
        )

    def _kept(self, key: str, evaluated: Evaluated) -> dict[str, Path]:
        """Files of what was kept, as far as others may need it."""
        needed = any(key in one.needs.values() for one in self.candidates.values())
        if not (needed or self.planner.may_need(self.candidates[key])):
            return {}
        files = {name: self.folder / f"{key}.{name}" for name in evaluated.artifacts}
        for name, content in evaluated.artifacts.items():
            files[name].write_bytes(content)
        return files


def _measured_on(data: Data, count: int) -> Data:
    def few(images: Images) -> Images:
        return Images(images.x[:count], images.y[:count])

    return replace(data, holdout=few(data.holdout), test=few(data.test))
