"""What comes next is one file and one line: a copy of the code is extended by both, and nothing else, and used over HTTP.

The files are in `tests/extending/`. They are put where their kind lives, and named in its registry.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from espalier.app.client.client import Client
from espalier.app.client.demo import service
from espalier.app.schemas import JobView
from espalier.search.states import JobState

ROOT = Path(__file__).parents[1]
FOLDERS = ("models", "search", "storage", "app")


class Extension(NamedTuple):
    """A file, where it goes, and its line in a registry (with the import that Python wants for it)."""

    file: str
    folder: str
    registry: str
    name: str
    behind: str
    """The entry is written behind this."""
    line: str


EXTENSIONS = (
    Extension("gradient", "search/methods", "search/methods/__init__.py", "Gradient",
              '    "slimming": Slimming,\n', '    "gradient": Gradient,\n'),
    Extension("late", "search/arms", "search/arms/__init__.py", "Late",
              '    "uniform": Uniform,\n', '    "late": Late,\n'),
    Extension("root_norm", "models/layers", "models/layers/__init__.py", "ROOT_NORM",
              "    LINEAR,\n", "    ROOT_NORM,\n"),
    Extension("upscale", "models/zoo", "models/architectures.py", "Upscale", "    *map(_conv, (2, 4, 6)),\n",
              '    Architecture("upscale", "Down and up", lambda _o, k, s: Upscale(k, s[0]), NoOptions),\n'),
    Extension("stripes", "search/datasets", "search/datasets/__init__.py", "STRIPES",
              "    MNIST,\n", "    STRIPES,\n"),
    Extension("second", "search/tasks/metrics", "search/tasks/metrics/__init__.py", "MEASURED_SECOND",
              "    MEASURED_ACCURACY,\n", "    MEASURED_SECOND,\n"),
    Extension("widths", "search/exports", "search/exports/__init__.py", "to_widths",
              '    "yaml": to_yaml,\n', '    "widths": to_widths,\n'),
    Extension("spare", "app/work/executors", "app/work/executors/__init__.py", "SpareExecutor",
              '    "local": LocalExecutor,\n', '    "spare": SpareExecutor,\n'),
    Extension("cautious", "search/planners", "search/planners/__init__.py", "Cautious",
              '    "fixed": Fixed,\n', '    "cautious": Cautious,\n'),
)  # fmt: skip

SPEC = {
    "name": "extended",
    "target": {"arch": "upscale", "dataset": "stripes"},
    "methods": [{"name": "gradient", "options": {"examples": 32}}, {"name": "slimming"}],
    "budgets": [{"metric": "params", "keep": 0.6}],
    "baselines": ["uniform", "late"],
    "planner": {"name": "cautious"},
    "seeds": [0, 1],
}


def _extend(tree: Path, extension: Extension) -> None:
    shutil.copy(ROOT / "tests/extending" / f"{extension.file}.py", tree / extension.folder)
    registry = tree / extension.registry
    text = registry.read_text()
    assert text.count(extension.behind) == 1, f"{extension.registry} has no single line {extension.behind!r}"
    package = f"espalier.{extension.folder.replace('/', '.')}.{extension.file}"
    text = text.replace(extension.behind, extension.behind + extension.line, 1)
    future = "from __future__ import annotations\n"
    registry.write_text(text.replace(future, f"{future}\nfrom {package} import {extension.name}\n", 1))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with every extension in it."""
    root = tmp_path_factory.mktemp("extended")
    (root / "espalier").mkdir()
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, root / "espalier" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", root / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    for extension in EXTENSIONS:
        _extend(root / "espalier", extension)
    return root


@pytest.fixture(scope="module")
def client(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A service that runs the extended code."""
    folder = tmp_path_factory.mktemp("service")
    with service(folder, extra={"PYTHONPATH": str(tree), "ESPALIER_EXECUTOR": "spare"}) as client:
        yield client


@pytest.fixture(scope="module")
def job(client: Client) -> JobView:
    """A job that uses all of them, at its end."""
    submitted = client.submit(SPEC)
    for _ in client.events(submitted.id):
        pass
    return client.job(submitted.id)


def test_the_catalog_has_every_extension(client: Client) -> None:
    found = {kind: {entry.name for entry in client.catalog(kind)} for kind in CATALOG}
    assert all(name in found[kind] for kind, name in CATALOG.items())
    (classification,) = client.catalog("tasks")
    assert [metric.name for metric in classification.metrics or ()] == ["accuracy", "second", "cross_entropy"]
    assert client.describe("upscale", shape="1,16,16", classes=2).prunable.params > 0.8


CATALOG = {
    "methods": "gradient",
    "arms": "late",
    "layers": "RMSNorm",
    "architectures": "upscale",
    "datasets": "stripes",
    "exports": "widths",
    "executors": "spare",
    "planners": "cautious",
}


def test_a_job_uses_them_and_its_front_shows_them(client: Client, job: JobView) -> None:
    assert (job.state, job.error) == (JobState.SUCCEEDED, None)
    front = client.pareto(job.id)
    assert {point.arm.name for point in front.points} == {
        "dense", "gradient examples=32", "slimming", "uniform", "late",
    }  # fmt: skip
    assert all(point.metrics["second"].mean <= 1 and point.accuracy.n == 2 for point in front.points)
    dense = next(point for point in front.points if point.origin == "dense")
    assert dense.accuracy.mean + dense.metrics["second"].mean == pytest.approx(1), "one of two answers is right"
    verdicts = {(v.arm.name, v.against) for v in client.verdict(job.id).verdicts}
    assert verdicts == {
        (method, against) for method in ("gradient examples=32", "slimming") for against in ("uniform", "late")
    }


def test_the_planner_asked_twice(client: Client, job: JobView) -> None:
    candidates = client.candidates(job.id)
    seeds = [one.seed for one in candidates]
    assert seeds == sorted(seeds)
    # For each seed slimming's parent, as the dense network is the other's, and five arms.
    assert job.progress.total == len(candidates) == 2 * (1 + 5)
    events = [event.data for event in client.events(job.id)]
    begun = [event.label for event in events if getattr(event, "what", "") == "started"]
    assert begun == [one.label for one in candidates], "one core is used, in the order of asking"


def test_what_it_found_is_exported_in_the_new_format_and_rebuilds_with_torch_alone(
    client: Client, job: JobView, tmp_path: Path
) -> None:
    front = client.pareto(job.id)
    point = next(point for point in front.points if point.arm.name.startswith("gradient"))
    name, content = client.export(point.architecture, "widths")
    lines = content.decode().splitlines()
    assert name.endswith(".txt")
    assert {line.split()[0] for line in lines[:2]} == {"down.0", "up.0"}
    assert any(line.startswith("# second ") for line in lines)
    (tmp_path / "net.py").write_bytes(client.export(point.architecture, "python")[1])
    (tmp_path / "net.safetensors").write_bytes(client.export(point.architecture, "safetensors")[1])
    code = "from net import build; net = build('net.safetensors'); print(sum(p.numel() for p in net.parameters()))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.stderr, int(ran.stdout)) == ("", point.params)


SUITES = {
    "tests/search/methods/test_base.py": "gradient",
    "tests/search/arms/test_base.py": "late",
    "tests/search/planners/test_base.py": "cautious",
    "tests/search/tasks/test_base.py": "classification",
    "tests/models/layers/test_base.py": "RMSNorm",
    "tests/search/exports/test_base.py": "widths",
    "tests/search/datasets/test_base.py": "stripes",
    "tests/app/work/executors/test_base.py": "spare",
}


def test_each_inherits_its_contract_suite(tree: Path) -> None:
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")),
            *("--rootdir", str(tree), "-vv", *SUITES, "-k", " or ".join(SUITES.values())),
        ],
        cwd=tree, env=os.environ | {"PYTHONPATH": str(tree)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]
    passed = [line for line in ran.stdout.splitlines() if " PASSED" in line]
    for suite, name in SUITES.items():
        assert any(line.startswith(suite) and name in line for line in passed), f"{suite} has no test of {name}"
