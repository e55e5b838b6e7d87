"""An architecture on a data set. No torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints

from espalier.models.document import Frozen
from espalier.search.recipe import Name, Whole
from espalier.search.spec.choices import MethodSpec

FOLDER = "folder:"
"""Before the name of an image folder, where a data set is named in one word."""


class Folder(Frozen):
    """An image folder under the data root: train/<class>/… and test/<class>/…, or val/ in the place of either
    test/ or the hold-out."""

    folder: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    size: Whole | None = Field(
        default=None, ge=8, le=1024, description="edge in pixels; needed if images differ in size"
    )
    fit: Literal["crop", "pad"] = Field(
        default="crop",
        description="how an image of other proportions becomes a square of that size: its middle, or all of it "
        "between black bars",
    )
    channels: Literal[1, 3] = Field(default=3, description="1: grey, 3: colour")


class Target(Frozen):
    """An architecture on a data set, for a task."""

    arch: Name
    options: dict[str, JsonValue] = Field(default_factory=dict, description="factory options, e.g. {'width': 0.5}")
    dataset: Name | Folder
    task: Name = "classification"

    @property
    def dataset_name(self) -> str:
        """The data set in one word."""
        return self.dataset if isinstance(self.dataset, str) else f"{FOLDER}{self.dataset.folder}"

    def __str__(self) -> str:
        return f"{self.arch} {self.dataset_name}"


class TransferTarget(Target):
    """Where patterns are carried to: another network, another data set, or both."""

    methods: tuple[MethodSpec, ...] = Field(
        default=(), max_length=16, description="that find widths of the target's own beside what is carried there"
    )
    baselines: Annotated[tuple[Name, ...], Field(max_length=16)] | None = Field(
        default=None, description="that it is held against there; those of this job if not given"
    )
