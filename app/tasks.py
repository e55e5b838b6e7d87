"""What is run in worker processes. Importing this imports no framework; running it does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from espalier.models.config import ChannelConfig
from espalier.search.data import Places
from espalier.search.types import Candidate, Execution, JobSpec

if TYPE_CHECKING:
    from espalier.search.evaluate import Evaluated, Examination
    from espalier.search.export import File


def prepare_job(spec: JobSpec, cores: int, places: Places) -> Execution:
    """See `search.evaluate.prepare`."""
    from espalier.search.evaluate import prepare

    return prepare(spec, cores, places)


def evaluate_candidate(
    candidate: Candidate, parent: Path | None, execution: Execution, places: Places, **options: Any
) -> Evaluated:
    """See `search.evaluate.evaluate`."""
    from espalier.search.evaluate import evaluate

    return evaluate(candidate, parent, execution, places, **options)


def examine_spec(spec: JobSpec, places: Places) -> Examination:
    """See `search.evaluate.examine`."""
    from espalier.search.evaluate import examine

    return examine(spec, places)


def export_config(format: str, config: ChannelConfig, weights: Path | None) -> File:
    """See `search.export.export`."""
    from espalier.search.export import export

    return export(format, config, weights)


def describe_catalog() -> dict[str, list[dict[str, Any]]]:
    """Architectures, data sets, methods and export formats: names, descriptions, option schemas."""
    from espalier.models.architectures import names
    from espalier.search.data import DATASETS
    from espalier.search.export import EXPORTS
    from espalier.search.methods import METHODS

    return {
        "architectures": [_describe_entry(name) for name in names()],
        "datasets": [
            {
                "name": entry.name,
                "description": entry.description,
                "recipes": {name: recipe.model_dump() for name, recipe in entry.recipes.items()},
            }
            for entry in DATASETS.values()
        ],
        "methods": [
            {"name": name, "description": _first_line(kind), "options": kind.Options.model_json_schema()}
            for name, kind in METHODS.items()
        ],
        "exports": [{"name": name, "description": _first_line(kind)} for name, kind in EXPORTS.items()],
    }


def _describe_entry(name: str) -> dict[str, Any]:
    """An architecture's entry; of one that a package added and that is broken, what is wrong with it."""
    from espalier.models.architectures import architecture
    from espalier.models.errors import ArchitectureError

    try:
        entry = architecture(name)
    except ArchitectureError as error:
        return {"name": name, "description": str(error), "options": {}}
    return {"name": name, "description": entry.description, "options": entry.options.model_json_schema()}


def describe_architecture(
    name: str, classes: int | None, shape: tuple[int, int, int] | None, options: dict[str, Any]
) -> dict[str, Any]:
    """One architecture: cost, groups, what can be pruned, and what cannot and why."""
    from espalier.models.network import Network, dense

    config = dense(name, classes, shape, options)
    coupling = Network.of(config).coupling
    params, macs = coupling.prunable()
    return {
        "name": name,
        "classes": config.classes,
        "shape": config.shape,
        "cost": coupling.cost(config.widths)._asdict(),
        "groups": [
            {"name": g.name, "width": g.width, "floor": g.minimum_width, "stage": g.stage, "layers": g.layers}
            for g in coupling.groups
        ],
        "prunable": {"params": params, "macs": macs},
        "frozen": [frozen._asdict() for frozen in coupling.kept],
    }


def receipt_of(config: ChannelConfig) -> list[dict[str, Any]]:
    """The cost of a network, layer by layer."""
    from espalier.models.cost import receipt

    return [{**row._asdict(), "kernel": list(row.kernel), "stride": list(row.stride)} for row in receipt(config)]


def _first_line(thing: Any) -> str:
    doc = (thing.__doc__ or "").strip().splitlines()
    return doc[0] if doc else ""
