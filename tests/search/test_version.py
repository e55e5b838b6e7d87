"""The version is that of the installed package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from espalier.search.version import VERSION


def test_the_version_is_the_installed_one() -> None:
    try:
        assert version("espalier-nas") == VERSION
    except PackageNotFoundError:
        assert VERSION == "0+unknown"
