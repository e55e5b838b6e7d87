"""Tests mirror files: every source file has its own, and tests keep to what is public."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path.relative_to(ROOT)
    for folder in ("models", "search", "storage", "app")
    for path in (ROOT / folder).rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py") and "migrations" not in path.parts
)
TESTS = sorted(path for path in (ROOT / "tests").rglob("*.py") if "example_package" not in path.parts)


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_every_source_file_has_a_test_file_of_its_own(source: Path) -> None:
    own = Path("tests") / source.parent / f"test_{source.name}"
    assert (ROOT / own).exists(), f"write {own}, or move there what tests {source}"
    tests = [node for node in ast.walk(ast.parse((ROOT / own).read_text())) if isinstance(node, ast.FunctionDef)]
    assert any(node.name.startswith("test_") for node in tests), f"{own} has no test in it"


def test_every_test_file_below_a_folder_of_the_source_mirrors_one() -> None:
    """But for suites over everything, which are named here."""
    suites = {
        "tests/models/test_oracle.py", "tests/models/test_own_networks.py", "tests/models/test_plugins.py",
        "tests/models/test_sweep.py", "tests/storage/test_releases.py", "tests/storage/test_life_cycle.py",
        "tests/app/client/cli/test___main__.py",
    }  # fmt: skip
    mirrors = {str(Path("tests") / source.parent / f"test_{source.name}") for source in SOURCES}
    folders = tuple(f"tests/{folder}/" for folder in ("models", "search", "storage", "app"))
    found = {str(path.relative_to(ROOT)) for path in TESTS if path.name.startswith("test_")}
    assert {path for path in found if path.startswith(folders)} - mirrors - suites == set()


def _imported(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of everything a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_tests_keep_to_what_is_public(path: Path) -> None:
    imported = list(_imported(path))
    private = [
        f"{module}.{name}" for module, name in imported if module.startswith("espalier") and name.startswith("_")
    ]
    assert not private, f"{path.name} imports private names: {', '.join(private)}"
    assert not [module for module, _ in imported if module.partition(".")[0] == "benchmarks"]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "monkeypatch.setattr":
            names = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            assert not [name for name in names if name.rpartition(".")[2].startswith("_")], (
                f"{path.name} patches {names}"
            )
