"""Documents of earlier releases, made into today's. Plain data in, plain data out."""

from __future__ import annotations

from typing import Any

Raw = dict[str, Any]


def spec_from_version_1(raw: Raw) -> Raw:
    """`floor` is the minimum keep; a recipe's `flip` and `crop` are entries of its augmentation."""
    recipe = dict(raw.get("recipe") or {})
    flip, crop = recipe.pop("flip", None), recipe.pop("crop", None)
    if flip is not None or crop is not None:  # the other came from the preset; candidates say what it was
        recipe["augment"] = _augmentation(flip is not False, 4 if crop is None else crop)
    if "floor" in raw:
        raw["minimum_keep"] = raw.pop("floor")
    return {**raw, "recipe": recipe}


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
