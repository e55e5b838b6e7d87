"""What is added to a search that has ended. No torch."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError

from espalier.models.document import Frozen
from espalier.search.errors import SpecError, messages
from espalier.search.recipe import Name
from espalier.search.spec.budgets import AskedBudget
from espalier.search.spec.choices import MethodSpec
from espalier.search.spec.job import JobSpec
from espalier.search.spec.seeds import MOST_SEEDS, Seed
from espalier.search.spec.starts import Ranking


class Extension(Frozen):
    """More methods, budgets, baselines, controls or seeds. All else stays as the job has it."""

    methods: tuple[MethodSpec, ...] = Field(default=(), max_length=16)
    budgets: tuple[AskedBudget, ...] = Field(
        default=(), max_length=64, description="shares or ratios; a preset is not taken here"
    )
    baselines: tuple[Name, ...] = Field(default=(), max_length=16)
    controls: tuple[Ranking, ...] = Field(default=(), max_length=4)
    seeds: tuple[Seed, ...] = Field(default=(), max_length=MOST_SEEDS)

    def of(self, spec: JobSpec) -> JobSpec:
        """The spec with what it does not have yet, behind what it has. Raises SpecError if that is nothing, or no
        search."""
        if self.seeds and not isinstance(spec.seeds, tuple):
            raise SpecError(f"this job adds seeds by itself where it needs them, up to {spec.seeds.most}")
        new = _new(spec, self)
        if not any(new.values()):
            raise SpecError("nothing is added: name a method, budget, baseline, control or seed that it does not have")
        try:
            return spec.model_copy(update={field: (*getattr(spec, field), *some) for field, some in new.items()})
        except ValidationError as error:
            raise SpecError(messages(error)) from error

    @classmethod
    def between(cls, before: JobSpec, after: JobSpec) -> Extension:
        """What a spec has that it did not have before."""
        return cls.model_validate(_new(before, after))


def _new(before: JobSpec, after: Extension | JobSpec) -> dict[str, list[Any]]:
    """What one has and the other had not, field by field; seeds that a spec adds by itself are none."""
    listed = {field: getattr(after, field) for field in Extension.model_fields}
    return {
        field: [one for one in some if one not in getattr(before, field)]
        for field, some in listed.items()
        if some and isinstance(some, tuple)
    }
