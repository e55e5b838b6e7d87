"""What routes depend on: the service, a place in a listing.

No database session is among them: one that ends in another thread than the route's holds a connection while it waits
for that thread, and the threads wait for connections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, cast

from anyio import from_thread
from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from espalier.app.server.auth import Caller, caller_of
from espalier.app.server.responses import BadCursor, position
from espalier.app.service import Service

BEARER = HTTPBearer(auto_error=False, description="the service's token, or one that `espalier token create` made")
"""Tells the API's description that a token is wanted; `app.server.auth` asks for it, before a body is read."""


def get_service(request: Request) -> Service:
    """The one service of this process."""
    return cast(Service, request.app.state.service)


ServiceDep = Annotated[Service, Depends(get_service)]


CallerDep = Annotated[Caller, Depends(caller_of)]
"""Who asks, and what he may."""


def known_parameters(request: Request) -> None:
    """Refuse parameters that a route does not have: a filter that is spelled wrong would filter nothing."""
    if not request.query_params:  # as most requests
        return
    known = [*_query_names(request.scope["route"].dependant)]
    if unknown := [name[:100] for name in request.query_params if name not in known]:
        there = f"there are: {', '.join(sorted(known))}" if known else "there are none here"
        raise HTTPException(422, f"no query parameter {', '.join(map(repr, unknown))}; {there}")


def _query_names(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _query_names(inner)


def get_gone(request: Request) -> Callable[[], bool]:
    """Tells a route, which runs in a thread, whether its client has gone."""
    return lambda: from_thread.run(request.is_disconnected)


Gone = Annotated[Callable[[], bool], Depends(get_gone)]


def get_position(cursor: Annotated[str | None, Query(max_length=200)] = None) -> int | None:
    """The position a cursor names."""
    try:
        return position(cursor)
    except BadCursor as error:
        raise HTTPException(422, str(error)) from error


Position = Annotated[int | None, Depends(get_position)]
Limit = Annotated[int, Query(ge=1, le=200, description="items on a page")]
