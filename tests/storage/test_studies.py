"""The study is the record: idempotent by key, readable as a front, and enough to rebuild the table."""

from __future__ import annotations

from collections.abc import Iterator

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import create_trial

from espalier.search.results import Failure, Metric
from espalier.storage.database import Database
from espalier.storage.studies import VALUES, Studies
from tests.search.helpers import candidate, result

ONE, TWO = candidate("dense"), candidate("uniform")


@pytest.fixture
def studies(database: Database) -> Iterator[Studies]:
    studies = Studies(database)
    yield studies
    studies.close()


def test_outcomes_are_read_back_by_another_process(studies: Studies, database: Database) -> None:
    outcomes = [result(ONE, 0.9, 1000), Failure(key=TWO.key, error="diverged")]
    for outcome in outcomes:
        studies.open("job").record(outcome)
    other = Studies(database)
    assert other.open("job").outcomes() == outcomes
    other.close()


def test_values_have_names(studies: Studies, database: Database) -> None:
    for _ in range(2):  # also of a study that was there
        studies.open("job").record(result(ONE, 0.9, 1000))
    storage = RDBStorage(database.url)
    seen = optuna.load_study(study_name="job", storage=storage)
    assert seen.metric_names == ["parameters", "metric on the hold-out"]
    assert seen.trials[0].values == [1000, 0.9]
    storage.remove_session()
    storage.engine.dispose()


def test_a_result_is_recorded_once(studies: Studies) -> None:
    study = studies.open("job")
    study.record(result(ONE, 0.9))
    study.record(result(ONE, 0.1))
    study.record(Failure(key=ONE.key, error="late"))
    assert [r.reported for r in studies.open("job").outcomes()] == [0.9]  # type: ignore[union-attr]


def test_a_retried_failure_may_become_a_result(studies: Studies) -> None:
    study = studies.open("job")
    study.record(Failure(key=ONE.key, error="out of memory"))
    study.record(result(ONE, 0.9))
    assert studies.open("job").outcomes() == [result(ONE, 0.9)]


def test_what_a_sampler_chose_is_a_trials_parameters(studies: Studies, database: Database) -> None:
    study = studies.open("job")
    study.record(result(ONE, 0.9, 1000), {"stage 0": 0.5, "stage 1": 1.0})
    study.record(Failure(key=TWO.key, error="no"), {"stage 0": 0.25})
    storage = RDBStorage(database.url)
    seen = optuna.load_study(study_name="job", storage=storage)
    assert [trial.params for trial in seen.trials] == [{"stage 0": 0.5, "stage 1": 1.0}, {"stage 0": 0.25}]
    storage.remove_session()
    storage.engine.dispose()
    assert [one.key for one in studies.open("job").outcomes()] == [ONE.key, TWO.key]


def test_optuna_itself_sees_the_front(studies: Studies, database: Database) -> None:
    study = studies.open("job")
    for kind, accuracy, params in (("dense", 0.9, 1000), ("uniform", 0.8, 100), ("random", 0.7, 100)):
        study.record(result(candidate(kind), accuracy, params))
    storage = RDBStorage(database.url)  # as anybody's dashboard opens it
    seen = optuna.load_study(study_name="job", storage=storage)
    assert sorted(trial.values for trial in seen.best_trials) == [[100.0, 0.8], [1000.0, 0.9]]
    storage.remove_session()
    storage.engine.dispose()


def test_jobs_do_not_mix_and_can_be_forgotten(studies: Studies) -> None:
    studies.open("a").record(result(ONE))
    assert studies.open("b").outcomes() == []
    studies.delete("a")
    studies.delete("never there")
    assert studies.open("a").outcomes() == []


def test_what_is_smaller_where_smaller_is_better_is_told_to_optuna_the_other_way(
    studies: Studies, database: Database
) -> None:
    error = Metric(name="error", higher_is_better=False)
    study = studies.open("job")
    for kind, value, params in (("dense", 0.1, 1000), ("uniform", 0.2, 100), ("random", 0.3, 100)):
        study.record(
            result(candidate(kind), params=params, metric=error, holdout={"error": value}, test={"error": value})
        )
    storage = RDBStorage(database.url)
    seen = optuna.load_study(study_name="job", storage=storage)
    assert sorted(trial.values for trial in seen.best_trials) == [[100.0, -0.2], [1000.0, -0.1]]
    storage.remove_session()
    storage.engine.dispose()


def test_a_trial_of_somebody_else_is_passed_over(studies: Studies, database: Database) -> None:
    studies.open("job").record(result(ONE, 0.9))
    storage = RDBStorage(database.url)
    optuna.load_study(study_name="job", storage=storage).add_trial(create_trial(values=[1.0, 1.0]))
    storage.remove_session()
    storage.engine.dispose()
    assert studies.open("job").outcomes() == [result(ONE, 0.9)]


def test_people_read_names_and_pages_in_it(studies: Studies) -> None:
    studies.open("job", "a search").record(result(ONE, 0.9, 1000), label="dense seed 0")
    studies.open("job", "a search").record(Failure(key=TWO.key, error="diverged"), label="uniform seed 0")
    study = optuna.load_study(study_name="job", storage=studies.storage)
    assert study.user_attrs == {"job": "a search", "page": "/jobs/job", "values": VALUES}
    first, second = study.get_trials()
    assert first.user_attrs["training"] == "dense seed 0"
    assert first.user_attrs["page"] == f"/architectures/{result(ONE, 0.9, 1000).config.id}"
    assert (second.user_attrs["training"], "page" in second.user_attrs) == ("uniform seed 0", False)
