"""What tests of storage share: jobs without an API, and the schema of any release."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config

from espalier import storage
from espalier.search.candidates import Candidate
from espalier.search.results import Outcome
from espalier.search.spec import JobSpec
from espalier.storage import candidates, jobs
from espalier.storage.database import Database
from tests.search.helpers import planned, question

SPEC = JobSpec.model_validate({"target": {"arch": "vgg11", "dataset": "digits"}, "seeds": [0]})
MIGRATIONS = Path(str(storage.__file__)).parent / "migrations"


def alembic(connection: sa.Connection) -> Config:
    """What Alembic's commands want to know: our migrations, on this connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def submit(
    database: Database, wanted: Sequence[Candidate] | None = None, outcomes: Sequence[Outcome] = (), **options: Any
) -> str:
    """Queue a job, with outcomes of some of its candidates; its id."""
    with database.session() as session:
        asked = planned(SPEC) if wanted is None else wanted
        job_id = jobs.submit(session, SPEC, question(SPEC), asked, **options).id
    with database.session() as session:
        for outcome in outcomes:
            candidates.write(session, job_id, outcome)
    return job_id
