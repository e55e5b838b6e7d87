"""Pages as answers, and errors as pages."""

from __future__ import annotations

import json

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from espalier.app.rendering import rendered
from espalier.app.server.auth import reads_pages
from espalier.app.server.browsers import HEADERS

KEPT = ("retry-after", "allow", "connection")
"""Headers of a problem that its page has, too."""


def render(template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A page."""
    return HTMLResponse(rendered(template, **values), status)


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
