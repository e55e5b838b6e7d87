"""Slimming's parents, as jobs that are stored here left them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import numpy as np
import safetensors.torch
from numpy.typing import NDArray

from espalier.app.service import store_of
from espalier.app.settings import load as load_settings
from espalier.models.config import ChannelGroup
from espalier.models.network import Network
from espalier.search.candidates import Candidate
from espalier.storage.candidates import results
from espalier.storage.database import Database
from espalier.storage.measurements import of_job


class SparseParent(NamedTuple):
    """One training with the penalty."""

    candidate: Candidate
    scales: list[tuple[ChannelGroup, NDArray[np.float64]]]
    """|gamma| in every norm that a group passes, [width] each."""


def sparse_parents(job: str) -> Iterator[SparseParent]:
    """Those of a job that have been trained."""
    settings = load_settings()
    store = store_of(settings)
    with closing(Database(settings.url)) as database, database.session() as session:
        parents = {candidate.key: candidate for candidate, _ in of_job(session, job) if candidate.arm.role == "parent"}
        for key, result in results(session, job, parents).items():
            state = safetensors.torch.load_file(store.path(result.artifacts["weights"]))
            groups = Network.of(result.config).groups
            parts = [(group, part) for group in groups for part in group.slices if part.role == "scale"]
            scales = [(group, state[part.tensor].double().abs().numpy()) for group, part in parts]
            yield SparseParent(parents[key], scales)
