"""A job's progress: what ended is counted once, and said."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator

import pytest
from rich.console import Console

from espalier.app.client.client import Client, ClientError
from espalier.app.client.progress import follow
from espalier.search.events import MeasuringEvent, SilentEvent, TransferEvent
from espalier.search.planners import PLANNERS
from espalier.search.states import JobState
from espalier.storage.events import record
from tests.app.work.planners import Halving
from tests.app.world import World


@pytest.fixture
def console() -> Iterator[Console]:
    """A terminal whose words are kept."""
    yield Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)


def words(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_it_follows_a_job_to_its_end(world: World, client: Client, console: Console) -> None:
    job_id = world.finish(name="a search")
    job = follow(client, job_id, console)
    assert (job.id, job.state) == (job_id, JobState.SUCCEEDED)
    text = words(console)
    assert "11/11" in text
    for one in client.candidates(job_id):
        assert one.accuracy is not None
        assert text.count(f"  {one.label}: {100 * one.accuracy:.2f} %") == 1


def test_who_stops_following_is_told_that_the_job_goes_on(
    world: World, client: Client, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Iterator[object]:
        raise KeyboardInterrupt
        yield

    job_id = world.submit()
    monkeypatch.setattr(client, "events", interrupted)
    with pytest.raises(KeyboardInterrupt):
        follow(client, job_id, console)
    text = " ".join(words(console).split())
    assert text.startswith(f"job {job_id}")
    assert f"espalier watch {job_id} follows it again, espalier cancel {job_id} stops it" in text


def test_failures_are_told_and_counted(world: World, client: Client, console: Console) -> None:
    world.executor.broken = lambda one: "the loss became nan" if one.origin.kind == "uniform" else None
    follow(client, world.finish(), console)
    assert words(console).count("failed: the loss became nan") == 4
    assert "11/11" in words(console)


def test_what_failed_once_and_then_succeeded_counts_once(world: World, client: Client, console: Console) -> None:
    world.executor.broken = lambda one: "the loss became nan" if one.method else None
    job_id = world.finish()
    assert client.job(job_id).state is JobState.FAILED
    world.executor.broken = lambda _: None
    client.retry(job_id)
    assert world.runner.run_one()
    assert follow(client, job_id, console).state is JobState.SUCCEEDED
    assert "12/11" not in words(console)
    assert "11/11" in words(console)


def test_what_is_taken_over_and_what_is_silent_is_told(world: World, client: Client, console: Console) -> None:
    world.finish()
    again = world.submit(name="again")
    assert world.runner.run_one()
    with world.service.database.session() as session:
        record(session, again, SilentEvent(label="the preparation", seconds=900))
        record(session, again, TransferEvent(arch="vgg16", dataset="digits", job="abc"))
        record(session, again, MeasuringEvent())
        record(session, again, TransferEvent(arch="vgg19", dataset="digits", error="the folder is gone"))
    follow(client, again, console)
    assert words(console).count("taken over from an earlier job") == 11
    assert "measuring: what does running these networks take here?" in words(console)
    assert "carried to vgg16 on digits: job abc" in words(console)
    assert "carried to vgg19 on digits: the folder is gone" in words(console)
    assert "nothing was heard of the preparation for 15 minutes; it may hang" in words(console)


def test_a_job_that_is_not_there_is_an_error(client: Client, console: Console) -> None:
    with pytest.raises(ClientError, match="no job 'nowhere'"):
        follow(client, "nowhere", console)


def test_what_a_planner_asks_for_later_is_counted_in_total(
    world: World, client: Client, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PLANNERS, "halving", Halving)
    job_id = world.submit(planner={"name": "halving"}, methods=[])
    assert client.job(job_id).progress.total == 2
    thread = threading.Thread(target=follow, args=(client, job_id, console))
    thread.start()
    while "0/2" not in words(console):
        assert thread.is_alive()
        thread.join(0.02)
    assert world.runner.run_one()
    thread.join(20)
    assert client.job(job_id).progress.total == 4
    assert "4/4" in words(console)
    assert "4/2" not in words(console)


def test_the_front_so_far_is_below_the_bar_and_gone_in_the_end(world: World, client: Client, console: Console) -> None:
    job_id = world.finish()
    follow(client, job_id, console)
    text = words(console)
    assert "Pareto front over params (●)" in text
    assert "Pareto front" not in text[text.rindex("11/11") :], "what is printed then is the whole front"


def test_where_nobody_looks_the_front_is_not_asked_for(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = world.finish()
    monkeypatch.setattr(client, "pareto", None)  # cannot be called
    plain = Console(file=io.StringIO(), width=120)
    assert follow(client, job_id, plain).state is JobState.SUCCEEDED
