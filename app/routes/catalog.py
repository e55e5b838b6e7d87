"""What there is to ask for: architectures, data sets, methods, export formats."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import JsonValue, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException

from espalier.app.deps import ServiceDep
from espalier.app.errors import problems
from espalier.app.tasks import describe_architecture, describe_catalog
from espalier.app.views import CatalogArchitecture, CatalogEntry

router = APIRouter(prefix="/v1/catalog", tags=["catalog"])


@router.get("/architectures", operation_id="list_catalog_architectures")
def architectures(service: ServiceDep) -> list[CatalogEntry]:
    """Every network that can be named, and the options of its factory."""
    return _entries(service.ask_once(describe_catalog)["architectures"])


@router.get("/datasets", operation_id="list_datasets")
def datasets(service: ServiceDep) -> list[CatalogEntry]:
    """Data sets by name, with their recipes. Image folders are named in the spec: `{"folder": "name"}`."""
    return _entries(service.ask_once(describe_catalog)["datasets"])


@router.get("/methods", operation_id="list_methods")
def methods(service: ServiceDep) -> list[CatalogEntry]:
    """Pruning methods and their options."""
    return _entries(service.ask_once(describe_catalog)["methods"])


@router.get("/exports", operation_id="list_exports")
def exports(service: ServiceDep) -> list[CatalogEntry]:
    """Formats of exported architectures."""
    return _entries(service.ask_once(describe_catalog)["exports"])


def _entries(described: list[dict[str, Any]]) -> list[CatalogEntry]:
    return [CatalogEntry.model_validate(entry) for entry in described]


Shape = tuple[int, int, int]
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
    known = [entry["name"] for entry in service.ask_once(describe_catalog)["architectures"]]
    if name not in known:
        raise HTTPException(404, f"no architecture {name[:200]!r}; there are: {', '.join(known)}")
    return CatalogArchitecture.model_validate(service.ask_once(describe_architecture, name, classes, shape, options))
