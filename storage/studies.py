"""Optuna's studies: the lasting record of every job's results. `search.sampling` is the only other file that imports
optuna."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.distributions import FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial

from espalier.search.results import Failure, Outcome, Result
from espalier.storage.database import Database, prepare_sqlite

OUTCOME, LABEL, PAGE = "outcome", "training", "page"
"""Attributes of each trial: the outcome as JSON, which alone is read again; what it was and where it is shown."""
METRICS = ["parameters", "metric on the hold-out"]
"""What people see values as."""
VALUES = "parameters; metric on the hold-out, by which networks are chosen"


class Studies:
    """One study per job, named by its id; values are params (down) and the metric on the hold-out (up)."""

    def __init__(self, database: Database) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        options: dict[str, Any] = {"connect_args": {"timeout": 60}} if database.is_sqlite else {"pool_pre_ping": True}
        with database.alone():  # the first opening creates Optuna's tables
            self._storage = RDBStorage(database.url, engine_kwargs=options)
        if database.is_sqlite:
            sa.event.listen(self._storage.engine, "connect", prepare_sqlite)
            self._storage.engine.dispose()  # so that pooled connections get it too

    @property
    def storage(self) -> RDBStorage:
        """Optuna's own."""
        return self._storage

    def open(self, job_id: str, name: str = "") -> Study:
        """The study of a job, made if there is none; `name` is what people call the job."""
        study = optuna.create_study(
            storage=self._storage,
            study_name=job_id,
            directions=["minimize", "maximize"],
            sampler=optuna.samplers.RandomSampler(),  # never asked: trials are told, not suggested
            load_if_exists=True,
        )
        about = {"job": name, "page": f"/jobs/{job_id}", "values": VALUES}
        for key in about.keys() - study.user_attrs.keys():
            study.set_user_attr(key, about[key])
        if study.metric_names is None:
            with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):  # since 2023
                study.set_metric_names(METRICS)
        return Study(study)

    def delete(self, job_id: str) -> None:
        """Forget a job's study, if it has one."""
        if job_id in optuna.get_all_study_names(self._storage):
            optuna.delete_study(study_name=job_id, storage=self._storage)

    def close(self) -> None:
        """Let go of all connections."""
        self._storage.remove_session()
        self._storage.engine.dispose()


class Study:
    """The record of one job. Only its runner holds one."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._outcomes: dict[str, Outcome] = {}
        for trial in study.get_trials(deepcopy=False):
            outcome = _read(trial)
            if outcome is not None:
                self._outcomes[outcome.key] = outcome

    def outcomes(self) -> list[Outcome]:
        """What is recorded, the last word on each candidate."""
        return list(self._outcomes.values())

    def record(self, outcome: Outcome, parameters: Mapping[str, float] | None = None, label: str = "") -> None:
        """Add an outcome, once: a candidate that already has a result keeps it. `parameters`: what a sampler had to
        choose for it, numbers in [0, 1]; `label`: what it is to people."""
        if isinstance(self._outcomes.get(outcome.key), Result):
            return
        succeeded = isinstance(outcome, Result)
        self._study.add_trial(
            create_trial(
                state=TrialState.COMPLETE if succeeded else TrialState.FAIL,
                values=_values(outcome) if isinstance(outcome, Result) else None,
                params={**(parameters or {})},
                distributions={name: FloatDistribution(0.0, 1.0) for name in parameters or {}},
                user_attrs={LABEL: label, **_page(outcome), OUTCOME: outcome.model_dump_json()},
            )
        )
        self._outcomes[outcome.key] = outcome


def _page(outcome: Outcome) -> dict[str, str]:
    return {PAGE: f"/architectures/{outcome.config.id}"} if isinstance(outcome, Result) else {}


def _values(result: Result) -> list[float]:
    sign = result.metric.sign
    return [result.counted.params, sign * result.chosen_by]


def _read(trial: optuna.trial.FrozenTrial) -> Outcome | None:
    text = trial.user_attrs.get(OUTCOME)
    if text is None:
        return None
    document = json.loads(text)
    return Result.read(document) if "config" in document else Failure.model_validate(document)
