"""The loader hands out every row once, in an order that is known, whoever makes the batches."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.features.config import StoreConfig
from lichen.features.loader import plan_batches
from lichen.features.store import FeatureStore

from .stores import Texts, assert_equal, backbone


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    return FeatureStore.build(backbone(), Texts(40, bad=[6]), tmp_path_factory.mktemp("store"), StoreConfig(shard=16))


def rows_of(batches: Sequence[np.ndarray]) -> list[list[int]]:
    return [batch.tolist() for batch in batches]


# --- plans


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=300), st.integers(1, 9), st.booleans(), st.booleans(), st.data()
)
def test_every_row_is_in_one_batch(
    lengths: list[int], batch: int, shuffle: bool, buckets: bool, data: st.DataObject
) -> None:
    rows = np.arange(len(lengths)) * 3
    order = {"shuffle": shuffle, "buckets": buckets, "seed": data.draw(st.integers(0, 5)), "epoch": 2}
    batches = plan_batches(rows, np.array(lengths), batch, **order)
    assert sorted(row for part in rows_of(batches) for row in part) == rows.tolist()
    assert sorted(len(part) for part in batches)[1:] == [batch] * (len(batches) - 1)
    assert rows_of(batches) == rows_of(plan_batches(rows, np.array(lengths), batch, **order))


def test_orders() -> None:
    rows, lengths = np.arange(500), np.random.default_rng(0).integers(1, 60, 500)
    assert rows_of(plan_batches(rows, lengths, 200, buckets=False))[0] == list(range(200))
    in_order = plan_batches(rows, lengths, 8)
    assert [int(length) for part in in_order for length in lengths[part]] == sorted(lengths.tolist())
    mixed = [
        plan_batches(rows, lengths, 8, shuffle=True, seed=seed, epoch=epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert len({str(rows_of(batches)) for batches in mixed}) == 3
    plain = plan_batches(rows, lengths, 8, shuffle=True, buckets=False)

    def padding(batches: Sequence[np.ndarray]) -> int:
        return sum(int(lengths[part].max()) * len(part) for part in batches)

    assert padding(mixed[0]) < 1.1 * lengths.sum() < padding(plain)
    # Batches of like lengths do not come one after the other.
    means = np.array([lengths[part].mean() for part in mixed[0]])
    assert np.abs(np.diff(means)).mean() > 10


def test_windows_bound_how_far_rows_are_sorted() -> None:
    rows, lengths = np.arange(1000), np.arange(1000)
    first = np.concatenate(plan_batches(rows, lengths, 2, shuffle=True))
    # A window holds 100 random rows, so neighbours in a batch are about ten apart, not one.
    gaps = np.abs(np.diff(first.reshape(-1, 2), axis=1))
    assert 4 < gaps.mean() < 30


# --- batches


@pytest.mark.parametrize("arguments", [{}, {"prefetch": 0}, {"prefetch": 5}, {"shuffle": True, "seed": 3, "epoch": 1}])
def test_batches_are_those_of_the_plan(arguments: dict[str, Any], store: FeatureStore) -> None:
    seen = []
    for rows, features in store.loader(None, 7, **arguments):
        assert_equal(features, store[rows])
        seen.append(rows.tolist())
    order = {name: value for name, value in arguments.items() if name != "prefetch"}
    assert seen == rows_of(plan_batches(store.usable, store.lengths[store.usable], 7, **order))


@pytest.mark.parametrize("context", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # on a machine of one core
def test_worker_processes_make_the_same_batches(context: str, store: FeatureStore, request: Any) -> None:
    before = torch.multiprocessing.get_start_method()
    request.addfinalizer(lambda: torch.multiprocessing.set_start_method(before, force=True))
    torch.multiprocessing.set_start_method(context, force=True)
    view = store.select((1, 3))
    view[[0]]
    alone = list(view.loader(None, 7, shuffle=True))
    shared = list(view.loader(None, 7, shuffle=True, workers=2, prefetch=1))
    assert len(shared) == len(alone) == 6
    for (rows, features), (others, expected) in zip(shared, alone, strict=True):
        assert torch.equal(rows, others)
        assert_equal(features, expected)
        assert features.final.is_shared()


def test_batches_that_are_kept_are_not_written_over(store: FeatureStore) -> None:
    kept = list(store.loader(None, 7))
    for rows, features in kept:
        assert_equal(features, store[rows])


def test_leaving_early_stops_the_thread(store: FeatureStore) -> None:
    before = threading.active_count()
    for _ in store.loader(None, 2):
        assert threading.active_count() == before + 1
        break
    loader = store.loader(None, 2)
    next(loader)
    del loader
    assert threading.active_count() == before


def test_an_error_while_reading_ahead_reaches_the_caller(tmp_path: Path) -> None:
    store = FeatureStore.build(backbone(), Texts(12), tmp_path, StoreConfig(shard=4))
    (tmp_path / "shard-00002.safetensors").unlink()
    with pytest.raises(InputError, match=r"shard-00002.safetensors' cannot be read"):
        for _ in store.loader(None, 4, buckets=False):
            pass


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"batch": 0}, "batch must be a whole number of at least 1; got 0"),
        ({"workers": -1}, "workers >= 0 and prefetch >= 1"),
        ({"workers": 1, "prefetch": 0}, "got workers=1, prefetch=0"),
        ({"rows": [1, 6]}, "Row 6 .* was skipped"),
        ({"rows": [99]}, "Rows must lie in 0 to 39"),
    ],
)
def test_arguments_that_make_no_sense(arguments: dict[str, Any], says: str, store: FeatureStore) -> None:
    with pytest.raises(InputError, match=says):
        store.loader(**arguments)
