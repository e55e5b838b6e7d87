"""Events as streams: one look for all who have got as far, each at its own pace, for as long as each may."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from espalier.app.server import streams
from espalier.app.server.streams import Streams
from espalier.search.events import EpochEvent
from espalier.storage import events, jobs, tokens
from tests.app.world import World, listening


async def allowed() -> bool:
    return True


def tell(world: World, job_id: str, epoch: int) -> None:
    """Something happens to a job."""
    point = EpochEvent(candidate="c", label="one", epoch=epoch, epochs=99, step=epoch, loss=1.0, accuracy=0.5)
    with world.service.database.session() as session:
        events.record(session, job_id, point)


def ids(sent: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"^id: (\d+)$", sent, re.MULTILINE)]


@pytest.fixture
def asked(world: World) -> list[str]:
    """Statements that were sent to the service's database."""
    found: list[str] = []
    sa.event.listen(world.service.database.engine, "before_cursor_execute", lambda *told: found.append(told[2]))
    return found


async def heard(stream: AsyncIterator[bytes], count: int) -> list[int]:
    """The ids of the next events of a stream."""
    found: list[int] = []
    async for sent in stream:
        found += ids(sent)
        if len(found) >= count:
            return found
    return found


def test_all_who_wait_for_the_same_share_one_look(world: World, asked: list[str]) -> None:
    job_id = world.submit()
    asked.clear()

    async def everybody() -> list[list[int]]:
        all_streams = Streams(world.service)
        followers = [asyncio.ensure_future(heard(all_streams.follow(job_id, 0, allowed), 3)) for _ in range(100)]
        await asyncio.sleep(0.1)  # each has the first event
        looked = len(asked)
        for epoch in range(2):
            tell(world, job_id, epoch)
        found = await asyncio.gather(*followers)
        assert looked <= 10, f"{looked} statements for one look"
        return found

    found = asyncio.run(everybody())
    assert all(one == found[0] for one in found)
    assert len(set(found[0])) == 3


def test_who_comes_late_misses_nothing_and_who_waits_hears_only_what_is_new(world: World) -> None:
    job_id = world.submit()
    for epoch in range(streams.MOST_AT_ONCE + 20):
        tell(world, job_id, epoch)

    async def both() -> tuple[list[int], list[int]]:
        all_streams = Streams(world.service)
        late = asyncio.ensure_future(heard(all_streams.follow(job_id, 0, allowed), streams.MOST_AT_ONCE + 22))
        await asyncio.sleep(0.2)
        with world.service.database.session() as session:
            last = events.newest(session, job_id, 1)[0].id
        early = asyncio.ensure_future(heard(all_streams.follow(job_id, last, allowed), 1))
        await asyncio.sleep(0.2)
        tell(world, job_id, 999)
        return await late, await early

    late, early = asyncio.run(both())
    assert late == sorted(set(late))
    assert len(late) == streams.MOST_AT_ONCE + 22
    assert early == late[-1:]


def test_nobody_looks_for_those_who_have_gone(world: World, asked: list[str]) -> None:
    job_id = world.submit()

    async def one_leaves() -> None:
        stream = Streams(world.service).follow(job_id, 0, allowed)
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(streams.LOOK_SECONDS + 0.2)
        waiting.cancel()
        await asyncio.sleep(0.1)
        asked.clear()
        await asyncio.sleep(3 * streams.LOOK_SECONDS)
        assert asked == []

    asyncio.run(one_leaves())


def test_a_stream_ends_with_its_job_however_that_ends(world: World) -> None:
    finished, deleted = world.finish(), world.submit()

    async def to_the_end(job_id: str, then: Callable[[], Any]) -> None:
        stream = Streams(world.service).follow(job_id, 0, allowed)
        await anext(stream)
        then()
        async for _ in stream:
            pass

    asyncio.run(asyncio.wait_for(to_the_end(finished, lambda: None), 20))

    def delete() -> None:
        with world.service.database.session() as session:
            jobs.cancel(session, deleted)
        world.service.delete_job(deleted)

    asyncio.run(asyncio.wait_for(to_the_end(deleted, delete), 20))


def test_a_quiet_stream_says_that_it_lives(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "KEEPALIVE_SECONDS", 0.1)
    job_id = world.submit()

    async def listen() -> bytes:
        stream = Streams(world.service).follow(job_id, 0, allowed)
        await anext(stream)
        return await anext(stream)

    assert asyncio.run(listen()).startswith(b":")


def test_the_stream_of_a_revoked_token_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "KEEPALIVE_SECONDS", 0.5)
    job_id = world.submit()
    with world.service.database.session() as session:
        token = tokens.create(session, "ada", "read")
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    with listening(world.client.app) as url, httpx2.stream("GET", f"{url}/v1/jobs/{job_id}/events", headers=headers,
                                                           timeout=30) as answer:  # fmt: skip
        sent = answer.iter_bytes()
        assert ids(next(sent)), "it begins"
        with world.service.database.session() as session:
            tokens.revoke(session, "ada")
        assert all(ids(more) == [] for more in sent), "and ends, since the job is queued and does not"
