"""The library of patterns as pages."""

from __future__ import annotations

import urllib.parse
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import ValidationError

from espalier.app import charts, tables
from espalier.app.rendering import picture
from espalier.app.schemas import Application, AppliedView
from espalier.app.server.deps import Gone, Limit, Position, ServiceDep
from espalier.app.server.pages.architectures import bars_of
from espalier.app.server.pages.form import budget_of, target_of, width_of
from espalier.app.server.pages.rendering import render
from espalier.app.server.routes import patterns as api
from espalier.app.server.routes.patterns import Text
from espalier.app.service import Service
from espalier.app.work.executors.base import TaskFailed
from espalier.search.answers.patterns import KnownPattern, similarity
from espalier.search.errors import SpecError
from espalier.storage.errors import NotFound

router = APIRouter()

Field = Annotated[str, Query(max_length=200)]


@router.get("/patterns")
def index(
    service: ServiceDep, arch: Text = "", dataset: Text = "", position: Position = None, limit: Limit = 50
) -> Response:
    """What was found, what following it did, first those for which most speaks."""
    found = api.patterns(service, arch or None, dataset or None, position, limit)
    kept = urllib.parse.urlencode({"arch": arch or "", "dataset": dataset or ""})
    return render(
        "patterns.html", found=found.items, table=tables.library(found.items), following=found.next_cursor,
        query=f"{kept}&", arch=arch or "", dataset=dataset or "",
    )  # fmt: skip


@router.get("/patterns/{pattern_id}")
def show(
    pattern_id: str,
    service: ServiceDep,
    gone: Gone,
    beside: Field = "",
    arch: Field = "",
    width: Field = "",
    dataset: Field = "",
    budget: Field = "",
) -> Response:
    """One pattern, and where it was followed; over another one; and what it gives with another network, untrained."""
    known = api.pattern(pattern_id, service)
    other, unknown = _other(service, known, beside)
    shown = {f"{one.id[:10]}, {one.target}, {one.pattern.budget}": one.pattern for one in (known, other) if one}
    given, refused = _applied(service, known, gone, arch, width, dataset, budget) if arch.strip() else (None, "")
    where = known.target
    return render(
        "pattern.html",
        known=known,
        beside=beside,
        unknown=unknown,
        figure=picture(charts.kept(shown, False)),
        alike=tables.similarities([(known.pattern, other.pattern, similarity(known.pattern, other.pattern))])
        if other
        else None,
        given=given,
        refused=refused,
        bars=picture(
            charts.bars(f"Channels of {given.config.arch}", bars_of(service, given.config), [known.id[:10]], False)
        )
        if given
        else None,
        asked={
            "arch": arch or where.arch,
            "width": width if arch.strip() else width_of(where),
            "dataset": dataset or where.dataset_name,
            "budget": budget or str(known.pattern.budget),
        },
    )


def _other(service: Service, known: KnownPattern, beside: str) -> tuple[KnownPattern | None, str]:
    """The pattern that is laid over this one, or why there is none."""
    if not beside.strip():
        return None, ""
    try:
        other = api.pattern(beside.strip(), service)
    except NotFound as error:
        return None, str(error)
    if other.pattern.grain != known.pattern.grain:
        return None, f"{other.id[:10]} cuts single {other.pattern.grain}s, and is nothing to lay over this one"
    return other, ""


def _applied(
    service: Service, known: KnownPattern, gone: Gone, arch: str, width: str, dataset: str, budget: str
) -> tuple[AppliedView | None, str]:
    """What the pattern gives there, or why nothing."""
    try:
        asked = {"target": target_of(arch, width, dataset), "budget": budget_of(budget.strip())}
        return api.apply(known.id, Application.model_validate(asked), service, gone), ""
    except ValidationError as error:
        return None, "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    except SpecError as error:
        return None, str(error)
    except TaskFailed as error:
        if not error.is_users:
            raise
        return None, str(error)
