"""Architectures from installed packages: a real package, installed by pip, found by its entry points."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "example_package"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the example package in it, as `pip install` leaves it."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for path in EXAMPLE.rglob("*"):  # pip builds beside the sources
        if path.is_file() and "__pycache__" not in path.parts:
            copy = source / path.relative_to(EXAMPLE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(target), str(source)], check=True, capture_output=True)
    return target


def ask(installed: Path, code: str) -> str:
    """What a process prints that has the package installed."""
    environment = os.environ | {"PYTHONPATH": f"{installed}{os.pathsep}{ROOT}"}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=installed, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_an_installed_package_adds_architectures(installed: Path) -> None:
    code = """
import json, torch
from espalier.models.architectures import names
from espalier.models.network import Network, build, dense, thinned
from espalier.models.config import ChannelMask
from espalier.search.exports import export
assert "example-nets/tiny" in names()
whole = dense("example-nets/tiny", 4, (3, 16, 16), {"channels": 6})
mask = ChannelMask({g.name: torch.arange(g.width) % 2 == 0 for g in Network.of(whole).groups})
config = thinned(Network.of(whole), mask)
net = build(config)
assert net(torch.zeros(2, 3, 16, 16)).shape == (2, 4)
assert net.scale.tolist() == [[[0.5]]] * 3
print(json.dumps([config.widths, [g.layers for g in Network.of(whole).groups], len(export("python", config, None).content)]))
"""
    widths, layers, size = json.loads(ask(installed, code))
    assert widths == {"stem": 3, "conv": 6}
    assert layers == [["stem", "norm", "", "conv"], ["conv", "norm2", "classifier"]]
    assert size > 1000


def test_a_broken_package_is_named_and_sinks_nothing_else(installed: Path) -> None:
    code = """
import json
from espalier.app.work.tasks import describe_catalog
from espalier.models.errors import ModelError
from espalier.models.network import dense
def error(name):
    try: dense(name)
    except ModelError as problem: return str(problem)
words = {e.name: e.description for e in describe_catalog()["architectures"]}
print(json.dumps([words, *(error(f"example-nets/{name}") for name in
                         ("broken", "wrong", "leaving", "shapeless", "optionless"))]))
"""
    words, broken, wrong, leaving, shapeless, optionless = json.loads(ask(installed, code))
    assert words["example-nets/tiny"].startswith("an example")
    assert "cannot be loaded" in words["example-nets/broken"]
    assert broken == (
        "'example-nets/broken' (example_nets.missing:NET) cannot be loaded: No module named 'example_nets.missing'"
    )
    assert wrong.endswith("is a type; it must be an espalier.models.Architecture")
    assert leaving.endswith("cannot be loaded: no licence")
    assert "cannot have its own input or classes: shape: " in shapeless
    assert optionless.endswith(
        "options of <class 'dict'>; they must be a subclass of <class 'espalier.models.document.Frozen'>"
    )
    assert all(words[f"example-nets/{name}"] for name in ("leaving", "shapeless", "optionless"))


def test_a_request_cannot_name_code() -> None:
    from espalier.models.errors import UnknownArchitecture
    from espalier.models.network import dense

    for name in ("example_nets:TINY", "os:system", "torchvision/../os", "example-nets/tiny"):
        with pytest.raises(UnknownArchitecture):
            dense(name)
