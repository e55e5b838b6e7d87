"""What a person does with the pages, in a real browser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from espalier.app.client.client import Client
from espalier.app.client.report import write
from tests.app.server.pages.test_architectures import trained
from tests.browser.conftest import Served, in_background

NASTY = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


def test_from_signing_in_to_an_exported_network(context: BrowserContext, served: Served) -> None:
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Token", exact=True).fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("That token is not known here")).to_be_visible()
    page.get_by_label("That token is not").fill("secret")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Start a search").click()
    page.get_by_label("Name", exact=True).fill("by hand")
    page.get_by_label("Budgets").fill("params=2")
    page.get_by_role("button", name="Show what would run").click()
    expect(page.get_by_role("alert")).to_contain_text("budgets.0.keep")
    page.get_by_label("Budgets").fill("params=0.5 params=0.1")
    page.get_by_role("button", name="Show what would run").click()
    expect(page.get_by_role("heading", name="What would run")).to_be_visible()
    page.get_by_role("button", name="Start it").click()
    expect(page.get_by_role("heading", name="by hand")).to_be_visible()
    running = in_background(served)
    expect(page.locator(".state")).to_have_text("succeeded")  # the page was not loaded again by hand
    running.join()
    expect(page.locator(".verdict").first).to_contain_text("slimming is better than uniform")
    page.get_by_label("At most").fill("600")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("#choice")).to_contain_text("parameters")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/")
    expect(page.get_by_label("Token", exact=True)).to_be_visible()


def test_options_are_found_where_their_method_is_and_the_data_is_seen(page: Page) -> None:
    page.goto("/new")
    page.get_by_text("Their options").click()
    page.locator("#options-slimming-title").click()
    page.locator("#options-slimming").get_by_label("passes").fill("2")
    page.get_by_role("button", name="Show what would run").click()
    expect(page.locator("#options-slimming").get_by_label("passes")).to_be_visible()
    expect(page.locator("pre")).to_contain_text('"options": {"passes": 2}')
    picture = page.get_by_alt_text("Four training images")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") == 4 * 28, "the policy lets it be shown"


def test_a_network_is_downloaded(page: Page, served: Served, tmp_path: Path) -> None:
    page.goto(f"/architectures/{trained(served)}")
    with page.expect_download() as download:
        page.get_by_role("link", name="json").click()
    download.value.save_as(tmp_path / "network.json")
    assert json.loads((tmp_path / "network.json").read_text())["config"]["arch"] == "vgg11"


def test_points_are_reached_by_keyboard_and_say_what_they_are(page: Page, served: Served) -> None:
    job = served.finish()
    page.goto(f"/jobs/{job}")
    point = page.locator("svg.chart a").first
    point.focus()
    assert "over 2 seeds" in (point.get_attribute("aria-label") or "")
    page.keyboard.press("Enter")
    page.wait_for_url("**/architectures/*")


def test_what_a_reader_has_open_stays_open_while_the_page_changes(page: Page, served: Served) -> None:
    job = served.submit()
    page.goto(f"/jobs/{job}")
    page.get_by_text("What was submitted").click()
    in_background(served).join()
    expect(page.locator(".state")).to_have_text("succeeded")
    expect(page.locator("#submitted pre")).to_be_visible()


def test_a_job_that_is_deleted_meanwhile_is_said_to_be_gone(page: Page, served: Served) -> None:
    job = served.submit()
    page.goto(f"/jobs/{job}")
    served.client.post(f"/v1/jobs/{job}/cancel")
    served.client.delete(f"/v1/jobs/{job}")
    expect(page.get_by_role("status")).to_contain_text("somebody deleted it")


def test_a_service_that_is_gone_is_said_to_be_and_comes_back(chromium: Browser, tmp_path: Path) -> None:
    world = Served(tmp_path / "data")
    job = world.submit()
    with world.listens():
        page = chromium.new_page(base_url=world.url)
        page.goto(f"/sign-in?token=secret&next=/jobs/{job}")
        expect(page.locator(".state")).to_have_text("queued")
    expect(page.get_by_role("status")).to_contain_text("not there")
    with world.listens(int(world.url.rpartition(":")[2])):
        in_background(world).join()
        expect(page.locator(".state")).to_have_text("succeeded", timeout=20_000)
        expect(page.get_by_role("status")).to_be_hidden()
        page.close()


def test_events_that_were_refused_once_are_asked_for_again(page: Page, served: Served) -> None:
    """A browser gives up a stream that was answered by an error, as a full service does."""
    job, refused = served.submit(), list[str]()

    def answer(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.fulfill(status=503, body="busy")

    page.route("**/events*", answer)
    page.goto(f"/jobs/{job}")
    expect(page.locator(".state")).to_have_text("queued")
    page.wait_for_timeout(3000)  # what follows the error by itself is over
    assert refused
    in_background(served).join()
    expect(page.locator(".state")).to_have_text("succeeded", timeout=20_000)


def test_names_are_never_executed(page: Page, served: Served) -> None:
    job = served.finish(name=NASTY)
    for path in ("/", f"/jobs/{job}", f"/jobs/{job}/delete", f"/new?like={job}"):
        page.goto(path)
        page.wait_for_load_state("load")
    page.goto(f"/jobs/{job}")
    expect(page.get_by_role("heading", level=1)).to_have_text(NASTY)


def test_all_is_readable_without_scripts(served: Served, context: BrowserContext) -> None:
    job = served.finish(name="plain")
    assert context.browser is not None
    plain = context.browser.new_context(base_url=served.url, java_script_enabled=False)
    page = plain.new_page()
    page.goto("/sign-in?token=secret")
    page.get_by_role("link", name="plain").click()
    expect(page.locator("svg.chart").first).to_be_visible()
    page.get_by_role("button", name="Delete …").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No job yet")).to_be_visible()
    assert served.client.get(f"/v1/jobs/{job}").status_code == 404
    plain.close()


def test_studies_are_read_in_optunas_dashboard(page: Page, served: Served) -> None:
    job = served.finish(name="a search")
    page.goto("/")
    page.get_by_role("link", name="Studies").click()
    page.get_by_role("link", name=job).or_(page.get_by_text(job)).first.click()
    page.wait_for_url("**/optuna/dashboard/studies/*")
    expect(page.get_by_text("dense seed 0").or_(page.get_by_text("Hyperparameter")).first).to_be_visible()
    page.reload()  # a deep link
    expect(page.get_by_text(job).first).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 820, 1440])
def test_every_page_can_be_used_by_everyone(theme: str, width: int, page: Page, served: Served) -> None:
    """axe finds nothing serious, and nothing but tables is wider than the screen."""
    job, architecture = served.finish(name="a job " + "x" * 100), trained(served)
    pattern = served.get("/v1/patterns")["items"][0]["id"]
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    for path in (
        "/", "/new", f"/jobs/{job}", f"/architectures/{architecture}", "/architectures", f"/patterns/{pattern}", "/patterns",
        f"/jobs/{job}/delete", f"/jobs/{job}/trainings", "/nothing", "/sign-in",
    ):  # fmt: skip
        page.goto(path)
        if path == "/new":
            page.get_by_label("Budgets").fill("params=2")
            page.get_by_role("button", name="Show what would run").click()
            expect(page.get_by_role("alert")).to_be_visible()
        assert_usable(page, width, path)


@pytest.mark.parametrize(("theme", "width"), [("light", 390), ("dark", 1440)])
def test_jobs_can_be_looked_at_by_everyone_however_they_stand(
    theme: str, width: int, page: Page, served: Served, tmp_path: Path
) -> None:
    """Tickets, failures, two jobs side by side, the report, one job that runs."""
    tickets = served.finish(name="tickets", tickets={"rounds": 2}, methods=[], budgets=[], baselines=[])
    served.executor.broken = lambda one: "it diverged" if one.origin.kind == "uniform" and one.seed == 1 else None
    failed = served.finish(name="not whole", seeds=[0, 1, 2])
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    for path in (f"/jobs/{tickets}", f"/jobs/{failed}", f"/compare?job={tickets}&job={failed}", "/compare?job=nowhere"):
        page.goto(path)
        assert_usable(page, width, path)
    with Client(served.url, "secret") as client:
        write(client, failed, tmp_path / "report.html")
    report = page.context.new_page()
    report.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    report.set_viewport_size({"width": width, "height": 900})
    report.goto(f"file://{tmp_path}/report.html")
    expect(report.get_by_role("heading", name="not whole")).to_be_visible()
    assert_usable(report, width, "the report")
    served.executor.held = lambda one: one.origin.kind == "uniform"
    running = served.submit(name="running", seeds=[7, 8])
    thread = in_background(served)
    page.goto(f"/jobs/{running}")
    expect(page.locator(".state")).to_have_text("running")
    expect(page.get_by_text("uniform").first).to_be_visible()
    assert_usable(page, width, "a job that runs")
    served.client.post(f"/v1/jobs/{running}/cancel")
    thread.join()


def assert_usable(page: Page, width: int, where: str) -> None:
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == [], (
        where
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width, where
