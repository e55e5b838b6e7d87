"""What is run in worker processes. Importing this imports no framework; running it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from espalier.app.schemas import (
    Application,
    CatalogArchitecture,
    CatalogEntry,
    CostView,
    GroupView,
    KeptView,
    Shares,
)
from espalier.models.config import ChannelConfig, Cost, LayerCost, Shape
from espalier.search.candidates import Candidate
from espalier.search.datasets import DataPaths, Summary, folder_of, received
from espalier.search.estimate import PlanEstimate
from espalier.search.file import File
from espalier.search.question import Question
from espalier.search.results import FREE, Execution, Latencies, Pinned, Reported, Result, Smoke
from espalier.search.spec import Folder, JobSpec
from espalier.storage.store import Store

MOST_SHARED = 8 * 2**30
"""Bytes of a data set that is sent to other machines; they read a larger one themselves."""


def share_data(fingerprint: str, paths: DataPaths, store: Store) -> None:
    """Put a data set that was read here where machines find it that cannot."""
    folder = folder_of(fingerprint, paths.cache)
    if sum(file.stat().st_size for file in folder.iterdir()) <= MOST_SHARED:
        store.share(fingerprint, folder)


def _receive(fingerprint: str, paths: DataPaths, store: Store) -> None:
    """Fetch a data set that is not here, if it was shared; if not, it is looked for where it comes from."""
    if store.is_far:
        received(fingerprint, paths.cache, lambda folder: store.fetch(fingerprint, folder))


def prepare_job(
    spec: JobSpec, data: str | None, most: int, cores: int, paths: DataPaths, store: Store, pinned: Pinned = FREE
) -> Execution:
    """See `search.validate.prepare`."""
    from espalier.search.validate import prepare

    if data is not None:
        _receive(data, paths, store)
    return prepare(spec, data, most, cores, paths, pinned)


def smoke_job(question: Question, execution: Execution, paths: DataPaths, store: Store) -> Smoke:
    """See `search.smoke.smoke`."""
    from espalier.search.smoke import smoke

    _receive(question.data, paths, store)
    return smoke(question, execution, paths)


def measure_latencies(configs: Sequence[ChannelConfig], batch: int, cores: int, device: str) -> Latencies:
    """See `search.latency.latencies`."""
    from espalier.search.latency import latencies

    return latencies(configs, batch, cores, device)


def evaluate_candidate(
    candidate: Candidate,
    needs: Mapping[str, Mapping[str, str]],
    execution: Execution,
    store: Store,
    checkpoint: str,
    paths: DataPaths,
    report: Callable[[Reported], None],
    **options: Any,
) -> Result:
    """See `search.evaluate.evaluate`: `needs` has by role and name the hashes of artifacts, and `checkpoint` is a name.
    What is kept is in the store when this returns."""
    from espalier.search.evaluate import evaluate

    _receive(candidate.data, paths, store)
    files = {role: {name: store.path(hash) for name, hash in kept.items()} for role, kept in needs.items()}
    with store.checkpoint(checkpoint) as state:

        def told(reported: Reported) -> None:
            state.keep()
            report(reported)

        evaluated = evaluate(candidate, files, execution, paths, checkpoint=state.path, report=told, **options)
        kept = {name: store.put(content) for name, content in evaluated.artifacts.items()}
    return evaluated.result.model_copy(update={"artifacts": kept})


def validate_spec(spec: JobSpec, paths: DataPaths, memory: int | None = None) -> PlanEstimate:
    """See `search.validate.validate`."""
    from espalier.search.validate import validate

    return validate(spec, paths, memory)


def export_config(format: str, config: ChannelConfig, weights: Path | None, are_lost: bool = False) -> File:
    """See `search.exports.export`."""
    from espalier.search.exports import export

    return export(format, config, weights, are_lost)


def describe_catalog() -> dict[str, list[CatalogEntry]]:
    """By kind, everything that can be asked for: names, descriptions, option schemas."""
    from espalier.app.work.executors import EXECUTORS
    from espalier.models.architectures import names
    from espalier.models.layers import LAYERS
    from espalier.search.arms import ARMS
    from espalier.search.datasets import DATASETS
    from espalier.search.exports import EXPORTS
    from espalier.search.methods import METHODS
    from espalier.search.planners import PLANNERS
    from espalier.search.tasks import TASKS

    return {
        "architectures": [_describe_entry(name) for name in names()],
        "datasets": [
            CatalogEntry(
                name=entry.name,
                description=entry.description,
                recipes={name: recipe.model_dump(mode="json") for name, recipe in entry.recipes.items()},
            )
            for entry in DATASETS.values()
        ],
        "methods": [
            _entry(
                name,
                kind,
                kind.Options,
                finds_widths=kind.finds_widths,
                grain=kind.grain,
                fine_tuning=kind.fine_tuning,
            )
            for name, kind in METHODS.items()
        ],
        "exports": [_entry(name, kind) for name, kind in EXPORTS.items()],
        "arms": [_entry(name, kind, kind, role=kind.role) for name, kind in ARMS.items()],
        "planners": [_entry(name, kind, kind.Options) for name, kind in PLANNERS.items()],
        "tasks": [_entry(name, kind, metrics=kind.reported()) for name, kind in TASKS.items()],
        "layers": [_entry(kind.__name__, kind) for kind in LAYERS],
        "executors": [_entry(name, kind) for name, kind in EXECUTORS.items()],
    }


def _entry(name: str, thing: Any, options: Any = None, **more: Any) -> CatalogEntry:
    """A name and the first line of what it says of itself."""
    doc = (thing.__doc__ or "").strip().splitlines()
    schema = None if options is None else options.model_json_schema()
    return CatalogEntry(name=name, description=doc[0] if doc else "", options=schema, **more)


def _describe_entry(name: str) -> CatalogEntry:
    """An architecture's entry; of one that a package added and that is broken, what is wrong with it."""
    from espalier.models.architectures import architecture
    from espalier.models.errors import ArchitectureError

    try:
        entry = architecture(name)
    except ArchitectureError as error:
        return CatalogEntry(name=name, description=str(error), options={})
    return CatalogEntry(name=name, description=entry.description, options=entry.options.model_json_schema())


def describe_architecture(
    name: str, classes: int | None, shape: Shape | None, options: dict[str, Any]
) -> CatalogArchitecture:
    """One architecture: cost, groups, what can be pruned, and what cannot and why."""
    from espalier.models.network import Network, dense
    from espalier.search.presets import PRESETS

    network = Network.of(dense(name, classes, shape, options))
    params, macs = network.coupling.prunable()
    return CatalogArchitecture(
        name=name,
        classes=network.config.classes,
        shape=network.config.shape,
        cost=CostView(**network.cost._asdict()),
        groups=describe_groups(network.config),
        prunable=Shares(params=params, macs=macs),
        frozen=[KeptView(layer=kept.layer, reason=kept.reason) for kept in network.coupling.kept],
        presets=[*PRESETS.get(name, {})],
    )


def describe_dataset(dataset: str | Folder, paths: DataPaths) -> Summary:
    """See `search.datasets.summary`."""
    from espalier.search.datasets import summary

    return summary(dataset, paths)


def apply_pattern(
    keep: Sequence[float], application: Application, paths: DataPaths
) -> tuple[ChannelConfig, Cost, Cost]:
    """See `search.guidance.guided`; with the costs of its network and of the whole one."""
    from espalier.search.guidance import guided

    network = guided(keep, application.target, application.budget, application.minimum_keep, paths)
    return network.config, network.cost, network.coupling.cost(network.coupling.widths)


def describe_groups(config: ChannelConfig) -> list[GroupView]:
    """The channel groups of the dense network that a config is cut from, in order."""
    from espalier.models.network import Network

    return [
        GroupView(name=g.name, width=g.width, floor=g.minimum_width, stage=g.stage, layers=list(g.layers))
        for g in Network.of(config).groups
    ]


def receipt_of(config: ChannelConfig) -> list[LayerCost]:
    """The cost of a network, layer by layer."""
    from espalier.models.cost import receipt

    return receipt(config)
