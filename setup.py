"""The four folders at the top, installed and imported as `espalier.models`, `espalier.search` and so on: names as plain
as theirs would meet other people's in site-packages."""

from setuptools import find_packages, setup

FOLDERS = ("models", "search", "storage", "app")

setup(
    packages=[f"espalier.{name}" for name in find_packages(include=[f"{folder}*" for folder in FOLDERS])],
    package_data={
        "espalier.search": ["published.*"],
        "espalier.search.datasets": ["fashion_small.*"],
        "espalier.app": ["templates/*", "static/*"],
        "espalier.app.client": ["recorded.*"],
    },
    package_dir={f"espalier.{folder}": folder for folder in FOLDERS},
)
