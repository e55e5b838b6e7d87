"""Public faces of packages: names that are imported when they are first asked for, so that values need no torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def face(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package that offers these names: name -> the module that has it."""

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; there are: {', '.join(modules)}")
        return getattr(importlib.import_module(f"{package}.{modules[name]}"), name)

    return get
