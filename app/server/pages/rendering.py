"""Templates, and how what they show is written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from markupsafe import Markup

from espalier.app.server.auth import reads_pages
from espalier.app.words import count, percent, plain
from espalier.search.version import VERSION

FOLDER = Path(__file__).parents[1]
STATIC_FILES = FOLDER / "static"


def render(template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A page. Everything in `values` is escaped, but for pictures of our own (`Markup`)."""
    return HTMLResponse(_environment().get_template(template).render(version=VERSION, **values), status)


def shown(request: Request, problem: JSONResponse) -> Response:
    """An error as a page, to a browser that goes to one; as it is to anyone else."""
    if not reads_pages(request):
        return problem
    said = json.loads(bytes(problem.body))
    page = render("error.html", said["status"], title=said["title"], detail=said["detail"])
    page.headers.update({name: value for name, value in problem.headers.items() if name in ("retry-after", "allow")})
    return page


def picture(svg: str) -> Markup:
    """A picture of `app.charts`, which has escaped what stands in it, as a part of a page."""
    return Markup(svg)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": count, "percent": percent, "plain": plain, "when": when, "duration": duration}
    return environment


def when(time: datetime | None) -> str:
    """A time, in UTC."""
    return "" if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def duration(seconds: float | None) -> str:
    """A length of time, in the one or two units that matter."""
    if seconds is None:
        return "unknown"
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min"
