"""What a browser makes of the pages: how soon something is seen, and pictures of all of them.

`python -m benchmarks paint` measures; `python -m benchmarks.paint FOLDER` takes the pictures, of the recorded search.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import typer
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.common import Setting
from benchmarks.pages import EVENTS, fill
from espalier.app.client.client import Client
from espalier.app.client.demo import recorded_in, service
from espalier.app.tables import Table, table
from tests.app.world import World
from tests.browser.chromium import executable

RUNS = 5
SIZES = ((390, 844), (820, 1180), (1440, 900))
"""Of a phone, a tablet and a screen, in pixels of the page."""
THEMES = ("light", "dark")
PAINTED = "performance.getEntriesByType('paint').find(one => one.name === 'first-contentful-paint').startTime"
LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
SENT = """performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))
.reduce((sum, one) => sum + one.transferSize, 0)"""


def run(_setting: Setting) -> Table:
    """A job with two thousand candidates, served by a process of its own to a browser that has nothing of it yet."""
    with tempfile.TemporaryDirectory(prefix="espalier-bench-") as folder:
        world = World(Path(folder) / "data")
        job, count = fill(world)
        world.service.close()
        with service(Path(folder)) as client, chromium() as browser:
            rows = [(path.replace(job, "JOB"), *_measured(browser, client, path)) for path in ("/", f"/jobs/{job}")]
    title = f"Until something is seen: {count:,} candidates, {EVENTS:,} events, a new browser each time"
    return table(title, ("page", "first paint, s", "loaded, s", "kB sent"), rows)


def _measured(browser: Browser, client: Client, path: str) -> tuple[str, str, str]:
    found = []
    for _ in range(RUNS):
        with signed_in(browser, client) as page:
            page.goto(path, wait_until="load")
            page.wait_for_function(f"{LOADED} > 0")
            found.append([float(page.evaluate(what)) for what in (PAINTED, LOADED, SENT)])
    painted, loaded, sent = (median(numbers) for numbers in zip(*found, strict=True))
    return f"{painted / 1000:.2f}", f"{loaded / 1000:.2f}", f"{sent / 1000:.0f}"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def signed_in(browser: Browser, client: Client, **options: Any) -> Iterator[Page]:
    """A page of a browser that remembers nothing but who it is."""
    context = browser.new_context(base_url=client.url, locale="en", **options)
    page = context.new_page()
    page.goto(f"/sign-in?token={client.token}&next=/patterns")
    yield page
    context.close()


def main(folder: Path) -> None:
    """Pictures of every page, at three sizes in both themes: NAME-WIDTH-THEME.png."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="espalier-bench-") as data:
        job = recorded_in(Path(data))
        with service(Path(data)) as client, chromium() as browser:
            pages = dict(_pages(client, job))
            for width, height in SIZES:
                for theme in THEMES:
                    looks = {"viewport": {"width": width, "height": height}, "color_scheme": theme}
                    with signed_in(browser, client, **looks) as page:
                        for name, path in pages.items():
                            page.goto(path)
                            page.screenshot(path=folder / f"{name}-{width}-{theme}.png", full_page=True)
    typer.echo(f"{len(pages) * len(SIZES) * len(THEMES)} pictures are in {folder}")


def _pages(client: Client, job: str) -> Iterator[tuple[str, str]]:
    front = [point.architecture for point in client.pareto(job).points if point.on_front]
    yield from (("jobs", "/"), ("new", "/new"), ("job", f"/jobs/{job}"), ("trainings", f"/jobs/{job}/trainings"))
    yield from (("architectures", "/architectures"), ("architecture", f"/architectures/{front[0]}"))
    yield from (("patterns", "/patterns"), ("pattern", f"/patterns/{client.known_patterns()[0].id}"))


if __name__ == "__main__":
    typer.run(main)
