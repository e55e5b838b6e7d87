"""Reading a job spec from a request, away from the event loop: a mebibyte of nonsense takes a while to refuse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from espalier.search.spec import MEANINGS, JobSpec

MOST_VALUES = 5000
"""Values a spec may hold, inner ones counted. Far more than a search can use, and few enough to list what is wrong."""

DOCUMENTED = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/JobSpec"}}},
    }
}
"""What the OpenAPI document says of a route that takes a spec."""


async def read_spec(request: Request) -> JobSpec:
    """The body as a spec. Raises RequestValidationError."""
    return await run_in_threadpool(parse_spec, await request.body(), request.headers.get("content-type", ""))


SpecDep = Annotated[JobSpec, Depends(read_spec)]


def parse_spec(body: bytes, media_type: str) -> JobSpec:
    """A spec from JSON. Raises RequestValidationError."""
    if not body:
        raise _refused("missing", "Field required")
    if media_type.partition(";")[0].strip().lower() != "application/json":
        raise _refused("media_type", "Input should be a JSON object", media_type)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _refused("json_invalid", str(error)) from error
    if _holds_too_much(value):
        raise _refused("too_much", f"a spec holds at most {MOST_VALUES:,} values, and this one has more")
    try:
        return JobSpec.model_validate(value)
    except ValidationError as error:
        raise RequestValidationError([{**e, "loc": _place(e["loc"])} for e in error.errors()]) from error


def _place(location: Sequence[int | str]) -> tuple[int | str, ...]:
    """Where in the body something is wrong."""
    return ("body", *(part for part in location if part not in MEANINGS))


def _holds_too_much(value: Any) -> bool:
    count, waiting = 0, [value]
    while waiting and count <= MOST_VALUES:
        inner = waiting.pop()
        count += 1
        if isinstance(inner, dict):
            inner = inner.values()
        elif not isinstance(inner, list):
            continue
        if len(inner) > MOST_VALUES:
            return True
        waiting.extend(inner)
    return count > MOST_VALUES


def _refused(kind: str, message: str, got: Any = None) -> RequestValidationError:
    return RequestValidationError([{"type": kind, "loc": ("body",), "msg": message, "input": got}])
