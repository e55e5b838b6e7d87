"""HEAD: what GET answers, without its body."""

from __future__ import annotations

from tests.app.world import World


def test_the_head_is_that_of_the_answer(world: World) -> None:
    job_id = world.finish()
    for path in ("/healthz", "/readyz", "/v1/jobs", f"/v1/jobs/{job_id}", "/v1/jobs/x", "/v1/nothing", "/docs"):
        whole, head = world.client.get(path), world.client.head(path)
        assert (head.status_code, head.content) == (whole.status_code, b"")
        assert head.headers["content-type"] == whole.headers["content-type"]
        assert head.headers["content-length"] == whole.headers["content-length"]


def test_it_asks_for_the_token_and_is_for_what_can_be_read(world: World) -> None:
    assert world.client.head("/v1/jobs", headers={"Authorization": "Bearer wrong"}).status_code == 401
    refused = world.client.head("/v1/jobs/plan/cancel")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


def test_the_head_of_a_stream_ends(world: World) -> None:
    job_id = world.submit()  # which nobody runs
    head = world.client.head(f"/v1/jobs/{job_id}/events")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")
