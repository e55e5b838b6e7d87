"""Events of jobs as they happen, for any number of followers: those of one job who have got as far share one look."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.concurrency import run_in_threadpool

from espalier.app.server.responses import event_data, event_view
from espalier.app.service import Service
from espalier.search.states import FINISHED, JobState
from espalier.storage import events, jobs
from espalier.storage.errors import NotFound

LOOK_SECONDS = 0.5
MOST_AT_ONCE = 500
"""Events that are read and sent together."""
KEEPALIVE_SECONDS = 15.0


class News(NamedTuple):
    """What happened to a job after some event."""

    sent: bytes
    """As a stream has it."""
    last: int
    """Id of the last event in it."""
    is_full: bool
    """Whether there may be more already."""
    is_over: bool
    """Whether nothing more can come."""


@dataclass
class _Look:
    task: asyncio.Task[News]
    waiting: int = 0


class Streams:
    """What followers of one service wait for; of one event loop."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._looks: dict[tuple[str, int], _Look] = {}

    async def follow(self, job_id: str, after: int, may: Callable[[], Awaitable[object]]) -> AsyncIterator[bytes]:
        """The events of a job as a stream, until it is finished or forgotten, the service stops, or who follows it
        `may` no longer."""
        while not self._service.stopping:
            try:
                news = await self._news(job_id, after)
            except NotFound:
                return
            if not await may():
                return
            yield news.sent if news else KEEPALIVE_COMMENT
            if news is None:
                continue
            after = news.last
            if news.is_over:
                return
            if not news.is_full:
                await asyncio.sleep(LOOK_SECONDS)

    async def _news(self, job_id: str, after: int) -> News | None:
        """What there is after an event, as soon as there is anything; None if there was nothing for long."""
        key = (job_id, after)
        look = self._looks.get(key)
        if look is None or look.task.done():
            look = self._looks[key] = _Look(asyncio.create_task(self._look(job_id, after)))
        look.waiting += 1
        try:
            return await asyncio.wait_for(asyncio.shield(look.task), KEEPALIVE_SECONDS)
        except TimeoutError:
            return None
        finally:
            look.waiting -= 1
            if not look.waiting:
                look.task.cancel()
                if self._looks.get(key) is look:
                    del self._looks[key]

    async def _look(self, job_id: str, after: int) -> News:
        while True:
            news = await run_in_threadpool(self._read, job_id, after)
            if news.sent or news.is_over or self._service.stopping:
                return news
            await asyncio.sleep(LOOK_SECONDS)

    def _read(self, job_id: str, after: int) -> News:
        with self._service.database.session() as session:
            is_finished = JobState(jobs.get(session, job_id).state) in FINISHED  # before they are read
            found = [event_view(row) for row in events.after(session, job_id, after, MOST_AT_ONCE)]
        sent = b"".join(
            format_sse_event(
                data_str=json.dumps(event_data(one) | {"at": one.at.isoformat()}), event=one.event, id=str(one.id)
            )
            for one in found
        )
        is_full = len(found) == MOST_AT_ONCE
        return News(sent, found[-1].id if found else after, is_full, is_finished and not is_full)
