"""The pages: the front page, signing in, and the API's documentation."""

from __future__ import annotations

import html
import urllib.parse
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from espalier.app.server.auth import SIGN_IN, STATIC, is_signed_in, is_token, remember
from espalier.app.server.browsers import POLICY
from espalier.app.server.deps import ServiceDep

router = APIRouter(include_in_schema=False)

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Espalier</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}
:root{color-scheme:light dark}input{font:inherit;width:100%%;box-sizing:border-box}button{font:inherit;margin-top:1rem}
</style>
<h1>Espalier</h1>
%s
</html>"""
INDEX = (
    _PAGE
    % """<p>Pruning as architecture search. This service is used over HTTP and from the command line:</p>
<ul><li><a href="/docs">the API, with every route and error</a></li><li><code>espalier search --help</code></li></ul>"""
)
_FORM = """<form method="post" action="{action}">
<label for="token">{words}</label>
<p><input id="token" name="token" type="password" autocomplete="current-password" required autofocus></p>
<button>Sign in</button>
</form>
<p>The service keeps its token in <code>token</code> in its data directory, if none was set as
<code>ESPALIER_TOKEN</code>.</p>"""
LONGEST = 2000


@router.get("/", response_class=HTMLResponse)
def index(
    request: Request, service: ServiceDep, token: Annotated[str | None, Query(max_length=500)] = None
) -> Response:
    """The page; a token in the address becomes a cookie and leaves the address."""
    if token is None or service.token is None:
        return HTMLResponse(INDEX) if token is None else RedirectResponse("/", 303)
    if not is_token(service.token, token):
        return _form("/", "The token in the address is not this service's. Its token:", 401)
    return remember(RedirectResponse("/", 303), request, service.token)


@router.get(SIGN_IN)
def ask(next: Annotated[str, Query(max_length=500)] = "/") -> Response:
    """Ask for the token."""
    return _form(next, "This service's token:")


@router.post(SIGN_IN)
async def sign_in(request: Request, service: ServiceDep, next: Annotated[str, Query(max_length=500)] = "/") -> Response:
    """Exchange the token for a cookie."""
    fields = urllib.parse.parse_qs((await request.body())[:LONGEST].decode(errors="replace"))
    offered = fields.get("token", [""])[0].strip()
    if service.token is not None and not is_token(service.token, offered):
        return _form(next, "That is not this service's token. Its token:", 401)
    response = RedirectResponse(_here(next), 303)
    return response if service.token is None else remember(response, request, service.token)


def _form(next: str, words: str, status: int = 200) -> HTMLResponse:
    action = f"{SIGN_IN}?next={urllib.parse.quote(_here(next))}"
    return HTMLResponse(_PAGE % _FORM.format(action=html.escape(action), words=html.escape(words)), status)


def _here(path: str) -> str:
    """A page of this service, whatever address was named."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"


@router.get("/docs")
def docs(request: Request, service: ServiceDep) -> Response:
    """The API's documentation, for who may read it."""
    if service.token is not None and not is_signed_in(service.token, request):
        return RedirectResponse(f"{SIGN_IN}?next=/docs", 303)
    files = STATIC + "/swagger"
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Espalier",
        swagger_js_url=f"{files}/swagger-ui-bundle.js",
        swagger_css_url=f"{files}/swagger-ui.css",
        swagger_favicon_url=f"{files}/favicon-32x32.png",
    )
    page.headers["Content-Security-Policy"] = f"{POLICY}; script-src 'self' 'unsafe-inline'"  # Swagger UI's own
    return page


@router.get("/openapi.json")
def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())
