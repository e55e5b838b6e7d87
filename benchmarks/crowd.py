"""Many at once: jobs that are queued by many clients, streams of one job's events, and how much memory that takes."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from benchmarks.common import Setting, resident, resident_in
from espalier.app.client.demo import service
from espalier.app.tables import Table, table

JOBS, CLIENTS = 1000, 32
FOLLOWERS = 200
WITHOUT_RUNNER = {"ESPALIER_MAX_QUEUED_JOBS": str(10 * JOBS)}


def spec(number: int) -> dict[str, Any]:
    """A small job, unlike all others."""
    return {
        "name": f"job {number}",
        "target": {"arch": "vgg11", "options": {"width": 0.25}, "dataset": "digits"},
        "budgets": [{"metric": "params", "keep": 0.3}, {"metric": "macs", "keep": 0.5}],
        "seeds": [3 * number, 3 * number + 1, 3 * number + 2],
        "recipe": {"epochs": 3},
    }


def queue(_setting: Setting) -> Table:
    """A thousand jobs, each another one, of thirty-two clients that send one after the other, while somebody lists."""
    with tempfile.TemporaryDirectory(prefix="espalier-bench-") as folder, \
            service(Path(folder), extra=WITHOUT_RUNNER, runs=False) as client:  # fmt: skip
        before = resident(client)
        taken, listed, seconds, statuses = asyncio.run(_queue(client.url, client.token or ""))
        after = resident(client)
    columns = ("jobs", "clients", "answers", "seconds", "submit p50, p99 ms", "list p50, p99 ms", "MiB before, after")
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    row = (
        JOBS,
        CLIENTS,
        answers,
        f"{seconds:.0f}",
        _quantiles(taken),
        _quantiles(listed),
        f"{before:.0f}, {after:.0f}",
    )
    return table("Jobs queued at once", columns, [row])


async def _queue(url: str, token: str) -> tuple[list[float], list[float], float, Counter[int]]:
    waiting, taken, listed, statuses = iter(range(JOBS)), list[float](), list[float](), Counter[int]()
    async with _asking(url, token) as http:
        await http.post("/v1/jobs/plan", json=spec(JOBS))  # what is imported and read once

        async def submit() -> None:
            for number in waiting:
                answer = await _timed(taken, http.post("/v1/jobs", json=spec(number)))
                statuses[answer.status_code] += 1

        async def look() -> None:
            while True:
                await _timed(listed, http.get("/v1/jobs"))
                await asyncio.sleep(0.2)

        started = time.monotonic()
        looking = asyncio.create_task(look())
        await asyncio.gather(*(submit() for _ in range(CLIENTS)))
        seconds = time.monotonic() - started
        looking.cancel()
    return taken, listed, seconds, statuses


def streams(_setting: Setting) -> Table:
    """Two hundred clients follow one job that trains; what another client waits for meanwhile, and memory."""
    rows = []
    for followers in (0, FOLLOWERS):
        with tempfile.TemporaryDirectory(prefix="espalier-bench-") as folder, service(Path(folder)) as client:
            job = client.submit(spec(0))
            before = resident(client)
            heard, asked, most = asyncio.run(_follow(client.url, client.token or "", job.id, followers))
            expected = sum(1 for _ in client.events(job.id))
            after = resident(client)
        whole = sum(count == expected for count in heard)
        rows.append(
            (
                followers,
                f"{whole} of {followers}, {expected} each",
                _quantiles(asked),
                f"{before:.0f}, {most:.0f}, {after:.0f}",
            )
        )
    columns = ("streams", "that had every event", "a job's GET p50, p99 ms", "MiB before, most, after")
    return table("Streams of one job's events", columns, rows)


async def _follow(url: str, token: str, job: str, followers: int) -> tuple[list[int], list[float], float]:
    asked, most = list[float](), 0.0
    async with _asking(url, token) as http:

        async def follow() -> int:
            events = set()
            async with http.stream("GET", f"/v1/jobs/{job}/events", headers={"Accept": "text/event-stream"}) as answer:
                async for line in answer.aiter_lines():
                    if line.startswith("id: "):
                        events.add(line)
            return len(events)

        following = [asyncio.create_task(follow()) for _ in range(followers)]
        while True:
            answer = await _timed(asked, http.get(f"/v1/jobs/{job}"))
            most = max(most, resident_in((await http.get("/metrics")).text))
            if answer.json()["state"] in ("succeeded", "failed"):
                break
            await asyncio.sleep(0.1)
        return await asyncio.gather(*following), asked, most


def _asking(url: str, token: str) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=None)
    return httpx2.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=httpx2.Timeout(600), limits=limits
    )


async def _timed(taken: list[float], asked: Awaitable[httpx2.Response]) -> httpx2.Response:
    started = time.perf_counter()
    answer = await asked
    taken.append(1000 * (time.perf_counter() - started))
    return answer


def _quantiles(milliseconds: list[float]) -> str:
    return f"{np.median(milliseconds):.0f}, {np.quantile(milliseconds, 0.99):.0f}"
