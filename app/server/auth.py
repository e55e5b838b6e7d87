"""Asking for the token, before anything of a request is read."""

from __future__ import annotations

import hashlib
import hmac
import urllib.parse

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from espalier.app.server.errors import problem

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
OPEN = frozenset({"/healthz", "/readyz", "/llms.txt", SIGN_IN})
"""Paths that need no token."""
COOKIE_SECONDS = 30 * 24 * 3600
STATIC = "/static"
"""The pages' scripts and styles stand under this; they need none either."""


def is_token(token: str, offered: str | None) -> bool:
    """Whether this is the token; compared in constant time. Nothing is never the token."""
    ours, theirs = (hashlib.sha256(text.encode()).digest() for text in (token, offered or ""))
    return bool(offered) and hmac.compare_digest(ours, theirs)


def signed_in(token: str) -> str:
    """What a browser's cookie says: made from the token, which cannot be found from it."""
    return hmac.new(token.encode(), b"espalier: a browser that was shown the token", hashlib.sha256).hexdigest()


def cookie_name(scope: Scope) -> str:
    """Of this service: a browser sends all of a machine's cookies to each of its ports."""
    _host, port = scope.get("server") or ("", None)
    return f"espalier_{port}"


def is_signed_in(token: str, request: Request) -> bool:
    """Whether a browser's request carries the cookie that the token was exchanged for."""
    return is_token(signed_in(token), request.cookies.get(cookie_name(request.scope)))


def remember(response: Response, request: Request, token: str) -> Response:
    """Exchange the token for a cookie. A link in a chat brings it along, so that nobody signs in twice; another page's
    form does not (`browsers` refuses that, too), and reading changes nothing."""
    response.set_cookie(
        cookie_name(request.scope), signed_in(token), COOKIE_SECONDS, httponly=True, samesite="lax",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return response


def forget(response: Response, request: Request) -> Response:
    """Let a browser forget that it was shown the token."""
    response.delete_cookie(cookie_name(request.scope), httponly=True, samesite="lax")
    return response


def reads_pages(request: Request) -> bool:
    """Whether this is a browser that goes to a page, and not a program that asks the API."""
    is_page = not request.url.path.startswith(("/v1/", STATIC + "/"))
    return is_page and "text/html" in request.headers.get("accept", "")


class RequireToken:
    """Lets a request through with `Authorization: Bearer <token>`, or with the page's cookie. None asks for nothing."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self.token is None or _is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        offered = _offered(request)
        if is_token(self.token, offered) or (offered is None and is_signed_in(self.token, request)):
            await self.app(scope, receive, send)
            return
        if offered is None and reads_pages(request):
            here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            back = urllib.parse.urlencode({"next": here if request.method == "GET" else "/"})
            await RedirectResponse(f"{SIGN_IN}?{back}", 303)(scope, receive, send)
            return
        what = "a wrong token" if offered else "no token"
        answer = problem(401, f"{what} was sent; send 'Authorization: Bearer <token>'")
        answer.headers["WWW-Authenticate"] = "Bearer"
        await answer(scope, receive, send)


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith(STATIC + "/")


def _offered(request: Request) -> str | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None
