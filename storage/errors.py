"""What can be wrong with what is remembered.

StorageError
├── NotFound            no such job, architecture or artifact
├── WrongState          a transition the job's state does not have
├── IdempotencyClash    one key, two different requests
├── TooManyQueued       the queue is full
├── LeaseLost           another runner has taken the job over
├── DatabaseUnusable    a URL that cannot be opened, or a schema this release does not know
├── StoreUnusable       a URL that is no store's, or whose package is not installed
└── StoreUnavailable    a store that does not answer
"""

from __future__ import annotations


class StorageError(Exception):
    """Base of everything this package raises."""


class NotFound(StorageError):
    """No such job, architecture or artifact."""


class WrongState(StorageError):
    """A transition the job's state does not have."""


class IdempotencyClash(StorageError):
    """One idempotency key was used for two different requests."""


class TooManyQueued(StorageError):
    """The queue is full."""


class LeaseLost(StorageError):
    """Another runner has taken the job over."""


class DatabaseUnusable(StorageError):
    """A URL that cannot be opened, or a schema this release does not know."""


class StoreUnusable(StorageError):
    """A URL that is no store's, or one whose package is not installed."""


class StoreUnavailable(StorageError):
    """A store that does not answer, though it was asked again and again."""
