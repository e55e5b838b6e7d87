"""Asking for a token, before anything of a request is read; and what each may do."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
import urllib.parse
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from espalier.app.server.browsers import SAFE
from espalier.app.server.errors import problem
from espalier.app.server.rates import Rates
from espalier.storage import tokens
from espalier.storage.database import Database
from espalier.storage.errors import StorageError
from espalier.storage.roles import ROLES, Role
from espalier.storage.tables import TokenRow

log = logging.getLogger("espalier.api")

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
OPEN = frozenset({"/healthz", "/readyz", "/llms.txt", SIGN_IN})
"""Paths that need no token."""
COOKIE_SECONDS = 30 * 24 * 3600
STATIC = "/static"
"""The pages' scripts and styles stand under this; they need none either."""
READING = frozenset({"/v1/jobs/plan", "/new", SIGN_OUT})
"""What is asked by POST and changes nothing; of the form's answers, its route tells them apart."""
REMEMBERED_SECONDS, MOST_REMEMBERED = 2.0, 1000
"""For how long a token is taken to be what it was, so that not every request asks the database."""


class Caller(NamedTuple):
    """Who asks."""

    name: str | None
    """Of the token; None for the service's own, or where none is asked for."""
    role: Role

    def may(self, needed: Role) -> bool:
        """Whether the role is enough."""
        return ROLES.index(self.role) >= ROLES.index(needed)

    def must(self, needed: Role) -> None:
        """Raises HTTPException, 403, if it is not."""
        if not self.may(needed):
            raise HTTPException(403, self.refusal(needed))

    def must_own(self, job_id: str, submitted_by: str | None) -> None:
        """Of jobs, each changes its own; an admin those of everybody. Raises HTTPException, 403."""
        self.must("submit")
        if self.role != "admin" and submitted_by != self.name:
            whose = "with the service's own token" if submitted_by is None else f"by {submitted_by}"
            raise HTTPException(403, f"job {job_id} was submitted {whose}, and {self.name} may change its own alone")

    def refusal(self, needed: Role) -> str:
        """Why something is not done."""
        return f"the token {self.name} has the role {self.role}, and this takes {needed}"


OWNER = Caller(None, "admin")


def is_token(token: str, offered: str | None) -> bool:
    """Whether this is the token; compared in constant time. Nothing is never the token."""
    ours, theirs = (hashlib.sha256(text.encode()).digest() for text in (token, offered or ""))
    return bool(offered) and hmac.compare_digest(ours, theirs)


def signed_in(secret: str) -> str:
    """What a browser's cookie says: made from the token, or from what is kept of it, which cannot be found from it."""
    return hmac.new(secret.encode(), b"espalier: a browser that was shown the token", hashlib.sha256).hexdigest()


class Gate:
    """Knows whose a token or a cookie is: the service's own, or one of the database's. Threads may share it."""

    def __init__(self, token: str | None, database: Database) -> None:
        self.token, self._database = token, database
        """None: nobody is asked for one."""
        self._known: dict[str, tuple[float, Caller | None]] = {}

    async def of_request(self, request: Request) -> Caller | None:
        """Who sent a request, by its token or its cookie; where no token is asked for, the owner."""
        if self.token is None:
            return OWNER
        offered = _offered(request)
        if offered is None:
            return await self.of_cookie(request.cookies.get(cookie_name(request.scope)))
        return await self.caller(offered)

    async def caller(self, offered: str) -> Caller | None:
        """Whose a token is."""
        if self.token is not None and is_token(self.token, offered):
            return OWNER
        return await self._remembered(offered, self._with_token) if offered else None

    async def of_cookie(self, value: str | None) -> Caller | None:
        """Whose a cookie is."""
        if not value or self.token is None:
            return None
        if is_token(signed_in(self.token), value):
            return OWNER
        return await self._remembered(value, self._with_cookie)

    async def cookie(self, offered: str) -> str | None:
        """What a token is exchanged for in a browser; None if it is none."""
        if self.token is not None and is_token(self.token, offered):
            return signed_in(self.token)
        row = await run_in_threadpool(self._row, tokens.find, offered)
        return None if row is None else f"{row.id}.{self._proof(row)}"

    async def _remembered(self, secret: str, find: Callable[[str], Caller | None]) -> Caller | None:
        key, moment = tokens.hashed(f"{find.__name__} {secret}"), time.monotonic()
        until, caller = self._known.get(key, (0.0, None))
        if until < moment:
            caller = await run_in_threadpool(find, secret)
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = (moment + REMEMBERED_SECONDS, caller)
        return caller

    def _with_token(self, offered: str) -> Caller | None:
        return _caller(self._row(tokens.find, offered))

    def _with_cookie(self, value: str) -> Caller | None:
        id, _, proof = value.partition(".")
        row = self._row(tokens.with_id, id)
        return _caller(row) if row is not None and is_token(self._proof(row), proof) else None

    def _proof(self, row: TokenRow) -> str:
        """Made from what no database holds, too: who reads that cannot make a cookie."""
        return signed_in(f"{self.token} {row.hash}")

    def _row(self, find: Callable[..., TokenRow | None], by: str) -> TokenRow | None:
        if "\0" in by:  # which no database looks for
            return None
        with self._database.session() as session:
            return find(session, by)


def _caller(row: TokenRow | None) -> Caller | None:
    return None if row is None else Caller(row.name, next(role for role in ROLES if role == row.role))


def cookie_name(scope: Scope) -> str:
    """Of this service: a browser sends all of a machine's cookies to each of its ports."""
    _host, port = scope.get("server") or ("", None)
    return f"espalier_{port}"


def remember(response: Response, request: Request, cookie: str) -> Response:
    """Give a browser the cookie. A link in a chat brings it along, so that nobody signs in twice; another page's
    form does not (`browsers` refuses that, too), and reading changes nothing."""
    response.set_cookie(
        cookie_name(request.scope), cookie, COOKIE_SECONDS, httponly=True, samesite="lax",
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


def needed(method: str, path: str) -> Role:
    """What it takes to ask for this: to change something, to be allowed to submit."""
    applies = path.startswith("/v1/patterns/") and path.endswith("/apply")
    return "read" if method in SAFE or path in READING or applies else "submit"


class RequireToken:
    """Lets a request through with `Authorization: Bearer <token>`, or with the page's cookie, as far as that token's
    role goes. A gate without a token asks for none."""

    def __init__(
        self, app: ASGIApp, gate: Gate, rates: Rates, shown: Callable[[Request, JSONResponse], Response]
    ) -> None:
        self.app, self.gate, self.rates, self.shown = app, gate, rates, shown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self.gate.token is None or _is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        try:
            caller = await self.gate.of_request(request)
        except (SQLAlchemyError, StorageError):  # no handler of the application hears of what happens here
            log.warning("the database did not say whose a token is")
            await problem(503, "the database does not answer; try again")(scope, receive, send)
            return
        if caller is None:
            answer = self._unknown(request, _offered(request))
        elif not caller.may(wanted := needed(scope["method"], scope["path"])):
            answer = self.shown(request, problem(403, caller.refusal(wanted)))
        else:
            scope["espalier.caller"] = caller
            await self.app(scope, receive, send)
            return
        await answer(scope, receive, send)

    def _unknown(self, request: Request, offered: str | None) -> Response:
        if offered is None and reads_pages(request):
            here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            back = urllib.parse.urlencode({"next": here if request.method == "GET" else "/"})
            return RedirectResponse(f"{SIGN_IN}?{back}", 303)
        if offered and (wait := self.rates.wrong_token(request.client)):
            return too_many_wrong(wait)
        what = "a wrong token" if offered else "no token"
        answer = problem(401, f"{what} was sent; send 'Authorization: Bearer <token>'")
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer


def too_many_wrong(wait: int) -> JSONResponse:
    """Refuses who sends one wrong token after the other."""
    detail = f"too many wrong tokens were sent from your address; try again in {wait} s"
    return problem(429, detail, None, **{"Retry-After": str(wait)})


def caller_of(request: Request) -> Caller:
    """Who asks; where no token is asked for, everybody is the owner."""
    caller: Caller = request.scope.get("espalier.caller", OWNER)
    return caller


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith(STATIC + "/")


def _offered(request: Request) -> str | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None
