"""Files that nothing refers to any more.

Trainings that were killed leave them, jobs that were deleted while the store was away, and jobs that have ended.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import NamedTuple

from espalier.app.service import store_of
from espalier.app.settings import Settings, SettingsError
from espalier.search.states import JobState
from espalier.storage import candidates, jobs
from espalier.storage.clock import now
from espalier.storage.database import Database
from espalier.storage.errors import DatabaseUnusable, NotFound

FOREIGN = (
    "nothing that is kept belongs to a candidate of this database; is ESPALIER_DATABASE_URL that of the service? With "
    "--force it is deleted nevertheless"
)
AT_ONCE = 500
"""Artifacts that the database is asked about in one question."""
DONE = (JobState.SUCCEEDED, JobState.FAILED)
"""What goes on from no checkpoint."""


class Leftovers(NamedTuple):
    """What may go."""

    artifacts: tuple[str, ...]
    """Hashes that no candidate has."""
    checkpoints: tuple[str, ...]
    """Jobs that are gone, or over."""
    folders: tuple[str, ...] = ()
    """Data sets that were shared, and no job needs any more."""


def leftovers(settings: Settings, older_than: timedelta, force: bool = False) -> Leftovers:
    """Find them. An artifact that was written a moment ago may be that of a training which nobody has written down yet.

    Raises SettingsError or StorageError; unless forced, also where not one file is known, so that a database of another
    service deletes nothing.
    """
    store, before = store_of(settings), now() - older_than
    with closing(Database(settings.url)) as database:
        if not database.is_current():
            raise DatabaseUnusable("the database does not answer, or is of another release: espalier upgrade")
        kept = dict(store.artifacts())
        unknown = {*itertools.chain.from_iterable(_unknown(database, iter(kept)))}
        working = [*store.checkpoints()]
        over = [job for job in working if _is_over(database, job)]
        shared = dict(store.shared())
        unneeded = [name for name in shared if not _is_needed(database, name)]
        found, there = (len(unknown), len(over), len(unneeded)), (len(kept), len(working), len(shared))
        if not force and _is_alien(found, there):
            raise SettingsError(FOREIGN)
        return Leftovers(
            tuple(name for name in kept if name in unknown and kept[name] < before),
            tuple(over),
            tuple(name for name in unneeded if shared[name] < before),
        )


def sweep(settings: Settings, found: Leftovers) -> None:
    """Delete them, but for what somebody has begun to refer to meanwhile. Raises SettingsError or StorageError."""
    store = store_of(settings)
    with closing(Database(settings.url)) as database:
        for name in found.artifacts:
            if any(_unknown(database, iter([name]))):
                store.delete(name)
        for job in found.checkpoints:
            if _is_over(database, job):
                store.forget_checkpoint(job)
        for name in found.folders:
            if not _is_needed(database, name):
                store.unshare(name)


def _is_alien(unknown: tuple[int, ...], there: tuple[int, ...]) -> bool:
    """Whether a database knows nothing of what a store has: of artifacts and checkpoints, since every service gives
    shared data sets the same names; of these alone where there is nothing else."""
    looked_at = slice(2) if any(there[:2]) else slice(None)
    return any(there) and unknown[looked_at] == there[looked_at]


def _unknown(database: Database, names: Iterator[str]) -> Iterator[list[str]]:
    while some := list(itertools.islice(names, AT_ONCE)):
        with database.session() as session:
            known = candidates.referenced(session, some)
        yield [name for name in some if name not in known]


def _is_needed(database: Database, data: str) -> bool:
    """Whether a job that is not over trains on a data set."""
    with database.session() as session:
        return jobs.trains_on(session, data)


def _is_over(database: Database, job: str) -> bool:
    try:
        with database.session() as session:
            return jobs.get(session, job).state in DONE
    except NotFound:
        return True
