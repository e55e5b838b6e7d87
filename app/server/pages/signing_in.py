"""Signing in with a token, once, and out again."""

from __future__ import annotations

import urllib.parse
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from espalier.app.server.auth import SIGN_IN, SIGN_OUT, Gate, forget, remember, too_many_wrong
from espalier.app.server.pages.rendering import render, shown
from espalier.app.server.rates import Rates

router = APIRouter()

LONGEST = 2000
"""Bytes of a form that are read."""

Next = Annotated[str, Query()]
LONGEST_ADDRESS = 2000


@router.get(SIGN_IN)
async def ask(
    request: Request, next: Next = "/", token: Annotated[str | None, Query(max_length=500)] = None
) -> Response:
    """Ask for the token; one in the address becomes a cookie and leaves the address."""
    if token is None:
        return _form(next, "Token")
    return await _enter(request, token, next, "The token in the address is not known here. Token")


@router.post(SIGN_IN)
async def sign_in(request: Request, next: Next = "/") -> Response:
    """Exchange the token for a cookie."""
    fields = urllib.parse.parse_qs((await request.body())[:LONGEST].decode(errors="replace"))
    offered = fields.get("token", [""])[0].strip()
    return await _enter(request, offered, next, "That token is not known here, or was revoked. Token")


@router.post(SIGN_OUT)
def sign_out(request: Request) -> Response:
    """Forget the cookie."""
    return forget(RedirectResponse(SIGN_IN, 303), request)


async def _enter(request: Request, offered: str, next: str, otherwise: str) -> Response:
    gate: Gate = request.app.state.gate
    response = RedirectResponse(_here(next), 303)
    if gate.token is None:
        return response
    cookie = await gate.cookie(offered)
    if cookie is not None:
        return remember(response, request, cookie)
    rates: Rates = request.app.state.rates
    wait = rates.wrong_token(request.client)
    return _form(next, otherwise, 401) if wait is None else shown(request, too_many_wrong(wait))


def _form(next: str, words: str, status: int = 200) -> Response:
    action = f"{SIGN_IN}?next={urllib.parse.quote(_here(next))}"
    return render("sign-in.html", status, action=action, words=words)


def _here(path: str) -> str:
    """A page of this service, whatever address was named."""
    fits = len(path) <= LONGEST_ADDRESS and path.isprintable()
    return path if fits and path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
