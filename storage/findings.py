"""What was found of architectures across jobs: one line for each and each arm, over its seeds."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from espalier.search.arms import ARMS
from espalier.search.states import CandidateState
from espalier.storage.tables import ArchitectureRow, CandidateRow, FindingRow

JUDGED = tuple(kind for kind, arm in ARMS.items() if arm.leaves == "notes")
"""Kinds of candidates that are trained to judge widths, and are no result of their own."""

Place = tuple[str, str]
"""An architecture, and an arm that has it."""


def places_of(session: Session, job_id: str) -> list[Place]:
    """Where a job has a say."""
    query = sa.select(CandidateRow.architecture, CandidateRow.arm).where(CandidateRow.job_id == job_id)
    return [(one, arm) for one, arm in session.execute(query.distinct()) if one is not None and arm is not None]


def refresh(session: Session, places: Iterable[Place]) -> None:
    """Say of these places what their candidates show now."""
    session.flush()
    a, f = ArchitectureRow, FindingRow
    for architecture, arm in sorted(places):  # one order for all, so that nobody waits for anybody in a circle
        # two runners take turns; SQLite has one writer anyway
        session.execute(sa.select(a.id).where(a.id == architecture).with_for_update(key_share=True))
        session.execute(sa.delete(f).where(f.architecture == architecture, f.arm == arm))
        session.execute(_summed_up(architecture, arm))


def _summed_up(architecture: str, arm: str) -> sa.Insert:
    """The same candidate in two jobs is one measurement."""
    c, a, f = CandidateRow, ArchitectureRow, FindingRow
    same = (c.dataset, c.arm_name, c.role, c.origin, c.method, c.init, c.conditions)  # in all of an arm
    least = (*same, c.job_id, c.latency_ms)
    once = (
        sa.select(*(sa.func.min(one).label(one.key) for one in least), sa.func.max(c.accuracy).label("accuracy"))
        .where(c.architecture == architecture, c.arm == arm)
        .where(c.state == CandidateState.SUCCEEDED, c.origin.not_in(JUDGED))
        .group_by(c.key)
        .subquery()
    )
    values = {
        f.architecture: a.id,
        f.arm: sa.literal(arm),
        f.arch: a.arch,
        f.params: a.params,
        f.macs: a.macs,
        **{getattr(f, one.key): sa.func.min(once.c[one.key]) for one in least},
        f.mean: sa.func.avg(once.c.accuracy),
        f.square: sa.func.avg(once.c.accuracy * once.c.accuracy),
        f.n: sa.func.count(),
    }
    found = sa.select(*values.values()).select_from(a).join(once, a.id == architecture)
    return sa.insert(f).from_select([column.key for column in values], found.group_by(a.id, a.arch, a.params, a.macs))
