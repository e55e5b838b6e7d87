"""What there is to ask for: architectures, data sets, methods, export formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import JsonValue, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException

from espalier.app.schemas import CatalogArchitecture, CatalogEntry
from espalier.app.server.deps import Gone, ServiceDep
from espalier.app.server.errors import problems
from espalier.app.work.tasks import describe_architecture, describe_catalog, describe_dataset
from espalier.models.config import Shape
from espalier.models.errors import UnknownArchitecture
from espalier.search.datasets import Summary
from espalier.search.errors import UnknownName
from espalier.search.spec import FOLDER, Folder

router = APIRouter(prefix="/v1/catalog", tags=["catalog"])


KINDS = {
    "architectures": "Every network that can be named, and the options of its factory.",
    "datasets": 'Data sets by name, with their recipes. Image folders are named in the spec: `{"folder": "name"}`.',
    "methods": "Pruning methods and their options.",
    "exports": "Formats of exported architectures.",
    "arms": "What networks are compared: where their channels come from; those of role `baseline` a spec may name.",
    "planners": "What decides which networks are tried, and their options.",
    "tasks": "What networks are trained for, and the metrics that are measured.",
    "layers": "Kinds of layers that tracing understands.",
    "executors": "Where networks can be trained.",
}
"""What the catalog lists."""


def _listing(kind: str) -> Callable[[ServiceDep], list[CatalogEntry]]:
    def listing(service: ServiceDep) -> list[CatalogEntry]:
        return service.ask_once(describe_catalog)[kind]

    return listing


for _kind, _words in KINDS.items():
    router.add_api_route(
        f"/{_kind}",
        _listing(_kind),
        operation_id="list_catalog_architectures" if _kind == "architectures" else f"list_{_kind}",
        description=_words,
    )


OPTIONS: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


def _shape(shape: Annotated[str | None, Query(max_length=50, examples=["3,32,32"])] = None) -> Shape | None:
    """channels,height,width."""
    if shape is None:
        return None
    parts = shape.split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() and 1 <= int(part) <= 4096 for part in parts):
        raise HTTPException(
            422, f"shape is channels,height,width, each from 1 to 4096, got {shape!r}; for example 3,32,32"
        )
    return int(parts[0]), int(parts[1]), int(parts[2])


def _options(
    options: Annotated[str | None, Query(max_length=2000, description="factory options as JSON")] = None,
) -> dict[str, JsonValue]:
    if options is None:
        return {}
    try:
        value = OPTIONS.validate_json(options)
        json.dumps(value, allow_nan=False)
    except ValueError as error:  # pydantic's is one, too
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise HTTPException(422, f'options is a JSON object such as {{"width": 0.5}}: {reason}') from error
    return value


@router.get("/architectures/{name:path}", operation_id="describe_architecture", responses=problems(404, 422))
def architecture(
    name: str,
    service: ServiceDep,
    shape: Annotated[Shape | None, Depends(_shape)],
    options: Annotated[dict[str, JsonValue], Depends(_options)],
    classes: Annotated[int | None, Query(ge=1, le=100_000)] = None,
) -> CatalogArchitecture:
    """One network: its cost, its channel groups, what can be pruned, and what cannot and why."""
    known = [entry.name for entry in service.ask_once(describe_catalog)["architectures"]]
    if name not in known:
        raise HTTPException(404, str(UnknownArchitecture(name[:200], known)))
    return service.ask_once(describe_architecture, name, classes, shape, options)


def _folder_options(
    size: Annotated[int | None, Query(ge=8, le=1024, description="edge in pixels")] = None,
    fit: Annotated[Literal["crop", "pad"] | None, Query(description="how other proportions become a square")] = None,
    channels: Annotated[int | None, Query(description="1: grey, 3: colour")] = None,
) -> dict[str, Any]:
    if channels not in (None, 1, 3):
        raise HTTPException(422, f"channels is 1 for grey or 3 for colour, got {channels}")
    given = {"size": size, "fit": fit, "channels": channels}
    return {name: value for name, value in given.items() if value is not None}


def _folder(name: str, options: dict[str, Any]) -> Folder:
    try:
        return Folder(folder=name, **options)
    except ValidationError as error:
        raise HTTPException(422, f"the folder's name: {error.errors()[0]['msg']}") from error


@router.get("/datasets/{name:path}", operation_id="describe_dataset", responses=problems(404, 422))
def dataset(
    name: str, service: ServiceDep, gone: Gone, options: Annotated[dict[str, Any], Depends(_folder_options)]
) -> Summary:
    """One data set, or `folder:NAME`: images by part and class, what their files were, and how four of them look.

    `size`, `fit` and `channels` say how a folder is to be read, as in a job's target.
    """
    if name.startswith(FOLDER):
        return service.examine(describe_dataset, _folder(name.removeprefix(FOLDER), options), service.paths, gone=gone)
    known = [entry.name for entry in service.ask_once(describe_catalog)["datasets"]]
    if name not in known:
        raise HTTPException(404, f"{UnknownName('data set', name[:200], known)} (images of your own are {FOLDER}NAME)")
    if options:
        raise HTTPException(422, f"{', '.join(options)} is for folders; {name} is read as it is")
    return service.examine(describe_dataset, name, service.paths, gone=gone)
