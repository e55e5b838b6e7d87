"""The user guide: every page is followed to the letter, in an empty directory."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import nbformat
import pytest
import sqlalchemy as sa
from nbclient import NotebookClient

from espalier.app.client.client import Client
from espalier.app.client.demo import service
from espalier.storage.database import normalised

GUIDE = Path(__file__).parents[1] / "docs" / "guide"
PAGES = sorted(path.name for path in GUIDE.glob("*.md") if path.name != "README.md")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ALWAYS = ("first-search.md", "watching.md")
"""Pages that `make test` follows; the others are for `make test-long`."""
SERVE = "espalier serve\n"
"""A block that says this alone is where a service is started again."""

pytestmark = [pytest.mark.alone, pytest.mark.timeout(1800)]


class Reader:
    """Somebody who types what a page says into a terminal."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = {**_clean(), "PATH": f"{_programs(folder)}:{os.environ['PATH']}", **environment}
        self.left: list[subprocess.Popen[bytes]] = []

    def bash(self, code: str) -> str:
        """Run a block; variables that it sets are there in the next. What it printed."""
        state = shlex.quote(str(self.folder / ".state"))
        script = f"set -euo pipefail\ntouch {state}\n. {state}\nset -a\n{code}\nset +a\nexport -p > {state}\n"
        return self._run(["bash", "-c", script])

    def python(self, code: str) -> str:
        """Run a block as a program. What it printed."""
        return self._run([sys.executable, "-c", code])

    def _run(self, command: list[str]) -> str:
        said = self.folder / f".said-{len(self.left)}"
        with said.open("w") as output:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.left.append(process)
        assert process.wait(1500) == 0, f"{command[-1]}\n{said.read_text()}"
        return said.read_text()

    def reach(self, client: Client) -> None:
        """Talk to this service."""
        reached = {"ESPALIER_URL": client.url, "ESPALIER_TOKEN": client.token or ""}
        self.environment |= reached
        with (self.folder / ".state").open("a") as state:
            state.writelines(f"export {name}={shlex.quote(value)}\n" for name, value in reached.items())

    def leave(self) -> None:
        """End what was started in the background."""
        for process in self.left:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ESPALIER_")}


def _programs(folder: Path) -> Path:
    """`espalier` and `python` as they are here; `pip`, which leaves this environment as it is and asks no network."""
    programs = folder / ".bin"
    programs.mkdir()
    pip = f"-m pip install --quiet --no-build-isolation --no-deps --target {folder / '.packages'}"
    for name, run in (("espalier", "-m espalier.app.client.cli"), ("python", ""), ("pip", pip)):
        said = '"${@:2}"' if name == "pip" else '"$@"'  # without `install`
        (programs / name).write_text(f"#!/bin/bash\nexec {sys.executable} {run} {said}\n")
        (programs / name).chmod(0o755)
    return programs


@contextmanager
def reading(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Reader]:
    """A reader in an empty directory, gone with all that was left running."""
    reader = Reader(folder, environment or {})
    try:
        yield reader
    finally:
        reader.leave()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    """A service, and the directory that it keeps data sets in; what one page trains, no other trains again."""
    folder = tmp_path_factory.mktemp("service")
    with service(folder, folder / "datasets") as client:
        yield client, folder


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=() if page in ALWAYS else pytest.mark.long) for page in PAGES if page != "cluster.md"],
)
def test_what_a_page_says_works(page: str, served: tuple[Client, Path], tmp_path: Path) -> None:
    """With a service of its own, and what was installed before, from where the page says that one is started."""
    client, folder = served
    packages = tmp_path / ".packages"
    with ExitStack() as stack:
        reader = stack.enter_context(reading(tmp_path, {"PYTHONPATH": str(packages)}))
        (tmp_path / "espalier-data").symlink_to(folder)
        reader.reach(client)
        for language, code in BLOCK.findall((GUIDE / page).read_text()):
            if language == "bash":
                reader.bash(code)
            elif language == "python":
                reader.python(code)
            elif code == SERVE:
                reader.reach(stack.enter_context(service(tmp_path / "own", extra={"PYTHONPATH": str(packages)})))
            else:
                assert not re.search(r"^(espalier|python|pip|make|curl) ", code, re.MULTILINE), f"nobody runs {code}"


@pytest.mark.long
def test_several_machines_share_a_database(tmp_path: Path, postgres: str) -> None:
    server = sa.create_engine(normalised(postgres), isolation_level="AUTOCOMMIT")
    name = f"guide_{uuid.uuid4().hex[:12]}"
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    settings = {
        "ESPALIER_DATABASE_URL": server.url.set(database=name).render_as_string(hide_password=False),
        "ESPALIER_DATA_DIR": str(tmp_path / "shared"),
        "ESPALIER_TOKEN": "at-least-eight",
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with reading(tmp_path, settings) as reader:
        for language, code in BLOCK.findall((GUIDE / "cluster.md").read_text()):
            if language == "bash":
                reader.bash(code.replace("8000", port))
            else:
                assert re.findall(r"^export (\w+)=", code, re.MULTILINE) == [*settings], "these are set above"
    server.dispose()


def test_the_notebook_runs(served: tuple[Client, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = served
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("ESPALIER_URL", client.url)
    monkeypatch.setenv("ESPALIER_TOKEN", client.token or "")
    notebook = nbformat.read(GUIDE / "search.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "it is kept without what it printed"
    NotebookClient(notebook, timeout=1500, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    shown = [output.get("data", {}) for output in outputs]
    assert any("<svg" in str(data.get("text/html", data.get("image/svg+xml", ""))) for data in shown), "the picture"
    assert any("<table" in str(data.get("text/html", "")) for data in shown), "the frame"
    assert shown[-1]["text/plain"] == "True", "the network has as many parameters as was said"


def test_the_guide_lists_its_pages() -> None:
    index = (GUIDE / "README.md").read_text()
    assert set(re.findall(r"\]\(([\w-]+\.(?:md|ipynb))\)", index)) == {*PAGES, "search.ipynb"}
