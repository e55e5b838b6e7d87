"""Every error as problem+json (RFC 9457): what was wrong, what was got, what instead. Never a stack trace."""

from __future__ import annotations

import http
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from espalier.app.lanes import Busy
from espalier.app.work.executors.base import OverLimit, TaskFailed, WorkerLost
from espalier.search.errors import SpecError, WeightsLost
from espalier.storage.errors import IdempotencyClash, NotFound, StorageError, TooManyQueued, WrongState

log = logging.getLogger("espalier.api")

MEDIA_TYPE = "application/problem+json"
MAX_BODY = 1024 * 1024
RETRY_AFTER = "2"
"""Seconds until it is worth trying again, where the service cannot serve a request now."""
_LONGEST_DETAIL = 2000
_Handler = Callable[[Request, Any], Awaitable[JSONResponse]]


STATUS: dict[type[Exception], int] = {
    NotFound: 404,
    WrongState: 409,
    IdempotencyClash: 409,
    TooManyQueued: 429,
    SpecError: 422,
    Busy: 503,
    DataError: 422,  # a value no column can hold
    DBAPIError: 503,
    NoConnection: 503,
    OverLimit: 422,  # this request cannot be served
    WorkerLost: 503,
}
"""Errors of the domain, and what they are called over HTTP."""


class FieldProblem(BaseModel):
    """One field that is not as it must be."""

    loc: list[str | int]
    msg: str


class Problem(BaseModel):
    """What was wrong, what was got, and what would work."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = Field(default=None, description="for validation: where, and what")


SCHEMA = {"$ref": "#/components/schemas/Problem"}
MOST_ERRORS = 20


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries for these statuses."""
    return {
        status: {"content": {MEDIA_TYPE: {"schema": SCHEMA}}, "description": http.HTTPStatus(status).phrase}
        for status in statuses
    }


def problem(status: int, detail: str, errors: list[dict[str, Any]] | None = None, **headers: str) -> JSONResponse:
    """A problem document as a response."""
    if len(detail) > _LONGEST_DETAIL:
        detail = detail[:_LONGEST_DETAIL] + " …"
    if status in (429, 503):
        headers.setdefault("Retry-After", RETRY_AFTER)
    body = {"type": "about:blank", "title": http.HTTPStatus(status).phrase, "status": status, "detail": detail}
    if errors is not None:
        body["errors"] = errors
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI, shown: Callable[[Request, JSONResponse], Response]) -> None:
    """Make every error of the application a problem document, which `shown` may make a page for who reads pages."""

    def answers(kind: type[Exception]) -> Callable[[_Handler], _Handler]:
        def answered_by(handle: _Handler) -> _Handler:
            async def answer(request: Request, error: Any) -> Response:
                return shown(request, await handle(request, error))

            app.add_exception_handler(kind, answer)
            return handle

        return answered_by

    @answers(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        headers = {k: v for k, v in (error.headers or {}).items() if k.lower() != "content-length"}
        detail = str(error.detail)
        if (error.status_code, detail) == (404, "Not Found"):
            detail = f"nothing is at {request.url.path[:200]}; /docs lists what there is"
        if error.status_code == 405 and (allowed := _allowed(request)):
            headers["Allow"] = allowed
            detail = f"{request.method} is not for {request.url.path[:200]}, which takes {allowed}"
        return problem(error.status_code, detail, None, **headers)

    @answers(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = error.errors()
        explained = _explained(wrong)
        unexplained = (e for e in wrong if tuple(e["loc"]) not in explained)
        found = [{"loc": list(e["loc"]), "msg": _message(e)} for e in islice(unexplained, MOST_ERRORS)]
        if any(e["type"] == "json_invalid" for e in wrong):
            return problem(400, f"the body is not valid JSON: {found[0]['msg']}", found)
        media = request.headers.get("content-type", "none")
        if any(e["type"] == "media_type" for e in wrong):
            return problem(422, f"the body must be sent as Content-Type: application/json, got {media[:100]}", found)
        return problem(422, "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found[:5]), found)

    @answers(TaskFailed)
    async def _task(_request: Request, error: TaskFailed) -> JSONResponse:
        if error.is_users:
            return problem(404 if error.kind == WeightsLost.__name__ else 422, str(error))
        log.error("a task failed: %s: %s", error.kind, error)
        return problem(500, "the service failed to answer; its log says more")

    for kind, status in STATUS.items():
        answers(kind)(_handler(status))

    @answers(StorageError)
    async def _storage(_request: Request, error: StorageError) -> JSONResponse:
        return problem(503, str(error))

    @answers(Exception)
    async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
        # The connection is given up after this: say so, or the client's next request on it fails.
        return problem(500, "the service failed to answer; its log says more", None, Connection="close")


def _allowed(request: Request) -> str:
    """The methods of all routes at a path; each route alone knows its own. A name that has a route is no id."""
    routes, here = request.app.openapi()["paths"], request.url.path
    found = [routes[here]] if here in routes else [
        methods for path, methods in routes.items() if compile_path(path)[0].fullmatch(here)
    ]  # fmt: skip
    methods = {method.upper() for methods in found for method in methods}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def _message(error: dict[str, Any]) -> str:
    """What was wrong with one field, and what it was."""
    message, got = str(error["msg"]), error.get("input")
    if error["type"] in ("missing", "json_invalid", "too_much") or isinstance(got, (dict, list, bytes)):
        return message
    return f"{message}, got {repr(got)[:80]}"


def _explained(errors: Sequence[dict[str, Any]]) -> set[tuple[str | int, ...]]:
    """DataPaths whose error has its reason in one deeper inside (a list is 'too short' once its items are refused)."""
    return {tuple(error["loc"][:depth]) for error in errors for depth in range(len(error["loc"]))}


def _handler(status: int) -> Any:
    async def handle(_request: Request, error: Exception) -> JSONResponse:
        if isinstance(error, DataError):
            return problem(status, "a value in this request cannot be stored or looked up, such as a NUL character")
        if isinstance(error, NoConnection):
            return problem(status, "all connections to the database are in use; try again in a moment")
        if isinstance(error, DBAPIError):
            log.error("the database failed: %s", error.orig)
            return problem(status, "the database cannot serve this now (unreachable, locked or full); try later")
        return problem(status, str(error))

    return handle


class LimitBody:
    """Refuses bodies above `MAX_BODY`, by their declared length or as they arrive."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > MAX_BODY:
            await _too_large()(scope, receive, send)
            return
        body, more = b"", scope["method"] in ("POST", "PUT", "PATCH", "DELETE")
        pending: list[Message] = []
        while more:
            message = await receive()
            pending.append(message)
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MAX_BODY:
                await _too_large()(scope, receive, send)
                return

        async def replay() -> Message:
            return pending.pop(0) if pending else await receive()

        await self.app(scope, replay, send)


def _too_large() -> JSONResponse:
    return problem(413, f"the body is larger than {MAX_BODY:,} bytes, which is the most this service reads")
