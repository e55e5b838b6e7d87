"""Documents of earlier releases, made into today's. Plain data in, plain data out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Raw = dict[str, Any]


SIGNS = ("digits", "mnist", "fashion_mnist")
"""Data sets whose presets of version 1 did not mirror images, and cropped by 2."""


def uses_version_1(spec: Mapping[str, Any]) -> bool:
    """Whether a spec has words that only version 1 had."""
    recipe = spec.get("recipe")
    return "floor" in spec or (isinstance(recipe, Mapping) and not {"flip", "crop"}.isdisjoint(recipe))


def spec_from_version_1(raw: Raw) -> Raw:
    """`floor` is the minimum keep; a recipe's `flip` and `crop` are entries of its augmentation."""
    recipe = raw.get("recipe")
    if isinstance(recipe, Mapping):
        changed = dict(recipe)
        flip, crop = changed.pop("flip", None), changed.pop("crop", None)
        if flip is not None or crop is not None:
            preset = _preset(raw, changed.get("preset"))
            changed["augment"] = _augmentation(preset[0] if flip is None else flip, preset[1] if crop is None else crop)
        raw["recipe"] = changed
    if "floor" in raw:
        raw["minimum_keep"] = raw.pop("floor")
    return raw


def spec_from_version_2(raw: Raw) -> Raw:
    """All seeds had one parent, and one teacher."""
    return {"parents": "one", **raw}


def _preset(spec: Raw, name: str | None) -> tuple[bool, int]:
    """What the data set's preset of version 1 said of flip and crop."""
    target = spec.get("target")
    if isinstance(target, Mapping) and target.get("dataset") in SIGNS:
        return False, 2
    return True, 4 if name == "paper" else 2


def candidate_from_version_1(raw: Raw) -> Raw:
    """One parent was needed; a sparse parent was a dense network with a method; a random one noted its draw twice."""
    origin, init, parent = dict(raw.pop("origin")), raw.pop("init", "scratch"), raw.pop("parent", None)
    if origin["kind"] == "dense":
        method = origin.pop("method", None)
        origin = {"kind": "sparse", "method": method} if method else origin
    elif origin["kind"] == "pruned":
        origin["init"] = init
    origin.pop("draw", None)
    recipe, keep = _recipe(dict(raw.pop("recipe"))), raw.pop("floor")
    return {
        **raw,
        "origin": origin,
        "recipe": recipe,
        "minimum_keep": keep,
        "needs": {"parent": parent} if parent else {},
    }


def result_from_version_1(raw: Raw) -> Raw:
    """Accuracy was the one metric, weights the one artifact, an epoch the one measure of progress."""
    holdout, test, weights, curve = (raw.pop(name) for name in ("holdout", "accuracy", "weights", "curve"))
    return {
        **raw,
        "holdout": {"accuracy": holdout},
        "test": {"accuracy": test},
        "curve": [
            {"step": None, "epoch": point["epoch"], "metrics": {"loss": point["loss"], "accuracy": point["holdout"]}}
            for point in curve
        ],
        "ran": {"epochs": len(curve), "steps": None, "small_epochs": None},
        "artifacts": {"weights": weights} if weights else {},
    }


def _recipe(raw: Raw) -> Raw:
    flip, crop = raw.pop("flip", True), raw.pop("crop", 4)
    return {**raw, "augment": _augmentation(flip, crop)}


def _augmentation(flip: bool, crop: int) -> list[Raw]:
    return [*([{"name": "crop", "pad": crop}] if crop else []), *([{"name": "flip"}] if flip else [])]
