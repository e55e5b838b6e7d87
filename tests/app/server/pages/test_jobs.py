"""Jobs as pages."""

from __future__ import annotations

import functools
import re
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient

from espalier.app.work.tasks import measure_latencies
from espalier.search.events import EpochEvent
from espalier.search.results import Execution
from espalier.storage import candidates, events
from tests.app.world import World
from tests.search.helpers import question

NASTY = "<script>alert(1)</script> \x1b[31m & co"


def text(browser: TestClient, path: str, status: int = 200, **params: Any) -> str:
    answer = browser.get(path, params=params or None)
    assert answer.status_code == status, answer.text
    return answer.text


def test_no_job_yet(browser: TestClient) -> None:
    page = text(browser, "/")
    assert "No job yet" in page
    assert 'data-every="30"' in page, "somebody may submit one"


def test_all_jobs_are_listed_newest_first(world: World, browser: TestClient) -> None:
    first, second = world.finish(name="first"), world.submit(name="second")
    page = text(browser, "/")
    assert page.index(second) < page.index(first)
    assert "succeeded" in page
    assert "data-every" in page, "one is queued"


def test_jobs_can_be_looked_for(world: World, browser: TestClient) -> None:
    one, other = world.finish(name="100 % apples"), world.submit(name="pears")
    assert (one in text(browser, "/", words="apple"), other in text(browser, "/", words="apple")) == (True, False)
    assert one in text(browser, "/", words="DIGITS")
    assert one in text(browser, "/", words="100 %")
    assert (one in text(browser, "/", state="queued"), other in text(browser, "/", state="queued")) == (False, True)
    assert "No job is like that" in text(browser, "/", words="_____")
    assert one in text(browser, "/", state="nonsense")


def test_many_jobs_are_several_pages(world: World, browser: TestClient) -> None:
    names = [world.finish(name=f"n{n}") for n in range(3)]
    page = text(browser, "/", limit=2, words="n")
    (following,) = re.findall(r'rel="next" href="\?([^"]+)"', page)
    assert (names[2] in page, names[0] in page) == (True, False)
    rest = text(browser, f"/?{following.replace('&amp;', '&')}")
    assert (names[2] in rest, names[0] in rest) == (False, True)


def test_a_finished_job_shows_all_that_came_of_it(world: World, browser: TestClient) -> None:
    job = world.finish(name="a search", baselines=["uniform", "random"])
    page = text(browser, f"/jobs/{job}")
    for sentence in world.get(f"/v1/jobs/{job}/verdict")["sentences"]:
        assert f"<li>{sentence}</li>" in page
    for words in ("a search", "Which network should I take?", "dense, ", "Verdict", "Efficiency", "params=0.1", "random",
                  "Learning curves", "What was submitted"):  # fmt: skip
        assert words in page, words
    front = world.get(f"/v1/jobs/{job}/pareto")
    for point in front["points"]:
        assert f"/architectures/{point['architecture']}" in page
        assert point["arm"]["label"] in page
    assert page.count("<svg") == 4, "params, macs, latency, learning"
    assert "data-events" not in page
    assert "Cancel" not in page


def test_a_queued_job_is_a_page_that_follows_it(world: World, browser: TestClient) -> None:
    job = world.submit()
    page = text(browser, f"/jobs/{job}")
    (follows,) = re.findall(r'data-events="([^"]+)"', page)
    assert world.client.get(follows, headers={"Accept": "application/json"}).status_code == 200
    assert "Cancel" in page
    assert "<svg" not in page
    assert "Which network" not in page


def test_what_runs_is_followed_epoch_by_epoch(world: World, browser: TestClient) -> None:
    job_id = world.submit()
    with world.service.database.session() as session:
        first, second = candidates.rows(session, job_id)[:2]
        candidates.start(session, job_id, candidates.candidate_of(first))
        for row, epoch, accuracy in ((first, 0, 0.125), (second, 0, 0.75), (first, 2, 0.9), (first, 1, 0.5)):
            about = {"candidate": row.key, "label": candidates.candidate_of(row).label}
            events.record(session, job_id, EpochEvent(**about, epoch=epoch, epochs=3, loss=1.5, accuracy=accuracy))
        label = candidates.candidate_of(first).label
    page = text(browser, f"/jobs/{job_id}")
    assert f"<li>{label}: epoch 2 of 3, loss 1.500</li>" in page
    assert f"{label}, now, epoch 2: 50.00 %" in page, "it began again from an earlier one"
    assert "75.00 %" not in page, "of what does not run nothing is told"


def test_names_and_errors_are_never_markup(world: World, browser: TestClient) -> None:
    job = world.finish(name=NASTY)
    for path in (
        "/",
        f"/jobs/{job}",
        f"/jobs/{job}/delete",
        f"/new?like={job}",
        f"/compare?job={job}&job={world.finish()}",
    ):
        page = text(browser, path)
        assert "<script>alert" not in page, path
        assert "\x1b" not in page or "/new" in path, path  # a field of a form holds what was given


def test_failures_are_told_with_their_reasons(world: World, browser: TestClient) -> None:
    world.executor.broken = lambda candidate: "it <burst>" if candidate.origin.kind == "uniform" else None
    job = world.finish()
    page = text(browser, f"/jobs/{job}")
    assert "uniform params=0.1 seed 0: it &lt;burst&gt;" in page


@pytest.mark.parametrize(
    ("most", "words"),
    [
        ("1", "the cheapest there has 100 parameters"),
        ("many", "&#39;many&#39; is no amount"),
        ("-1", "no amount"),
        ("1e9", "no amount"),
    ],
)
def test_a_budget_that_nothing_meets_is_said(most: str, words: str, world: World, browser: TestClient) -> None:
    assert words in text(browser, f"/jobs/{world.finish()}", most=most)


def test_the_choice_is_on_the_page_with_its_exports(world: World, browser: TestClient) -> None:
    job = world.finish()
    page = text(browser, f"/jobs/{job}", most="1G", cost="macs")
    (architecture,) = set(re.findall(r"/v1/architectures/(\w+)/export\?format=python", page))
    assert architecture in {point["architecture"] for point in world.get(f"/v1/jobs/{job}/pareto")["points"]}
    assert text(browser, f"/jobs/{job}", most="1", cost="params").count("No network on the front costs so little") == 1
    text(browser, f"/jobs/{job}", 422, cost="money")


def test_a_job_is_cancelled_and_goes_on(world: World, browser: TestClient) -> None:
    job = world.submit()
    answer = browser.post(f"/jobs/{job}/cancel")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job}")
    page = text(browser, f"/jobs/{job}")
    assert "cancelled" in page
    assert "Let it go on" in page
    assert browser.post(f"/jobs/{job}/cancel").status_code == 409
    assert browser.post(f"/jobs/{job}/retry").status_code == 303
    assert world.get(f"/v1/jobs/{job}")["state"] == "queued"


def test_a_job_is_paused_and_resumed(world: World, browser: TestClient) -> None:
    job = world.submit()
    assert ">Pause</button>" in text(browser, f"/jobs/{job}")
    assert browser.post(f"/jobs/{job}/pause").headers["location"] == f"/jobs/{job}"
    page = text(browser, f"/jobs/{job}")
    assert ">Resume</button>" in page
    assert ">Pause</button>" not in page
    assert "paused" in text(browser, "/")
    assert browser.post(f"/jobs/{job}/resume").status_code == 303
    assert world.get(f"/v1/jobs/{job}")["state"] == "queued"


def test_a_job_is_deleted_only_when_it_is_meant(world: World, browser: TestClient) -> None:
    job = world.finish(name="precious")
    asked = text(browser, f"/jobs/{job}/delete")
    assert "Delete precious?" in asked
    assert world.get(f"/v1/jobs/{job}")["state"] == "succeeded"
    assert browser.post(f"/jobs/{job}/delete").headers["location"] == "/"
    text(browser, f"/jobs/{job}", 404)
    running = world.submit()
    assert browser.post(f"/jobs/{running}/delete").status_code == 409


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume", "retry", "delete"])
def test_another_sites_form_does_nothing(verb: str, world: World, browser: TestClient) -> None:
    job = world.submit()
    answer = browser.post(f"/jobs/{job}/{verb}", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert world.get(f"/v1/jobs/{job}")["state"] == "queued"


def test_several_jobs_in_one_picture(world: World, browser: TestClient) -> None:
    one, other = world.finish(name="one"), world.finish(name="other", seeds=[3, 4])
    page = text(browser, "/compare", job=[one, other])
    assert page.count("<svg") == 2
    for letter, name in (("A", "one"), ("B", "other")):
        assert re.search(f"{letter}: <a href=[^>]*>{name}</a>", page)
        assert f">{letter}: slimming</text>" in page
    assert "differ" not in page
    assert "Choose from 2" in text(browser, "/compare", job=[one, one])
    assert "Choose from 2" in text(browser, "/compare")
    text(browser, "/compare", 404, job=[one, "x"])


def test_the_list_has_the_best_network_so_far_of_every_job(world: World, browser: TestClient) -> None:
    job, waiting = world.finish(), world.submit()
    found = world.get(f"/v1/jobs/{job}/candidates", limit=200)["items"]
    compared = [one for one in found if one["arm"]["role"] in ("automatic", "baseline")]
    best = max(compared, key=lambda one: one["holdout"])
    page = text(browser, "/")
    assert f"{100 * best['accuracy']:.2f} %, {best['arm']['name']}, {best['params']}" in page
    assert page.count(" %, ") == 1, f"{waiting} has none yet"


def test_every_training_is_listed_page_by_page(world: World, browser: TestClient) -> None:
    world.executor.broken = lambda one: "it <burst>" if one.origin.kind == "uniform" else None
    job = world.finish()
    found = world.get(f"/v1/jobs/{job}/candidates", limit=200)["items"]
    page = text(browser, f"/jobs/{job}/trainings")
    assert f'href="/jobs/{job}/trainings"' in text(browser, f"/jobs/{job}")
    assert page.count("<tr>") == 1 + len(found)
    assert "it &lt;burst&gt;" in page
    first = text(browser, f"/jobs/{job}/trainings", limit=2)
    (following,) = re.findall(r'rel="next" href="\?([^"]*)"', first)
    second = browser.get(f"/jobs/{job}/trainings?limit=2&{unescape(following)}", headers={"Accept": "text/html"}).text
    assert [one["label"] for one in found[2:4]] == re.findall(r"<tr>\n<td>([^<]*)</td>", second)
    text(browser, "/jobs/nowhere/trainings", 404)


def test_what_else_differs_between_jobs_is_said(world: World, browser: TestClient) -> None:
    one, other = world.finish(), world.finish(recipe={"preset": "quick", "epochs": 7, "lr": 0.2})
    page = text(browser, "/compare", job=[one, other])
    assert re.search(r"Their recipes differ in epochs: A \d+; B 7\.", page)
    assert re.search(r"Their recipes differ in lr: A [\d.]+; B 0\.2\.", page)
    assert "not computed alike" not in page
    world.executor.execution = Execution(threads=2)
    last = world.finish(seeds=[8])
    page = text(browser, "/compare", job=[one, last])
    assert "Their networks were not computed alike: A release" in page
    assert page.count("<svg") == 2


def test_a_job_that_was_retried_is_shown_while_it_is_measured_again(world: World, browser: TestClient) -> None:
    world.executor.broken = lambda one: "it burst" if one.origin.kind == "uniform" else None
    job = world.finish()
    world.executor.broken = lambda _: None
    assert browser.post(f"/jobs/{job}/retry").status_code == 303
    pages: list[int] = []
    measure = world.executor.submit

    def look(task: Any) -> Any:
        if task.function is measure_latencies:
            pages.append(browser.get(f"/jobs/{job}").status_code)
        return measure(task)

    world.executor.submit = look  # type: ignore[method-assign]
    assert world.runner.run_one()
    assert pages == [200]


def test_jobs_on_other_images_are_not_drawn_together(
    world: World, browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = world.finish()
    monkeypatch.setattr("tests.app.fakes.question", functools.partial(question, data="other images"))
    other = world.finish(target={"arch": "vgg11", "dataset": "mnist"})
    page = text(browser, "/compare", job=[one, other])
    assert "no comparison (digits, mnist)" in page
    assert "<svg" not in page


def test_tickets_alone_are_no_search(world: World, browser: TestClient) -> None:
    job = world.finish(tickets={"rounds": 2}, methods=[], budgets=[], baselines=[])
    page = text(browser, f"/jobs/{job}")
    assert "Is automatic pruning better here?" not in page
    assert "Lottery tickets" in page
    assert 'id="budgets" name="budgets" value="" size="34">' in text(browser, "/new", like=job)
