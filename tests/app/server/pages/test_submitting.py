"""The form for a new search."""

from __future__ import annotations

import base64
import json
import re
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient

from espalier.app.server.pages.form import like_of
from espalier.app.server.pages.submitting import options_of
from espalier.app.work.executors.base import TaskFailed
from espalier.app.work.tasks import describe_catalog
from espalier.search.spec import JobSpec
from tests.app.server.pages.test_jobs import text
from tests.app.world import SPEC, World

FORM: dict[str, Any] = {
    "arch": "vgg11", "width": "0.5", "dataset": "digits", "methods": ["slimming", "l1_norm"], "baselines": ["uniform"],
    "inits": ["scratch"], "budgets": "params=0.5, macs=0.25", "seeds": "2", "epochs": "3", "name": "mine", "more": "", "what": "plan",
}  # fmt: skip


def sent(browser: TestClient, **changes: Any) -> Any:
    return browser.post("/new", data=FORM | changes)


def test_it_offers_what_the_catalog_has(browser: TestClient) -> None:
    page = text(browser, "/new")
    for words in (
        'value="slimming" checked',
        'value="uniform" checked',
        'value="capped"',
        "torchvision/resnet18",
        "cifar10",
    ):
        assert words in page, words
    assert 'value="control"' not in page, "nobody names that one"


def test_starts_controls_and_planners_are_fields(browser: TestClient) -> None:
    asked = {"inits": ["scratch", "inherited"], "controls": ["reverse"], "planner": "sampled"}
    answer = sent(browser, **asked)
    assert "What would run" in answer.text
    for words in ('value="inherited" checked', 'value="reverse" checked', ">sampled</option>"):
        assert words in answer.text, words
    (command,) = re.findall(r"-d '(.*)'</pre>", answer.text)
    spec = json.loads(unescape(command))
    assert {name: spec[name] for name in ("inits", "controls")} == {name: asked[name] for name in ("inits", "controls")}
    assert spec["planner"] == {"name": "sampled"}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("inits", [], "at least 1 item"),
        ("inits", ["odd"], "scratch"),
        ("controls", ["odd"], "reverse"),
        ("planner", "odd", "no planner"),
    ],
)
def test_what_is_wrong_with_them_is_said_there(browser: TestClient, field: str, value: Any, words: str) -> None:
    answer = sent(browser, **{field: value})
    assert answer.status_code == 422
    (said,) = re.findall(f'id="{field}-problem">([^<]*)<', answer.text)
    assert words in unescape(said)


def test_it_shows_what_would_run_and_what_it_stands_for(world: World, browser: TestClient) -> None:
    answer = sent(browser)
    assert answer.status_code == 200
    assert "What would run" in answer.text
    assert "slimming parent seed 0" in answer.text
    assert 'value="params=0.5, macs=0.25"' in answer.text, "the form is as it was sent"
    (command,) = re.findall(r"-d '(.*)'</pre>", answer.text)
    spec = json.loads(unescape(command))
    assert spec["target"] == {"arch": "vgg11", "dataset": "digits", "options": {"width": 0.5}}
    assert (spec["seeds"], spec["recipe"], spec["name"]) == ([0, 1], {"epochs": 3}, "mine")
    assert spec["budgets"] == [{"metric": "params", "keep": 0.5}, {"metric": "macs", "keep": 0.25}]
    assert world.get("/v1/jobs")["items"] == [], "nothing was started"


def test_it_starts_a_search(world: World, browser: TestClient) -> None:
    answer = sent(browser, what="submit")
    (job,) = world.get("/v1/jobs")["items"]
    assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job['id']}")
    assert job["name"] == "mine"


def test_a_plan_says_how_long_it_takes_once_something_was_trained(world: World, browser: TestClient) -> None:
    assert "is known once something was trained here" in unescape(sent(browser).text)
    world.finish()
    page = sent(browser).text
    assert ("multiply-adds per second" in page) == bool(
        any(
            one["ledger"]
            for one in world.get(f"/v1/jobs/{world.get('/v1/jobs')['items'][0]['id']}/candidates")["items"]
        )
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": "wide"}, "width is a number such as 0.5"),
        ({"budgets": "params=lots"}, "what stays of params is a number"),
        ({"budgets": "params=7"}, "budgets.0.keep"),
        ({"budgets": ""}, "This is no spec yet"),
        ({"seeds": "0"}, "seeds is a whole number from 1 to 1000"),
        ({"seeds": "1e3"}, "seeds is a whole number"),
        ({"epochs": "9" * 5000}, "epochs is a whole number"),
        ({"epochs": "-1"}, "epochs is a whole number"),
        ({"more": "{"}, "no JSON"),
        ({"more": "[1]"}, "a JSON object"),
        ({"more": '{"inits": ["magic"]}'}, "inits.0"),
        ({"more": '{"guides": [{"job": "x"}]}'}, "no job"),
        ({"name": "x" * 300}, "name"),
    ],
)
@pytest.mark.parametrize("what", ["plan", "submit"])
def test_what_cannot_work_is_said_and_the_form_stays(
    changes: dict[str, str], words: str, what: str, world: World, browser: TestClient
) -> None:
    answer = sent(browser, what=what, **changes)
    assert answer.status_code == 422
    assert words in unescape(answer.text)
    assert 'value="0.5"' in answer.text or "width" in changes
    assert world.get("/v1/jobs")["items"] == []


def test_what_only_a_worker_finds_wrong_is_said_too(world: World, browser: TestClient, monkeypatch: Any) -> None:
    def refuse(*_: object) -> None:
        raise TaskFailed("SpecError", "no architecture 'vgg12'; did you mean vgg11?", True)

    monkeypatch.setattr(world.service, "examine_spec", refuse)
    answer = sent(browser, arch="vgg12")
    assert answer.status_code == 422
    assert "did you mean vgg11?" in answer.text
    assert wrong_fields(answer.text) == {"arch"}


def wrong_fields(page: str) -> set[str]:
    """Fields at which something is said to be wrong, each naming where."""
    said = set(re.findall(r'<small class="failed" id="([a-z]+)-problem">', page))
    assert said == set(re.findall(r'aria-describedby="([a-z]+)-problem"', page))
    return said


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"width": "wide"}, {"width"}),
        ({"budgets": "params=7", "name": "x" * 300}, {"budgets", "name"}),
        ({"budgets": "params=lots"}, {"budgets"}),
        ({"seeds": "none"}, {"seeds"}),
        ({"epochs": "-1"}, {"epochs"}),
        ({"more": "{"}, {"more"}),
        ({"more": '{"parents": "magic"}'}, set()),
        ({"slimming.passes": "2", "methods": "taylor"}, {"methods"}),
        ({}, set()),
    ],
)
def test_what_is_wrong_is_said_at_its_field(changes: dict[str, str], fields: set[str], browser: TestClient) -> None:
    assert wrong_fields(sent(browser, **changes).text) == fields


def test_nonsense_is_no_error_of_ours(browser: TestClient) -> None:
    for body in (b"", b"\xff\xfe=1", b"a" * 5000, b"&".join(b"x=1" for _ in range(1000))):
        assert browser.post("/new", content=body).status_code in (200, 422)


def test_again_with_changes_is_the_same_search(world: World, browser: TestClient) -> None:
    job = world.finish(name="first", inits=["scratch", "inherited"], recipe={"epochs": 7})
    page = text(browser, "/new", like=job)
    assert 'value="first"' in page
    assert "inherited" in page
    spec = JobSpec.model_validate(SPEC | {"inits": ["scratch", "inherited"], "recipe": {"epochs": 7}, "name": "first"})
    assert JobSpec.model_validate(like_of(spec).spec()) == spec
    text(browser, "/new", 404, like="x")


def test_fields_that_do_not_count_are_named(browser: TestClient) -> None:
    page = sent(browser, more='{"seeds": [3], "inits": ["scratch"]}').text
    assert "goes before the fields above: inits, seeds." in page


def test_options_of_methods_are_fields_and_come_into_the_spec(browser: TestClient) -> None:
    changes = {"slimming.passes": "2", "slimming.across": "max", "l1_norm.none": ""}
    page = sent(browser, **changes).text
    assert '<details id="options" open>' in page
    assert 'name="slimming.passes" value="2"' in page
    assert re.search(r'name="slimming.across">.*<option selected>max', page, re.DOTALL)
    spec = json.loads(unescape(re.findall(r"-d '(.*)'</pre>", page)[0]))
    assert spec["methods"] == [
        {"name": "slimming", "options": {"passes": 2, "across": "max"}}, {"name": "l1_norm"},
    ]  # fmt: skip
    assert '<details id="options">' in text(browser, "/new"), "nothing is set"


def test_markup_in_an_option_is_words(browser: TestClient) -> None:
    page = sent(browser, **{"slimming.passes": '"><b>many'}).text
    assert "<b>many" not in page
    assert "&lt;b&gt;many" in page


def test_every_option_of_every_method_has_a_field(browser: TestClient) -> None:
    page = text(browser, "/new")
    for method in describe_catalog()["methods"]:
        for option in options_of(method):
            assert page.count(f'name="{method.name}.{option.name}"') == 1
            assert option.description in unescape(page)


def test_a_plan_shows_the_data_and_what_of_the_network_can_be_thinned(browser: TestClient) -> None:
    page = sent(browser).text
    assert "32 x 32, grey, of 10 classes" in page
    (picture,) = re.findall(r'src="data:image/png;base64,([^"]*)" alt="Four training images"', page)
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert re.search(r"% of the multiply-adds can be thinned, in \d+ groups", page)
    assert "1 layer stays dense" in page


def test_a_smoke_run_and_an_address_to_tell_are_fields(
    world: World, browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 'id="smoke"' in text(browser, "/new")
    assert 'id="webhook"' not in text(browser, "/new"), "this service tells nobody"
    told = {"webhook_hosts": "hooks.example.com", "webhook_secret": "a secret of the tests"}
    monkeypatch.setattr(world.service, "settings", world.settings.model_copy(update=told))
    assert "an address at hooks.example.com" in text(browser, "/new")
    wrong = sent(browser, what="submit", webhook="https://example.org/x")
    assert wrong_fields(wrong.text) == {"webhook"}
    assert wrong_fields(sent(browser, what="submit", webhook="hooks").text) == {"webhook"}
    sent(browser, what="submit", smoke="yes", webhook="https://hooks.example.com/x")
    (job,) = world.get("/v1/jobs")["items"]
    assert (job["spec"]["smoke"], job["spec"]["webhook"]) == (True, "https://hooks.example.com/x")
    page = text(browser, f"/new?like={job['id']}")
    assert 'name="smoke" value="yes" checked' in page
    assert 'value="https://hooks.example.com/x"' in page
