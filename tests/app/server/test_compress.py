"""What is compressed, and what must not be."""

from __future__ import annotations

import httpx2
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from espalier.app.server.compress import Compress
from tests.app.world import World, listening


def test_pages_and_json_are_compressed_for_who_takes_it(world: World) -> None:
    job = world.finish()
    path = f"/v1/jobs/{job}/pareto"
    packed = world.client.get(path, headers={"Accept-Encoding": "gzip"})
    plain = world.client.get(path, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert "Accept-Encoding" in packed.headers["vary"]


def test_short_answers_and_exports_are_sent_as_they_are() -> None:
    def encoding(path: str, text: str) -> str | None:
        client = TestClient(Compress(PlainTextResponse(text)))
        return client.get(path, headers={"Accept-Encoding": "gzip"}).headers.get("content-encoding")

    assert encoding("/v1/architectures/x", "long " * 1000) == "gzip"
    assert encoding("/v1/architectures/x", "short") is None
    assert encoding("/v1/architectures/x/export", "long " * 1000) is None


def test_events_are_sent_as_they_come(world: World) -> None:
    job = world.finish()
    with listening(world.client.app) as url:
        headers = {"Authorization": "Bearer secret", "Accept": "text/event-stream", "Accept-Encoding": "gzip"}
        with httpx2.stream("GET", f"{url}/v1/jobs/{job}/events", headers=headers) as stream:
            assert "content-encoding" not in stream.headers
            assert "event: state" in stream.read().decode()
