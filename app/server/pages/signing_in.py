"""Signing in with the service's token, once, and out again."""

from __future__ import annotations

import urllib.parse
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from espalier.app.server.auth import SIGN_IN, SIGN_OUT, forget, is_token, remember
from espalier.app.server.deps import ServiceDep
from espalier.app.server.pages.rendering import render

router = APIRouter()

LONGEST = 2000
"""Bytes of a form that are read."""

Next = Annotated[str, Query()]
LONGEST_ADDRESS = 2000


@router.get(SIGN_IN)
def ask(
    request: Request,
    service: ServiceDep,
    next: Next = "/",
    token: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """Ask for the token; one in the address becomes a cookie and leaves the address."""
    if token is None:
        return _form(next, "This service's token")
    if service.token is not None and not is_token(service.token, token):
        return _form(next, "The token in the address is not this service's. Its token", 401)
    return _enter(request, service.token, next)


@router.post(SIGN_IN)
async def sign_in(request: Request, service: ServiceDep, next: Next = "/") -> Response:
    """Exchange the token for a cookie."""
    fields = urllib.parse.parse_qs((await request.body())[:LONGEST].decode(errors="replace"))
    offered = fields.get("token", [""])[0].strip()
    if service.token is not None and not is_token(service.token, offered):
        return _form(next, "That is not this service's token. Its token", 401)
    return _enter(request, service.token, next)


@router.post(SIGN_OUT)
def sign_out(request: Request) -> Response:
    """Forget the cookie."""
    return forget(RedirectResponse(SIGN_IN, 303), request)


def _enter(request: Request, token: str | None, next: str) -> Response:
    response = RedirectResponse(_here(next), 303)
    return response if token is None else remember(response, request, token)


def _form(next: str, words: str, status: int = 200) -> Response:
    action = f"{SIGN_IN}?next={urllib.parse.quote(_here(next))}"
    return render("sign-in.html", status, action=action, words=words)


def _here(path: str) -> str:
    """A page of this service, whatever address was named."""
    fits = len(path) <= LONGEST_ADDRESS and path.isprintable()
    return path if fits and path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
