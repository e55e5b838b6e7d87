"""The shape of the source: `python -m benchmarks.structure` measures files, functions, docstrings, tests and cycles."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import grimp
import numpy as np
from rich.console import Console

from espalier.app.tables import Table, table

ROOT = Path(__file__).parents[1]
FOLDERS = ("models", "search", "storage", "app")


class Function(NamedTuple):
    """One function or method."""

    name: str
    lines: int
    is_public: bool
    has_docstring: bool


def sources() -> list[Path]:
    """Every source file, migrations apart: they are history."""
    found = (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in found if "migrations" not in path.parts]


def functions(path: Path) -> Iterator[Function]:
    """The functions and methods of a file; those inside others count as private."""
    tree = ast.parse(path.read_text())
    outer = [node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS)]
    inner = {id(part) for node in outer for part in ast.walk(node) if part is not node}
    for node in outer:
        public = not node.name.startswith("_") and id(node) not in inner
        yield Function(node.name, (node.end_lineno or 0) - node.lineno + 1, public, bool(ast.get_docstring(node)))


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def cycles() -> int:
    """Modules that import each other, however far around."""
    graph = grimp.build_graph(*(f"espalier.{folder}" for folder in FOLDERS), exclude_type_checking_imports=True)
    state: dict[str, int] = {}
    found = 0

    def visit(module: str) -> None:
        nonlocal found
        state[module] = 1
        for other in graph.find_modules_directly_imported_by(module):
            if state.get(other) == 1:
                found += 1
            elif other not in state:
                visit(other)
        state[module] = 2

    for module in graph.modules:
        if module not in state:
            visit(module)
    return found


def has_test(path: Path) -> bool:
    """Whether a source file has a test file of its own."""
    inside = path.relative_to(ROOT)
    return (ROOT / "tests" / inside.parent / f"test_{inside.name}").exists()


def run() -> Table:
    """All of it."""
    paths = sources()
    lengths = [len(path.read_text().splitlines()) for path in paths]
    found = [function for path in paths for function in functions(path)]
    public = [one for one in found if one.is_public]
    own = [path for path in paths if path.name not in ("__init__.py", "__main__.py")]
    rows = [
        ("source files", str(len(paths))),
        ("lines of a file: median, p95, max", _spread(lengths)),
        ("lines of a function: median, p95, max", _spread([one.lines for one in found])),
        ("public functions with a docstring", f"{100 * np.mean([one.has_docstring for one in public]):.1f} %"),
        ("files with a test file of their own", f"{100 * np.mean([has_test(path) for path in own]):.1f} %"),
        ("import cycles", str(cycles())),
    ]
    return table("The shape of the source", ("what", "measured"), rows)


def _spread(values: Sequence[int]) -> str:
    return f"{np.median(values):.0f}, {np.percentile(values, 95):.0f}, {max(values)}"


if __name__ == "__main__":
    Console(width=120).print(run())
