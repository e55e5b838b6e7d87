"""Where a job and its candidates stand: the words that the service, its clients and its storage share."""

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class CandidateState(StrEnum):
    """Where a candidate of a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


FINISHED = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
"""States of a job that nothing but a retry leads out of."""
ENDED = frozenset({CandidateState.SUCCEEDED, CandidateState.FAILED})
"""The same for a candidate."""
