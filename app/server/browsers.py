"""What browsers are told, and what they may not do for other pages.

A browser sends a cookie, or reaches a service that asks for no token, for whatever page its user has open. So requests
are refused that come under a name which is not ours (DNS rebinding) or that another page's script or form made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from espalier.app.server.errors import problem

POLICY = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer that says nothing else of its own."""
_HOST = re.compile(r"(?:\[([^\[\]@]*)\]|([^:\[\]@]*))(?::\d+)?")
"""An address in brackets or a name, and a port."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class GuardBrowsers:
    """Refuses what other pages ask for, and says to browsers what to do with our answers."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] | None) -> None:
        self.app = app
        self.hosts = None if hosts is None else frozenset(hosts)
        """Names under which the service is reached; None: any."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refused(Headers(scope=scope), scope["method"])
        await (problem(*refused) if refused else self.app)(scope, receive, tell)

    def _refused(self, headers: Headers, method: str) -> tuple[int, str] | None:
        """Status and reason, if a request is not to be served."""
        host = headers.get("host", "")
        written = _HOST.fullmatch(host)
        name = (written[1] or written[2]).lower() if written else host
        if self.hosts is not None and name not in self.hosts:
            known = ", ".join(sorted(self.hosts))
            return 421, f"this service is not {name[:100]!r}, but {known}; ESPALIER_HOSTS names others"
        origin = headers.get("origin")
        foreign = origin is not None and origin.partition("://")[2] != host
        if method not in SAFE and (foreign or headers.get("sec-fetch-site") in ("cross-site", "same-site")):
            return 403, "a page of another site asked for this; only the service's own pages may"
        return None
