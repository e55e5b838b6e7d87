"""Architectures as pages: those that were found, and one of them, alone or beside another."""

from __future__ import annotations

import urllib.parse
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Query
from fastapi.responses import Response

from espalier.app import charts, tables
from espalier.app.charts.bars import Bar
from espalier.app.rendering import picture
from espalier.app.schemas import ArchitectureView
from espalier.app.server.deps import Limit, Position, ServiceDep
from espalier.app.server.pages.rendering import formats, render
from espalier.app.server.routes import results as api
from espalier.app.server.routes.results import Text
from espalier.app.service import Service
from espalier.app.work.tasks import describe_groups
from espalier.models.config import ChannelConfig
from espalier.storage.errors import NotFound

router = APIRouter()

Sort = Literal["accuracy", "params", "macs", "latency"]


@router.get("/architectures")
def index(
    service: ServiceDep,
    arch: Text = "",
    dataset: Text = "",
    sort: Sort = "accuracy",
    position: Position = None,
    limit: Limit = 50,
) -> Response:
    """Architectures of all jobs."""
    found = api.architectures(
        service, arch or None, dataset or None, None, None, None, None, None, sort, position, limit
    )
    kept = urllib.parse.urlencode({"arch": arch or "", "dataset": dataset or "", "sort": sort})
    return render(
        "architectures.html", found=found.items, following=found.next_cursor, query=f"{kept}&", arch=arch or "",
        dataset=dataset or "", sort=sort, sorts=get_args(Sort),
    )  # fmt: skip


@router.get("/architectures/{architecture_id}")
def show(architecture_id: str, service: ServiceDep, beside: Annotated[str, Query(max_length=200)] = "") -> Response:
    """One architecture: its channels, what each layer costs, what training it showed."""
    view = api.architecture(architecture_id, service)
    other, problem = None, ""
    if beside.strip():
        try:
            other = api.architecture(beside.strip(), service)
        except NotFound as error:
            problem = str(error)
        if other is not None and _network(other) != _network(view):
            problem = f"{other.config.arch} with its options has other layers, or other weights are masked in it"
            other = None
    title = f"Channels of {view.config.arch}"
    shown = [view] if other is None else [view, other]
    groups, names = bars_of(service, *(one.config for one in shown)), [one.id[:10] for one in shown]
    return render(
        "architecture.html",
        view=view,
        beside=beside,
        problem=problem,
        masked=view.config.mask is not None,
        bars=picture(charts.bars(title, groups, names, False)),
        stages=tables.stages(groups, names),
        formats=formats(service),
        most=max((layer.macs for layer in view.layers), default=1) or 1,
    )


def _network(view: ArchitectureView) -> tuple[object, ...]:
    return view.config.arch, view.config.options, view.config.inputs, view.config.outputs, view.config.mask


def bars_of(service: Service, *configs: ChannelConfig) -> list[Bar]:
    """The groups of a network, with what each of these configs of it keeps."""
    groups = service.ask_once(describe_groups, configs[0])
    return [
        Bar(one.name, one.stage, one.width, [config.widths.get(one.name, one.width) for config in configs])
        for one in groups
    ]
