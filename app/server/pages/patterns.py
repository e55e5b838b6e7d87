"""The library of patterns as pages."""

from __future__ import annotations

import urllib.parse

from fastapi import APIRouter
from fastapi.responses import Response

from espalier.app import tables
from espalier.app.server.deps import Limit, Position, ServiceDep
from espalier.app.server.pages.rendering import render
from espalier.app.server.routes import patterns as api
from espalier.app.server.routes.patterns import Text

router = APIRouter()


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
def show(pattern_id: str, service: ServiceDep) -> Response:
    """One pattern, and where it was followed."""
    return render("pattern.html", known=api.pattern(pattern_id, service))
