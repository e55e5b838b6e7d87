"""Templates of pages and reports, and how what they show is written."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from espalier.app.words import count, duration, percent, plain
from espalier.search.version import VERSION

FOLDER = Path(__file__).parent
STATIC_FILES = FOLDER / "static"


def rendered(template: str, **values: object) -> str:
    """A template, filled. Everything in `values` is escaped, but for what is `Markup`."""
    return _environment().get_template(template).render(version=VERSION, **values)


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
