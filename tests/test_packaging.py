"""One installed package: a wheel puts `espalier` into site-packages and nothing else, and meets no folder of the user's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from espalier.search.datasets import recipe_of
from espalier.search.planners import create
from espalier.search.question import Question
from espalier.search.spec import JobSpec

ROOT = Path(__file__).parents[1]
FOLDERS = ("models", "search", "storage", "app")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy, since building leaves things behind."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        (copy / name).write_bytes((ROOT / name).read_bytes())
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    _run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(out), str(copy))
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with the wheel's in it, in front of everything else."""
    target = tmp_path_factory.mktemp("packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    """A directory full of folders with our names, none of which may be imported."""
    for folder in (*FOLDERS, "tests"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("raise RuntimeError('the user has this')")
    return tmp_path


def _run(*command: str, **options: object) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return str(ran.stdout)


def test_a_wheel_holds_one_package_with_every_file(wheel: Path) -> None:
    """Templates, data and their licences, too."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    files = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file())
    assert set(names) == {f"espalier/{path.relative_to(ROOT)}" for path in files if "__pycache__" not in path.parts}


def test_it_works_in_a_directory_full_of_folders_with_our_names(installed: Path, crowded: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    script = (
        "import espalier.models.config as c; from espalier.models import build, dense; "
        "print(c.__file__, sum(p.numel() for p in build(dense('lenet5')).parameters()))"
    )
    where, params = _run(sys.executable, "-c", script, cwd=crowded, env=environment).split()
    assert (Path(where), params) == (installed / "espalier/models/config.py", "431080")
    told = _run(sys.executable, "-m", "espalier.app.client.cli", "--help", cwd=crowded, env=environment)
    assert "Pruning as architecture search" in told


def test_a_service_starts_there_and_reads_its_migrations(installed: Path, crowded: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed), "ESPALIER_DATA_DIR": str(crowded / "data")}
    _run(sys.executable, "-m", "espalier.app.client.cli", "upgrade", cwd=crowded, env=environment)
    assert (crowded / "data/espalier.db").exists()


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.json")), ids=lambda path: path.stem)
def test_every_spec_in_the_documentation_plans_candidates(path: Path) -> None:
    spec = JobSpec.read(json.loads(path.read_text()))
    assert create(Question(spec=spec, recipe=recipe_of(spec), data="d")).next({})
