"""What data sets promise: recipes for each, and batches that cover them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espalier.search.datasets import DATASETS, DataPaths, load, recipe_of, recipes
from espalier.search.datasets.base import Data, Images, channels_first
from espalier.search.errors import SpecError, UnknownName
from espalier.search.recipe import Recipe
from espalier.search.spec import Folder, JobSpec, Target


def numbered(count: int) -> Data:
    """Every image is its number, and so is its label."""
    images = Images(np.arange(count, dtype=np.uint8)[:, None, None, None], np.arange(count))
    return Data(images, images, images, ("a", "b"), (0.5,), (0.5,), "numbered")


sizes = given(count=st.integers(1, 60), size=st.integers(1, 70), seed=st.integers(0, 99))


@sizes
def test_batches_in_order_cover_everything(count: int, size: int, seed: int) -> None:
    del seed
    batches = [*numbered(count).batches("holdout", size)]
    assert np.concatenate([batch.y for batch in batches]).tolist() == list(range(count))
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    assert all(np.array_equal(batch.x[:, 0, 0, 0], batch.y) for batch in batches)


@sizes
def test_shuffled_batches_are_full_and_take_no_image_twice(count: int, size: int, seed: int) -> None:
    batches = [*numbered(count).batches("train", size, np.random.default_rng(seed))]
    seen = np.concatenate([batch.y for batch in batches]).tolist()
    assert len(seen) == len(set(seen)) == (count if count < size else count - count % size)
    assert {len(batch) for batch in batches} == {min(count, size)}
    assert all(np.array_equal(batch.x[:, 0, 0, 0], batch.y) for batch in batches)


def test_the_order_follows_from_the_seed() -> None:
    def order(seed: int) -> list[int]:
        batches = numbered(50).batches("train", 10, np.random.default_rng(seed))
        return [int(label) for batch in batches for label in batch.y]

    assert order(0) == order(0) != order(1)
    assert sorted(order(0)) == list(range(50))


def test_batches_may_be_written_to(digits: Data) -> None:
    for generator in (None, np.random.default_rng(0)):
        batch = next(digits.batches("test", 4, generator))
        batch.x[:] = 0
    assert digits.test.x.any()


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_has_both_recipes(name: str) -> None:
    assert list(recipes(name)) == ["quick", "paper"]


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_says_what_it_is_under_its_name(name: str) -> None:
    assert DATASETS[name].name == name
    assert DATASETS[name].description
    assert all(isinstance(recipe, Recipe) for recipe in DATASETS[name].recipes.values())


def test_an_unknown_data_set_lists_those_there_are(paths: DataPaths) -> None:
    with pytest.raises(UnknownName, match="no data set 'svhn'; there are: digits, fashion_small, mnist"):
        load("svhn", paths)


def asked(**recipe: object) -> JobSpec:
    return JobSpec.model_validate({"target": {"arch": "vgg11", "dataset": "digits"}, "recipe": recipe})


def test_a_recipe_is_a_preset_with_changes() -> None:
    spec = asked(preset="paper", epochs=7)
    assert (recipe_of(spec).epochs, recipe_of(spec).schedule) == (7, "step")
    assert recipe_of(asked()) == recipes("digits")["quick"]
    with pytest.raises(UnknownName, match="no recipe 'slow'; there are: quick, paper"):
        recipe_of(asked(preset="slow"))
    with pytest.raises(SpecError, match="nesterov needs a momentum above 0"):
        recipe_of(asked(momentum=0))
    with pytest.raises(UnknownName, match="no data set 'imagenet'; there are: digits"):
        recipe_of(asked().model_copy(update={"target": Target(arch="vgg11", dataset="imagenet")}))


def test_folders_have_the_same_presets() -> None:
    assert list(recipes(Folder(folder="pets"))) == ["quick", "paper"]


def test_channels_come_first() -> None:
    assert channels_first(np.zeros((5, 4, 3))).shape == (5, 1, 4, 3)
    colour = np.arange(5 * 4 * 3 * 3).reshape(5, 4, 3, 3) % 256
    x = channels_first(colour)
    assert (x.shape, x.dtype, x.flags.c_contiguous) == ((5, 3, 4, 3), np.uint8, True)
    assert np.array_equal(x[:, 1], colour[..., 1])
