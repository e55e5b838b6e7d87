"""How often each token may ask, and how often an address may be wrong about one."""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Address
from starlette.types import ASGIApp, Receive, Scope, Send

from espalier.app.server.errors import problem

WRONG_TOKENS = RateLimitItemPerMinute(300)
"""From one address. Who has a token is served all the same: others may share the address, behind a proxy."""


class Rates:
    """Counts, in the memory of this process."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def wait(self, rate: RateLimitItem, whose: str) -> int | None:
        """Count one more of somebody's; seconds until there may be another, if this was one too many."""
        if self._limiter.hit(rate, whose):
            return None
        return max(1, math.ceil(self._limiter.get_window_stats(rate, whose).reset_time - time.time()))

    def wrong_token(self, client: Address | None) -> int | None:
        """Count a wrong token of an address; seconds until there may be another, if this was one too many."""
        return None if client is None else self.wait(WRONG_TOKENS, f"address {client.host}")


class LimitRate:
    """Refuses requests of a token that has asked so often, before anything is done for it. `/healthz` and the like,
    which need no token, are not counted."""

    def __init__(self, app: ASGIApp, rates: Rates, rate: RateLimitItem) -> None:
        self.app, self.rates, self.rate = app, rates, rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = scope.get("espalier.caller")
        wait = None if caller is None else self.rates.wait(self.rate, f"token {caller.name}")
        if wait is None:
            await self.app(scope, receive, send)
            return
        detail = f"more than {_in_words(self.rate)} with this token; try again in {wait} s"
        await problem(429, detail, None, **{"Retry-After": str(wait)})(scope, receive, send)


def _in_words(rate: RateLimitItem) -> str:
    every = f"{rate.multiples} {rate.GRANULARITY.name}s" if rate.multiples > 1 else rate.GRANULARITY.name
    return f"{rate.amount} requests per {every}"
