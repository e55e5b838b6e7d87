"""What of this machine and its settings would get in a search's way, found before it does."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

import psutil

from espalier.app.settings import Settings
from espalier.search.machine import cores, processor
from espalier.storage import runners
from espalier.storage.database import Database, without_password
from espalier.storage.errors import StorageError
from espalier.storage.store import store_at

GIB = 2**30
LEAST_DISK, LEAST_MEMORY = 5 * GIB, 4 * GIB
"""Less is worth a word."""
BUSY = 0.75
"""Of the cores, as a load: networks that are timed beside so much are timed wrongly."""
EXTRAS = {
    "dashboard": "optuna_dashboard",
    "mcp": "mcp",
    "objects": "obstore",
    "onnx": "onnxruntime",
    "pictures": "vl_convert",
    "postgresql": "psycopg",
    "ray": "ray",
    "timm": "timm",
}
"""Optional parts of the package, and a module that each brings."""

State = Literal["good", "look", "bad"]
"""look: it works, and may not be what was meant; bad: something will fail."""


class Finding(NamedTuple):
    """One thing that was looked at."""

    what: str
    state: State
    words: str


def checkup(settings: Settings) -> Iterator[Finding]:
    """Everything in turn. Changes nothing."""
    for what, look in LOOKS.items():
        try:
            yield look(settings)
        except OSError as error:  # what somebody else owns cannot even be looked at
            yield Finding(what, "bad", str(error))


def _nearest(folder: Path) -> Path:
    """It, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _data_dir(settings: Settings) -> Finding:
    folder = settings.data_dir.resolve()
    there = _nearest(folder)
    if not (there.is_dir() and os.access(there, os.W_OK)):
        return Finding("data directory", "bad", f"{there} cannot be written to: set ESPALIER_DATA_DIR")
    token = folder / "token"
    if token.exists() and stat.S_IMODE(token.stat().st_mode) & 0o077:
        return Finding("data directory", "bad", f"others may read {token}: chmod 600 {token}")
    return Finding("data directory", "good", f"{folder}" + ("" if folder.exists() else ", made at the first start"))


def _disk(settings: Settings) -> Finding:
    there = _nearest(settings.data_dir.resolve())
    free = shutil.disk_usage(there).free
    words = f"{free / GIB:.1f} GiB free at {there}"
    if free < LEAST_DISK:
        return Finding(
            "disk", "look", f"{words}: a job keeps the weights of every network; `keep_weights: false` keeps none"
        )
    return Finding("disk", "good", words)


def _database(settings: Settings) -> Finding:
    name = without_password(settings.url)
    try:
        with closing(Database(settings.url)) as database:
            if database.is_gone():
                return Finding("database", "good", f"{name}, made at the first start")
            if not database.is_current():
                return Finding("database", "bad", f"{name} does not answer, or is of another release: espalier upgrade")
            with database.session() as session:
                if not runners.alive(session):
                    return Finding("database", "look", f"{name}; no runner is alive, so jobs would wait")
    except StorageError as error:
        return Finding("database", "bad", str(error))
    return Finding("database", "good", f"{name}, and a runner is alive")


def _store(settings: Settings) -> Finding:
    url = settings.store_url
    try:
        store_at(url, settings.cache.resolve()).check()
    except StorageError as error:
        return Finding("store", "bad", str(error))
    return Finding("store", "good", f"weights and checkpoints are in {url}")


def _datasets(settings: Settings) -> Finding:
    root = settings.datasets
    if not root.is_dir():
        return Finding("data sets", "look", f"{root} is not there: only data sets that ship in a package, or download")
    readable = (path for path in root.iterdir() if os.access(path, os.R_OK | os.X_OK))
    folders = sorted(path.name for path in readable if (path / "train").is_dir())
    words = f"image folders in {root}: {', '.join(folders[:10])}{' …' * (len(folders) > 10)}"
    return Finding("data sets", "good", words if folders else f"no image folder (train/<class>/…) in {root}")


def _memory(_settings: Settings) -> Finding:
    free = psutil.virtual_memory().available
    words = f"{free / GIB:.1f} GiB available"
    if free < LEAST_MEMORY:
        return Finding("memory", "look", f"{words}: large networks and data sets may be ended by the system")
    return Finding("memory", "good", words)


def _processor(settings: Settings) -> Finding:
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    mine = settings.workers or cores()
    words = f"{processor()}, {mine} of {os.cpu_count()} cores to train on"
    if mine > cores():
        return Finding(
            "processor", "look", f"{words}: ESPALIER_WORKERS is more than there are; networks wait for each other"
        )
    if busy > BUSY * (os.cpu_count() or 1):
        return Finding(
            "processor", "look", f"{words}; a load of {busy:.1f}: how networks are computed is chosen by timing them"
        )
    return Finding("processor", "good", words)


def _gpu(_settings: Settings) -> Finding:
    import torch

    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        return Finding("GPU", "good", f"{names}; networks are trained on the first")
    if Path("/dev/nvidia0").exists():
        return Finding(
            "GPU", "bad", f"there is one, and torch {torch.__version__} does not see it: driver and CUDA must fit"
        )
    return Finding("GPU", "good", f"none; torch {torch.__version__} trains on the processor")


def _extras(_settings: Settings) -> Finding:
    missing = [name for name, module in EXTRAS.items() if importlib.util.find_spec(module) is None]
    words = ", ".join(name for name in EXTRAS if name not in missing) or "none"
    hint = f"; pip install 'espalier-nas[{','.join(missing)}]' brings the others" if missing else ""
    return Finding("extras", "good", words + hint)


LOOKS: Mapping[str, Callable[[Settings], Finding]] = {
    "data directory": _data_dir,
    "disk": _disk,
    "database": _database,
    "store": _store,
    "data sets": _datasets,
    "memory": _memory,
    "processor": _processor,
    "GPU": _gpu,
    "extras": _extras,
}
"""In this order."""
