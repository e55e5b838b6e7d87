"""The public faces of packages: complete, imported when they are asked for, and helpful about other names."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import espalier.models
import espalier.search
from espalier.models.lazily import face
from espalier.models.network import dense

faces = pytest.mark.parametrize("package", [espalier.models, espalier.search], ids=lambda package: package.__name__)


@faces
def test_every_public_name_is_there(package: ModuleType) -> None:
    for name in package.PUBLIC:
        assert getattr(package, name) is not None


@faces
def test_what_type_checkers_see_is_what_there_is(package: ModuleType) -> None:
    assert package.__file__ is not None
    tree = ast.parse(Path(package.__file__).read_text())
    (guarded,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    seen = {
        alias.asname: (node.module, alias.name)
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {name: (f"{package.__name__}.{module}", name) for name, module in package.PUBLIC.items()}


@faces
def test_an_unknown_name_lists_those_there_are(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'; there are: ") as caught:
        _ = package.nothing
    assert all(name in str(caught.value) for name in package.PUBLIC)
    assert not hasattr(package, "nothing")


def test_a_face_is_the_thing_itself() -> None:
    assert face("espalier.models", {"dense": "network"})("dense") is dense
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from espalier.models import nothing  # type: ignore[attr-defined]  # noqa: F401


@pytest.mark.parametrize(
    "names", ["espalier.models", "espalier.search", "espalier.models.config", "espalier.models.document"]
)
def test_values_are_imported_without_loading_a_framework(names: str) -> None:
    code = f"import sys, {names}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
