"""Pages as answers, and errors as pages."""

from __future__ import annotations

import json
from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from espalier.app.rendering import rendered
from espalier.app.schemas import CatalogEntry
from espalier.app.server.auth import reads_pages
from espalier.app.server.browsers import HEADERS
from espalier.app.service import Service
from espalier.app.work.tasks import describe_catalog

KEPT = ("retry-after", "allow", "connection")
"""Headers of a problem that its page has, too."""


def render(template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A page."""
    return HTMLResponse(rendered(template, **values), status)


def formats(service: Service) -> list[str]:
    """What an architecture can be exported as."""
    catalog: Mapping[str, list[CatalogEntry]] = service.ask_once(describe_catalog)
    return [one.name for one in catalog["exports"]]


def shown(request: Request, problem: JSONResponse) -> Response:
    """An error as a page, to a browser that goes to one; as it is to anyone else."""
    if not reads_pages(request):
        return problem
    said = json.loads(bytes(problem.body))
    page = render("error.html", said["status"], title=said["title"], detail=said["detail"])
    page.headers.update({name: value for name, value in problem.headers.items() if name in KEPT})
    for name, value in HEADERS.items():  # of an error that nothing foresaw, no middleware hears
        page.headers.setdefault(name, value)
    return page
