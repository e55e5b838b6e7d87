"""The demonstration, from start to end."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import psutil
import pytest
from rich.console import Console

from espalier.app.client.client import Client, ClientError
from espalier.app.client.demo import REBUILD, SPEC, service, show_recorded
from espalier.models.network import build
from espalier.search import read_document
from espalier.search.spec import JobSpec


@pytest.mark.long
def test_the_demonstration_leaves_a_network_that_can_be_rebuilt(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "espalier.app.client.cli", "demo", "--output", str(tmp_path / "left")],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "slimming" in ran.stdout
    assert "The search took" in ran.stdout
    net = build(read_document((tmp_path / "left" / "pruned.json").read_text()))
    assert f"rebuilds it: {sum(p.numel() for p in net.parameters()):,} parameters" in " ".join(ran.stdout.split())
    assert sorted(path.name for path in (tmp_path / "left").iterdir() if path.is_file()) == [
        "pruned.json", "pruned.py", "pruned.safetensors", "report.html",
    ]  # fmt: skip
    assert "<svg" in (tmp_path / "left" / "report.html").read_text()


def test_a_recorded_search_is_shown_in_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every network of it can be exported but for its weights; its service is gone in the end."""
    monkeypatch.setenv("ESPALIER_DATA_DIR", "/nonsense")  # of the user's own service, which is left alone
    console = Console(file=io.StringIO(), width=200)
    addresses: list[str] = []

    def look() -> None:
        (address,) = re.findall(r"^http://\S+$", told(console), re.MULTILINE)
        addresses.append(address)
        with httpx2.Client(follow_redirects=True, timeout=120, headers={"Accept": "text/html"}) as browser:
            page = browser.get(address).text
            assert "Is automatic pruning better here?" in page
            assert page.count("<svg") >= 3
            (network, *_) = re.findall(r"/architectures/(\w{20,})", page)
            exported = f"{address.partition('/sign-in')[0]}/v1/architectures/{network}/export"
            assert "def build" in browser.get(exported, params={"format": "python"}).text
            assert "weights" in browser.get(exported, params={"format": "safetensors"}).json()["detail"]
        raise KeyboardInterrupt

    assert show_recorded(console, look) == 0
    assert "slimming" in told(console)
    with pytest.raises(httpx2.TransportError):
        httpx2.get(addresses[0])


def told(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_what_it_searches_is_a_search() -> None:
    spec = JobSpec.model_validate(SPEC)
    assert (len(spec.budgets), len(spec.seeds), spec.target.dataset) == (2, 4, "fashion_small")
    assert set(REBUILD) == {"pruned.json", "pruned.py"}


def test_its_service_is_its_own_and_gone_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPALIER_DATABASE_URL", "nonsense")  # of the user's own service, which is left alone
    before = set(psutil.Process().children())
    with service(tmp_path) as client:
        assert client.ready().status == "ok"
        assert client.jobs() == []
        (process,) = set(psutil.Process().children()) - before
        with pytest.raises(ClientError, match="401"), Client(client.url) as stranger:
            stranger.jobs()
    assert not process.is_running()
    assert (tmp_path / "data" / "espalier.db").exists()
    with pytest.raises(httpx2.TransportError):
        httpx2.get(client.url)


def test_its_service_is_gone_too_if_it_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, signal, psutil; from pathlib import Path; from espalier.app.client.demo import service\n"
        f"with service(Path({str(tmp_path)!r})):\n"
        "    (child,) = psutil.Process().children()\n"
        "    print(child.pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    ran = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    left = int(ran.stdout)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(left).wait(30)
    assert not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE
