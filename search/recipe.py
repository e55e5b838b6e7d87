"""How a network is trained: the recipe, and what a job changes in one. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, create_model, model_validator

from espalier.models.document import Frozen

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Whole = Annotated[int, Field(strict=True)]
Real = Annotated[float, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]


class Crop(Frozen):
    """Pad with black by so many pixels, and crop at random."""

    name: Literal["crop"] = "crop"
    pad: Whole = Field(ge=1, le=64)


class Flip(Frozen):
    """Mirror images at random."""

    name: Literal["flip"] = "flip"


Augmentation = Annotated[Crop | Flip, Field(discriminator="name")]


SMALL = 0.75
"""Edge of the images in the epochs of `Recipe.small_first`, as a share of the whole."""
Schedule = Literal["step", "one_cycle", "constant"]
Match = Literal["epochs", "compute", "pipeline"]
"""What networks are alike in: epochs, multiply-adds up to twice the epochs, or all that a pruning pipeline spends."""


class Distillation(Frozen):
    """Learning from a trained network's outputs, too (Hinton et al. 2015, 1503.02531): of the loss, `weight` is
    temperature^2 * KL(teacher || network) of softened outputs, the rest the task's own."""

    temperature: Real = Field(default=4.0, gt=0, le=100, description="by which outputs are divided before softmax")
    weight: Real = Field(default=0.9, ge=0, le=1, description="share of the teacher in the loss")


TUNED = 0.25
"""Share of the epochs for which inherited weights are fine-tuned (Liu et al. 2019: 40 of 160)."""


class Recipe(Frozen):
    """How a network is trained; schedules are functions of the step."""

    epochs: Whole = Field(ge=1, le=10_000)
    batch_size: Whole = Field(ge=1, le=65_536)
    optimizer: Literal["sgd", "adam"] = Field(
        default="sgd", exclude_if=lambda value: value == "sgd", description="sgd, with momentum, or adam"
    )
    lr: Real = Field(gt=0, le=100, description="peak learning rate")
    momentum: Real = Field(default=0.9, ge=0, lt=1, description="of sgd; of adam, the decay of the first moment")
    nesterov: Flag = Field(default=True, description="of sgd")
    weight_decay: Real = Field(default=5e-4, ge=0, le=1, description="on all parameters")
    schedule: Schedule = "one_cycle"
    warmup: Real = Field(default=0.2, ge=0, lt=1, description="one_cycle: share of the steps that raise the lr")
    warmup_steps: Whole = Field(
        default=0,
        ge=0,
        le=10_000_000,
        exclude_if=lambda value: not value,
        description="step and constant: optimiser steps over which the lr is raised from 0",
    )
    label_smoothing: Real = Field(default=0.0, ge=0, lt=1)
    augment: tuple[Augmentation, ...] = Field(
        default=(Crop(pad=4), Flip()), max_length=16, description="what is done to training images, in this order"
    )
    small_first: Real = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of the epochs, from the first, on images at three quarters of their edge "
        "(progressive resizing); a network that takes one size only sees that size throughout",
    )
    evaluate_every: Whole = Field(
        default=0,
        ge=0,
        le=10_000_000,
        exclude_if=lambda value: not value,
        description="optimiser steps between two looks at the hold-out, 0: one an epoch. With it, the earliest of "
        "the best by its loss is noted as the early stop, with what the test data shows there",
    )
    match: Match = Field(
        default="epochs",
        description="epochs: every network trains as long as the dense one (Scratch-E); "
        "compute: smaller networks train longer, at most twice as long (Scratch-B); "
        "pipeline: for as many multiply-adds as training the dense network and fine-tuning what is cut from it take",
    )
    distillation: Distillation | None = Field(
        default=None, exclude_if=lambda value: value is None, description="what is learned from a teacher besides"
    )
    parents: Whole = Field(
        default=1,
        ge=1,
        exclude_if=lambda value: value == 1,
        description="times that the pipeline which is matched trains the dense network before it prunes",
    )
    tuning: Real = Field(
        default=TUNED,
        gt=0,
        exclude_if=lambda value: value == TUNED,
        description="how long the pipeline that is matched fine-tunes, as a share of the epochs",
    )
    first_step: Whole = Field(
        default=0,
        ge=0,
        exclude_if=lambda value: not value,
        description="training begins here, as if it were so far",
    )
    last_step: Whole | None = Field(
        default=None,
        ge=0,
        exclude_if=lambda value: value is None,
        description="training ends here, if not before; 0: there is none",
    )

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and not self.momentum and self.optimizer == "sgd":
            raise ValueError("nesterov needs a momentum above 0")
        return self


OWN = frozenset({"distillation", "parents", "tuning", "first_step", "last_step"})
"""What of a recipe is an arm's own."""
SETTABLE = tuple(name for name in Recipe.model_fields if name not in OWN)
"""What a job may change in a recipe."""


class _Preset(Frozen):
    """A preset of the data set, and what to change in it."""

    preset: Name | None = Field(default=None, description="'quick', 'paper'; the data set's first if not given")

    @property
    def changes(self) -> dict[str, Any]:
        """The fields of a recipe that are given."""
        return {name: value for name in SETTABLE if (value := getattr(self, name)) is not None}


def _optional(name: str) -> Any:
    """A field of a recipe, with its limits, that may be left out."""
    field = Recipe.model_fields[name]
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return (kind | None, Field(default=None, description=field.description))


if TYPE_CHECKING:
    RecipeSpec = _Preset
else:
    RecipeSpec = create_model(
        "RecipeSpec",
        __base__=_Preset,
        __doc__=_Preset.__doc__,
        __module__=__name__,
        **{name: _optional(name) for name in SETTABLE},
    )


class FineTuning(Frozen):
    """How inherited weights are trained on, given how the dense network is: by default a quarter of the epochs at a
    constant hundredth of the learning rate (Liu et al. 2019)."""

    epochs: Real = Field(default=TUNED, gt=0, le=10, description="share of the recipe's")
    lr: Real = Field(default=0.01, gt=0, le=10, description="share of the recipe's peak")
    schedule: Schedule = "constant"


def fine_tuning(recipe: Recipe, how: FineTuning | None = None, lr: float | None = None) -> Recipe:
    """The recipe of inherited weights, on whole images; at its own learning rate or another one."""
    how = how or FineTuning()
    epochs = max(1, round(recipe.epochs * how.epochs))
    changes = {"epochs": epochs, "lr": recipe.lr * how.lr if lr is None else lr, "schedule": how.schedule}
    return recipe.model_copy(update={**changes, "match": "epochs", "small_first": 0.0})
