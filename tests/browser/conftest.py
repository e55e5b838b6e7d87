"""A real browser, and a service for it whose searches take no time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.app.world import World, listening
from tests.browser.chromium import executable

expect.set_options(timeout=20_000)  # machines differ, and share their cores with other tests


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Chromium, without a window. Skipped where there is none, but on CI. Gone after these tests: while it is there, the
    event loop that it is driven by is in the way of others."""
    found = executable()
    if found is None:
        assert not os.environ.get("CI"), "CI needs Chromium"
        pytest.skip("no Chromium on this machine; CHROMIUM says where one is")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])  # root may not have one
        yield browser
        browser.close()


class Served(World):
    """A service on a real socket, with a runner that runs whatever is queued."""

    url = ""

    @contextmanager
    def listens(self, port: int = 0) -> Iterator[None]:
        """Serve; at the end, streams end first."""
        self.service.stopping = False
        with listening(self.client.app, port) as self.url:
            yield
            self.service.stopping = True

    def run_all(self) -> None:
        """Run what is queued, until nothing is."""
        while self.runner.run_one():
            pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A service of the test's own."""
    world = Served(tmp_path / "data")
    with world.listens():
        yield world
    world.client.close()
    world.service.close()


@pytest.fixture
def context(chromium: Browser, served: Served) -> Iterator[BrowserContext]:
    """A browser that remembers nothing, in English."""
    context = chromium.new_context(base_url=served.url, locale="en")
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, served: Served) -> Iterator[Page]:
    """A page of somebody who has signed in. Nothing may leave the host, break, or ask for attention."""
    page, wrong = context.new_page(), list[str]()
    page.on("request", lambda one: None if one.url.startswith(served.url) else wrong.append(f"asked {one.url}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on(
        "console",
        lambda one: wrong.append(one.text) if one.type == "error" and "Failed to load" not in one.text else None,
    )
    page.on("dialog", lambda one: (wrong.append(f"dialog: {one.message}"), one.dismiss()))
    page.goto("/sign-in?token=secret")
    yield page
    assert wrong == []


def in_background(served: Served) -> threading.Thread:
    """Run what is queued while the browser looks on."""
    thread = threading.Thread(target=served.run_all)
    thread.start()
    return thread
