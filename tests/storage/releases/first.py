"""A database as release 0.1.0 left it: its own rows and trials, written down in `0.1.0.json`.

The file holds three jobs: one whole (`lenet`), one without its baselines (`preresnet`), one at a single budget (`vgg`);
and what that release itself answered of them over HTTP. Results are there once: it wrote the same document into the
study and into the table.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy as sa
from alembic import command
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial

from espalier.storage.database import Database
from tests.storage.helpers import alembic

REVISION = "0002"
LENET, PRERESNET, VGG = "48a68aa0fd403503", "aa34faf7fa165031", "9257c8ba876f63ce"
JOBS = (LENET, PRERESNET, VGG)

Row = dict[str, Any]


@cache
def release() -> dict[str, Any]:
    """What the file says."""
    text = (Path(__file__).parent / "0.1.0.json").read_text()
    found: dict[str, Any] = json.loads(text)
    return found


def outcomes(job_id: str) -> list[Row]:
    """What that release had recorded of a job's candidates."""
    found: list[Row] = release()["study"][job_id]
    return found


def rows(job_id: str) -> list[Row]:
    """The rows of a job's candidates."""
    return [row for row in release()["candidates"] if row["job_id"] == job_id]


def restore(database: Database, undone: Collection[str] = ()) -> None:
    """Make the database what it was; candidates in `undone`, by key, have yet to be trained, and so their jobs to end."""
    with database.engine.begin() as connection:
        command.upgrade(alembic(connection), REVISION)
        tables = sa.MetaData()
        tables.reflect(connection, only=["jobs", "architectures", "candidates", "job_events"])
        for table, found in _rows(undone).items():
            for row in found:
                connection.execute(sa.insert(tables.tables[table]).values(_typed(tables.tables[table], row)))
    for job_id in JOBS:
        _write_study(database, job_id, undone)


def _rows(undone: Collection[str]) -> dict[str, list[Row]]:
    results = {one["key"]: one for job in JOBS for one in outcomes(job) if "config" in one}
    configs = {
        row["architecture"]: results[row["key"]]["config"] for row in release()["candidates"] if row["architecture"]
    }
    going = {row["job_id"] for row in release()["candidates"] if row["key"] in undone}
    empty = dict.fromkeys(
        ("architecture", "params", "macs", "holdout", "accuracy", "seconds", "latency_ms", "weights", "error", "result")
    )
    return {
        "architectures": [row | {"config": configs[row["id"]]} for row in release()["architectures"]],
        "jobs": [
            row | ({"state": "queued", "finished_at": None} if row["id"] in going else {})
            for row in sorted(release()["jobs"], key=lambda row: int(row["number"]))
        ],
        "candidates": [
            row | ({"state": "queued"} | empty if row["key"] in undone else {"result": results.get(row["key"])})
            for row in release()["candidates"]
        ],
        "job_events": release()["job_events"],
    }


def _typed(table: sa.Table, row: Row) -> Row:
    """Without numbers that the database gives, with moments and truths as Python has them."""
    values: Row = {}
    for name, value in row.items():
        kind = table.columns[name].type
        if isinstance(kind, sa.Integer) and name in ("number", "id"):
            continue
        if isinstance(kind, sa.DateTime) and value is not None:
            moment = datetime.fromisoformat(value)
            values[name] = moment.replace(tzinfo=UTC) if kind.timezone else moment
        elif isinstance(kind, sa.JSON) and value is None:
            values[name] = sa.null()
        else:
            values[name] = bool(value) if isinstance(kind, sa.Boolean) else value
    return values


def _write_study(database: Database, job_id: str, undone: Collection[str]) -> None:
    """Trials as that release recorded them."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = RDBStorage(database.url)
    study = optuna.create_study(storage=storage, study_name=job_id, directions=["minimize", "maximize"])
    for outcome in outcomes(job_id):
        if outcome["key"] not in undone:
            succeeded = "config" in outcome
            study.add_trial(
                create_trial(
                    state=TrialState.COMPLETE if succeeded else TrialState.FAIL,
                    values=[outcome["cost"][0], outcome["holdout"]] if succeeded else None,
                    user_attrs={"outcome": json.dumps(outcome)},
                )
            )
    storage.remove_session()
    storage.engine.dispose()
