"""One network to train: its arm, its seed, what it needs of others; and which candidates may run now. No torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import Any, ClassVar, Self

from pydantic import Field

from espalier.models.document import Document, Frozen, content_hash
from espalier.search.arms import AnyOrigin
from espalier.search.arms.base import Role
from espalier.search.recipe import Recipe
from espalier.search.spec import Budget, Init, MethodSpec, Ranking, Ratios, Seed, Target
from espalier.search.upgrades import candidate_from_version_1

KEY_VERSION = 5
"""Part of every candidate's key. Raise it when the same candidate would give other numbers."""


class Arm(Frozen):
    """One side of a comparison: all that is the same in candidates that differ in nothing but the seed."""

    id: str
    name: str = Field(description="without its budget; arms of one name are the points of one curve")
    label: str = Field(description="with its budget")
    role: Role


class Candidate(Document):
    """One network to train. Same content, same key, trained once."""

    UPGRADES: ClassVar = {1: candidate_from_version_1}

    schema_version: int = 2
    origin: AnyOrigin
    target: Target
    recipe: Recipe
    data: str = Field(description="fingerprint of the data set's content")
    seed: Seed
    minimum_keep: float = Field(gt=0, le=1)
    needs: dict[str, str] = Field(
        default_factory=dict, description="role -> key of the candidate whose weights the origin reads"
    )

    @classmethod
    def stored(cls, document: Mapping[str, Any], key: str, arm: str | None = None) -> Self:
        """A candidate as it was written down under a key, by this release or an earlier one; the key stays.

        `arm` is the arm's id where it was written down, too, and need not be worked out.
        """
        candidate = cls.read(document)
        candidate.__dict__["key"] = key
        if arm is not None:
            candidate.__dict__["arm"] = candidate._arm(arm)
        return candidate

    def sibling(self, key: str, seed: int, needs: Mapping[str, str]) -> Candidate:
        """Another of the same arm, as it was written down under its key."""
        other = copy(self)  # with what was worked out of it; what is stored was checked when it was written
        other.__dict__.update(seed=seed, needs=dict(needs), key=key, arm=self.arm)
        return other

    @cached_property
    def key(self) -> str:
        """Hash of everything that decides this candidate's result."""
        return content_hash({"version": KEY_VERSION, **self.model_dump(mode="json", exclude={"schema_version"})})

    @cached_property
    def arm(self) -> Arm:
        """What it is a sample of: the key by which results are grouped."""
        return self._arm(content_hash(self.model_dump(mode="json", exclude={"schema_version", "seed", "needs"})))

    def _arm(self, id: str) -> Arm:
        name = self.origin.name if self.recipe.match == "epochs" else f"{self.origin.name} {self.recipe.match}"
        label = " ".join(map(str, filter(None, (name, self.budget, self.origin.detail))))
        return Arm(id=id, name=name, label=label, role=self.origin.role)

    @property
    def method(self) -> str | None:
        """Name of the pruning method, where there is one."""
        spec: MethodSpec | None = getattr(self.origin, "method", None)
        return spec.name if spec is not None else None

    @property
    def budget(self) -> Budget | Ratios | None:
        """What the widths must meet, where there is something."""
        return getattr(self.origin, "budget", None)

    @property
    def control(self) -> Ranking | None:
        """What its method's scores became before they ranked, where it is a control."""
        return getattr(self.origin, "control", None)

    @property
    def init(self) -> Init:
        """How its weights began."""
        return getattr(self.origin, "init", "scratch")

    @property
    def label(self) -> str:
        """For people: 'slimming params=0.1 seed 2'."""
        return f"{self.arm.label} seed {self.seed}"


def ready(candidates: Iterable[Candidate], done: Collection[str], failed: Collection[str] = ()) -> list[Candidate]:
    """What may run now: not yet done, and all it needs is."""
    done = set(done)
    finished = done | set(failed)
    return [one for one in candidates if one.key not in finished and done.issuperset(one.needs.values())]


def blocked(candidates: Iterable[Candidate], failed: Collection[str]) -> list[Candidate]:
    """Candidates that can never run, because something they need failed."""
    failed = set(failed)
    return [one for one in candidates if one.key not in failed and not failed.isdisjoint(one.needs.values())]


def is_undecidable(candidates: Sequence[Candidate], failed: Collection[str]) -> bool:
    """Whether no verdict can be given any more: all that was to be compared on one side failed."""
    gone = {*failed, *(one.key for one in blocked(candidates, failed))}
    alive = [one for one in candidates if one.key not in gone]
    for side in ("automatic", "baseline"):
        planned = any(one.arm.role == side for one in candidates)
        if planned and not any(one.arm.role == side for one in alive):
            return True
    return not alive
