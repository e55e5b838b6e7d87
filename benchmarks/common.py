"""What benchmarks share: the data set they were told to use, and what a service says of its own process."""

from __future__ import annotations

from typing import NamedTuple

import httpx2

from espalier.app.client.client import Client, dataset_of
from espalier.app.settings import load as load_settings
from espalier.search.datasets import Data, DataPaths, load
from espalier.search.spec import Folder


class Setting(NamedTuple):
    """What the command line said."""

    dataset: str
    epochs: int
    """Of the trainings that are compared by the accuracy they reach."""
    url: str
    """A service that may remember results; a fresh one is started where this is empty."""

    @property
    def spec(self) -> str | dict[str, str]:
        """The data set as a job spec names it."""
        return dataset_of(self.dataset)

    def data(self) -> Data:
        """The images, from where the service has them (`ESPALIER_DATASETS_DIR`)."""
        settings = load_settings()
        named = self.spec if isinstance(self.spec, str) else Folder(**self.spec)
        return load(named, DataPaths(settings.datasets.resolve(), settings.cache.resolve()))


def resident_in(metrics: str) -> float:
    """MiB that the process had in memory which told these metrics."""
    name = "process_resident_memory_bytes "
    return next(float(line.split()[1]) for line in metrics.splitlines() if line.startswith(name)) / 2**20


def resident(client: Client) -> float:
    """MiB that the process of a service has in memory."""
    with httpx2.Client(base_url=client.url, headers={"Authorization": f"Bearer {client.token}"}, timeout=60) as asking:
        return resident_in(asking.get("/metrics").text)
