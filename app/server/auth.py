"""Asking for the token, before anything of a request is read."""

from __future__ import annotations

import hashlib
import hmac

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from espalier.app.server.errors import problem

COOKIE = "espalier_token"
OPEN = frozenset({"/", "/docs", "/healthz", "/readyz"})
"""Paths that need no token."""
STATIC = "/static"
"""The pages' scripts and styles stand under this; they need none either."""


def is_token(token: str, offered: str | None) -> bool:
    """Whether this is the token; compared in constant time. Nothing is never the token."""
    ours, theirs = (hashlib.sha256(text.encode()).digest() for text in (token, offered or ""))
    return bool(offered) and hmac.compare_digest(ours, theirs)


class RequireToken:
    """Lets a request through with `Authorization: Bearer <token>`, or with the page's cookie. None asks for nothing."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self.token is None or _is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        offered = _offered(Request(scope))
        if is_token(self.token, offered):
            await self.app(scope, receive, send)
            return
        what = "a wrong token" if offered else "no token"
        answer = problem(401, f"{what} was sent; send 'Authorization: Bearer <token>'")
        answer.headers["WWW-Authenticate"] = "Bearer"
        await answer(scope, receive, send)


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith(STATIC + "/")


def _offered(request: Request) -> str | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else request.cookies.get(COOKIE)
