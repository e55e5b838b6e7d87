"""Optuna's dashboard under /optuna/, to read studies in (the extra `dashboard`).

It knows no address but the root's. So its page and its script are served with our addresses in place of its own, which
are found exactly once, or it is not served. It deletes whatever it is told to; only reading is let through.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from espalier.app.service import Service

log = logging.getLogger("espalier.api")

PREFIX = "/optuna"
MISSING = "Optuna's dashboard is not installed here: pip install 'espalier-nas[dashboard]'"
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "style-src 'self' data: 'unsafe-inline'; script-src 'self' 'unsafe-eval'"
)
"""The dashboard's own: its styles are made by its script, and one of its plots compiles shaders."""
PAGE = {'"/static/': f'"{PREFIX}/static/'}
SCRIPT = {
    'url_prefix:"/dashboard"': f'url_prefix:"{PREFIX}/dashboard"',
    '(null!=e?e:"")}handleResponse(': f'(null!=e?e:"{PREFIX}")}}handleResponse(',
}


class Unknown(ValueError):
    """A release of the dashboard that is made otherwise."""


def install(app: FastAPI, service: Service) -> None:
    """Serve the dashboard, where it is installed; else say how it would be."""
    try:
        import a2wsgi
        import optuna_dashboard

        folder = Path(optuna_dashboard.__file__).parent
        page = moved((folder / "index.html").read_text(encoding="utf-8"), PAGE)
        script = moved((folder / "public" / "bundle.js").read_text(encoding="utf-8"), SCRIPT)
    except ImportError:
        _explain(app, MISSING)
        return
    except (OSError, Unknown) as error:
        log.warning("Optuna's dashboard is not served: %s", error)
        _explain(app, f"Optuna's dashboard is installed, but not as this release knows it: {error}")
        return

    @cache
    def dashboard() -> Any:
        return a2wsgi.WSGIMiddleware(optuna_dashboard.wsgi(service.studies.storage))

    app.add_route(PREFIX, lambda _: RedirectResponse(f"{PREFIX}/dashboard"))
    app.add_route(f"{PREFIX}/", lambda _: RedirectResponse(f"{PREFIX}/dashboard"))
    for path in ("/dashboard", "/dashboard/{rest:path}"):
        app.add_route(PREFIX + path, lambda _: HTMLResponse(page, headers={"Content-Security-Policy": POLICY}))
    app.add_route(f"{PREFIX}/static/bundle.js", lambda _: Response(script, media_type="text/javascript"))
    app.mount(PREFIX, _ReadOnly(dashboard))


def moved(text: str, replaced: Mapping[str, str]) -> str:
    """The text with other addresses. Raises Unknown unless each is found exactly once."""
    for old, new in replaced.items():
        if text.count(old) != 1:
            raise Unknown(f"{old!r} is in it {text.count(old)} times")
        text = text.replace(old, new)
    return text


def _explain(app: FastAPI, words: str) -> None:
    async def explain(_: object) -> Response:
        raise HTTPException(404, words)

    for path in (PREFIX, f"{PREFIX}/{{rest:path}}"):
        app.add_route(path, explain)


class _ReadOnly:
    """The dashboard, for reading alone."""

    def __init__(self, dashboard: Any) -> None:
        self._dashboard = dashboard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, "studies are read here, and changed by their jobs alone", {"Allow": "GET"})
        # it looks up this header without asking whether it is there
        headers = [*scope["headers"], (b"accept-encoding", b"identity")]
        await self._dashboard()(dict(scope, headers=headers), receive, send)
