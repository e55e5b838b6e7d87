"""What runs in workers: importing it is cheap, and it answers with values of the API."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from espalier.app.schemas import CatalogEntry
from espalier.app.work import tasks
from espalier.app.work.tasks import (
    describe_architecture,
    describe_catalog,
    evaluate_candidate,
    export_config,
    prepare_job,
    receipt_of,
    share_data,
    smoke_job,
    validate_spec,
)
from espalier.models.cost import cost
from espalier.models.errors import ArchitectureError
from espalier.models.network import dense
from espalier.models.weights import notes_of
from espalier.search.datasets import DataPaths
from espalier.search.errors import DataUnavailable, SpecError
from espalier.search.results import Execution, Reported, Result
from espalier.search.spec import Folder, JobSpec
from espalier.storage.errors import NotFound
from espalier.storage.store import LocalStore, store_at

SPEC = JobSpec.model_validate(
    {
        "target": {"arch": "vgg11", "options": {"width": 0.1}, "dataset": "digits"},
        "budgets": [{"metric": "params", "keep": 0.3}],
        "baselines": ["uniform"],
        "seeds": [0],
        "recipe": {"epochs": 1},
    }
)


def test_importing_it_imports_no_framework() -> None:
    code = "import sys, espalier.app.work.tasks; print(sorted({'torch', 'torchvision', 'sklearn'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_spec_is_validated_and_its_candidates_trained(paths: DataPaths, tmp_path: Path) -> None:
    estimate = validate_spec(SPEC, paths)
    assert [one.label for one in estimate.candidates] == [
        "slimming parent seed 0", "dense seed 0", "slimming params=0.3 seed 0", "uniform params=0.3 seed 0",
    ]  # fmt: skip
    assert pickle.loads(pickle.dumps(estimate)) == estimate
    execution = prepare_job(SPEC, None, len(estimate.candidates), 1, paths, LocalStore(tmp_path))
    assert isinstance(execution, Execution)
    uniform = estimate.candidates[-1]
    told: list[Reported] = []
    options: dict[str, Any] = {"paths": paths, "keep_weights": False, "report": told.append}
    found = evaluate_candidate(uniform, {}, execution, LocalStore(tmp_path), "job/one", **options)
    assert (found.key, found.artifacts) == (uniform.key, {})
    assert found.cost.params <= 0.3 * estimate.dense.params
    assert [one.point.epoch for one in told] == [0]


def test_what_a_candidate_needs_and_leaves_is_in_the_store(paths: DataPaths, bucket: str, tmp_path: Path) -> None:
    """As on a cluster: every task on a machine of its own, which has nothing but the store."""
    estimate = validate_spec(SPEC, paths)
    parent, _, pruned, _ = estimate.candidates
    execution = prepare_job(SPEC, None, len(estimate.candidates), 1, paths, LocalStore(tmp_path))
    known: dict[str, Result] = {}
    options: dict[str, Any] = {"paths": paths, "keep_weights": True, "report": lambda _: None}
    for place, one in enumerate((parent, pruned)):
        needs = {role: known[key].artifacts for role, key in one.needs.items()}
        store = store_at(bucket, tmp_path / str(place))
        known[one.key] = evaluate_candidate(one, needs, execution, store, f"job/{one.key}", **options)
    weights = known[pruned.key].artifacts["weights"]
    assert notes_of(store_at(bucket, tmp_path / "reader").path(weights))["config"]
    with pytest.raises(NotFound, match="no artifact"):
        lost = {"parent": {"weights": "0" * 64}}
        evaluate_candidate(pruned, lost, execution, store, "job/x", **options)


def test_a_spec_that_cannot_work_is_the_users_error(paths: DataPaths) -> None:
    with pytest.raises(SpecError, match="no pruning method 'magic'") as caught:
        validate_spec(SPEC.model_copy(update={"methods": ({"name": "magic"},)}), paths)
    assert caught.value.is_users


def test_the_catalog_has_a_name_and_words_for_everything() -> None:
    catalog = describe_catalog()
    assert {"architectures", "datasets", "methods", "exports", "arms", "planners", "tasks", "executors"} <= set(catalog)
    for entries in catalog.values():
        assert entries
        assert all(isinstance(entry, CatalogEntry) and entry.name and entry.description for entry in entries)
        names = [entry.name for entry in entries]
        assert len(names) == len(set(names))


def test_an_architecture_is_described_and_its_receipt_adds_up() -> None:
    about = describe_architecture("vgg11", 10, (1, 32, 32), {"width": 0.1})
    config = dense("vgg11", 10, (1, 32, 32), {"width": 0.1})
    layers = receipt_of(config)
    assert (about.cost.params, about.cost.macs) == tuple(cost(config))
    assert sum(layer.params for layer in layers) == about.cost.params
    assert sum(layer.macs for layer in layers) == about.cost.macs
    with pytest.raises(ArchitectureError, match="there are: width"):
        describe_architecture("vgg11", 10, (1, 32, 32), {"depth": 3})


def test_a_config_leaves_as_a_file() -> None:
    config = dense("vgg11", 10, (1, 32, 32), {"width": 0.1})
    file = export_config("json", config, None)
    assert config.id.encode() in file.content
    with pytest.raises(SpecError, match="there are: json"):
        export_config("pickle", config, None)


def test_a_data_set_comes_from_the_store_where_it_is_not(bucket: str, pets: DataPaths, tmp_path: Path) -> None:
    """On a machine that has neither the images nor the cache; and with the images that the job began with."""
    spec = SPEC.model_copy(
        update={"target": SPEC.target.model_copy(update={"dataset": Folder(folder="pets", size=32)})}
    )
    estimate = validate_spec(spec, pets)
    data, dense = estimate.question.data, estimate.candidates[1]
    share_data(data, pets, store_at(bucket, tmp_path / "api"))
    bare = DataPaths(tmp_path / "nowhere", tmp_path / "worker")
    store = store_at(bucket, bare.cache)
    execution = prepare_job(spec, data, 4, 1, bare, store)
    assert smoke_job(estimate.question, execution, bare, store).failures == {}
    options: dict[str, Any] = {"paths": bare, "keep_weights": False, "report": lambda _: None}
    there = evaluate_candidate(dense, {}, execution, store, "job/one", **options)
    here = evaluate_candidate(dense, {}, execution, LocalStore(tmp_path), "job/one", **(options | {"paths": pets}))
    assert (there.test, there.curve) == (here.test, here.curve)
    assert [*dict(store.shared())] == [data]


def test_a_data_set_that_nobody_shared_is_looked_for_where_it_comes_from(
    bucket: str, pets: DataPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = SPEC.model_copy(
        update={"target": SPEC.target.model_copy(update={"dataset": Folder(folder="pets", size=32)})}
    )
    data = validate_spec(spec, pets).question.data
    store = store_at(bucket, tmp_path / "worker")
    monkeypatch.setattr(tasks, "MOST_SHARED", 100)  # it is larger than that
    share_data(data, pets, store)
    assert [*dict(store.shared())] == []
    there = DataPaths(pets.datasets, tmp_path / "worker")
    assert prepare_job(spec, data, 1, 1, there, store).threads == 1
    with pytest.raises(DataUnavailable, match="no folder 'pets'"):
        prepare_job(spec, data, 1, 1, DataPaths(tmp_path, tmp_path / "other"), store)
