"""Answers are compressed for whoever takes gzip."""

from __future__ import annotations

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

LEAST_BYTES, LEVEL = 1000, 5
"""What is shorter is sent as it is; the level is in the middle of what there is."""


class Compress:
    """Compresses all but exported files, of which weights do not shrink. Event streams pass as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self.plain = app
        self.compressed = GZipMiddleware(app, minimum_size=LEAST_BYTES, compresslevel=LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_export = scope["type"] == "http" and scope["path"].endswith("/export")
        await (self.plain if is_export else self.compressed)(scope, receive, send)
