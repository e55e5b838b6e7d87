"""The pruning methods by name. A new one is one file and one line here."""

from __future__ import annotations

from typing import Any

from espalier.search.methods.base import PruningMethod
from espalier.search.methods.batch_norm_scale import BatchNormScale
from espalier.search.methods.block_selection import BlockSelection
from espalier.search.methods.feature_reconstruction import FeatureReconstruction
from espalier.search.methods.geometric_median import GeometricMedian
from espalier.search.methods.l1_norm import L1Norm
from espalier.search.methods.magnitude import Magnitude
from espalier.search.methods.random_scores import RandomScores
from espalier.search.methods.slimming import Slimming
from espalier.search.methods.snip import Snip
from espalier.search.methods.soft_filter import SoftFilter
from espalier.search.methods.structure_selection import StructureSelection
from espalier.search.methods.synflow import SynFlow
from espalier.search.methods.taylor import Taylor
from espalier.search.methods.thinet import ThiNet
from espalier.search.options import chosen
from espalier.search.spec import MethodSpec

METHODS: dict[str, type[PruningMethod[Any]]] = {
    "slimming": Slimming,
    "structure_selection": StructureSelection,
    "block_selection": BlockSelection,
    "taylor": Taylor,
    "batch_norm_scale": BatchNormScale,
    "l1_norm": L1Norm,
    "geometric_median": GeometricMedian,
    "thinet": ThiNet,
    "feature_reconstruction": FeatureReconstruction,
    "soft_filter": SoftFilter,
    "random_scores": RandomScores,
    "snip": Snip,
    "synflow": SynFlow,
    "magnitude": Magnitude,
}


def create(spec: MethodSpec) -> PruningMethod[Any]:
    """The method with its options. Raises UnknownName or SpecError."""
    kind, options = chosen("pruning method", spec, METHODS)
    return kind(options)


__all__ = ["METHODS", "PruningMethod", "create"]
