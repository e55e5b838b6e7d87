"""Nothing points up: models < search < storage < app; no cycles; every module says what lives in it."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("models", "search", "storage", "app")
SOURCES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))
SCRIPTS = ("migrations/env.py",)


def module_name(path: Path) -> str:
    return ".".join(("espalier", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_nothing_points_up(path: Path) -> None:
    layer = LAYERS.index(path.relative_to(ROOT).parts[0])
    upward = {name for name in imports(path) if name.removeprefix("espalier.").partition(".")[0] in LAYERS[layer + 1 :]}
    assert not upward, f"{module_name(path)} may import {LAYERS[: layer + 1]}, not {upward}: move what it needs down"


def test_no_import_cycles() -> None:
    names = {module_name(path): path for path in SOURCES}
    graph = {name: {i for i in imports(path, top_level_only=True) if i in names} for name, path in names.items()}
    # A package's __init__ that imports its own modules is how a registry is written; the reverse would be the cycle.
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import cycle: {' -> '.join((*trail[trail.index(name) :], name))}"
        if name not in done:
            for other in graph[name] - {name}:
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if not str(p).endswith(SCRIPTS) and "versions" not in p.parts], ids=module_name
)
def test_every_module_says_what_lives_in_it(path: Path) -> None:
    doc = importlib.import_module(module_name(path)).__doc__
    assert doc, f"{module_name(path)} has no docstring; it must stand above the imports"


@pytest.mark.parametrize(
    "module",
    [
        "app.server.main",
        "app.server.processes",
        "app.client.cli",
        "app.client.report",
        "app.work.runner",
        "storage.jobs",
        "search.estimate",
    ],
)
def test_the_service_speaks_of_networks_without_loading_a_framework(module: str) -> None:
    code = f"import sys, espalier.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_import_contracts_hold() -> None:
    """The sentences in `pyproject.toml`, which `make check` asks for, too."""
    ran = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout


def test_records_and_samplers_alone_know_optuna() -> None:
    users = {module_name(path) for path in SOURCES if any(i.partition(".")[0] == "optuna" for i in imports(path))}
    assert users == {"espalier.storage.studies", "espalier.search.sampling"}
