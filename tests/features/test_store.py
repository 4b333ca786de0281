"""A store gives back what the backbone gave: for every family, codec, choice of tokens and of rows."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.backbones.backbone import Backbone
from lichen.backbones.fingerprint import digests_of
from lichen.errors import InputError
from lichen.features.config import StoreConfig
from lichen.features.reading import read
from lichen.features.store import FeatureStore
from lichen.features.tokens import choose_tokens
from lichen.files import MANIFEST, read_json, verify_folder

from ..families import CONFIGS, make_trunk
from .stores import CODECS, Pictures, Texts, assert_equal, backbone, inputs_for, tensors_of

SMALL = StoreConfig(shard=4)
ROWS = (7, 0, 3, 3, 8)
PARTS = [(family, part) for family in CONFIGS for part in {"clip": ("vision", "text")}.get(family, (None,))]


def data_for(family: str, part: str | None) -> Sequence[Any]:
    return inputs_for("clip-text" if part == "text" else family)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """A store of 21 texts, number 2 of them bad, in shards of 4."""
    folder = tmp_path_factory.mktemp("store")
    return FeatureStore.build(backbone(), Texts(bad=[2]), folder, SMALL, batch=3)


def live(store: FeatureStore, dataset: Sequence[Any], rows: Sequence[int], layers: Any = None) -> Any:
    """The same samples by the one way to run a backbone."""
    model = copy.copy(backbone({"clip_vision_model": "clip", "clip_text_model": "clip"}[store.outline.model_type]))
    model.part = store.record.part
    return read(model, [dataset[row] for row in rows], layers)


@pytest.mark.parametrize(("family", "part"), PARTS)
def test_float32_equals_live_bit_for_bit(family: str, part: str | None, tmp_path: Path) -> None:
    model = copy.copy(backbone(family))
    dataset = data_for(family, part)
    store = FeatureStore.build(model, dataset, tmp_path, SMALL, batch=3)
    # The part follows from what the samples are.
    model.part = store.record.part
    for rows in (ROWS, (5,), range(9)):
        assert_equal(store[list(rows)], read(model, [dataset[row] for row in rows]))
    assert store.outline == model.outline(store.record.part) and part in (None, store.record.part)
    for state in store[list(ROWS)].states:
        assert state.is_contiguous()


def test_a_store_does_not_depend_on_the_batch_it_was_read_in(texts: FeatureStore, tmp_path: Path) -> None:
    other = FeatureStore.build(backbone(), Texts(bad=[2]), tmp_path, SMALL, batch=64)
    listed = read_json(tmp_path / MANIFEST)
    assert listed == read_json(texts.folder / MANIFEST) and len(other) == len(texts)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("family", ["bert", "resnet"])
def test_codecs_come_close(codec: str, family: str, tmp_path: Path) -> None:
    dataset = inputs_for(family)
    config = StoreConfig(codec=codec, shard=4, rank=24)
    store = FeatureStore.build(backbone(family), dataset, tmp_path, config, batch=3)
    found, exact = store[list(ROWS)], read(backbone(family), [dataset[row] for row in ROWS])
    near = {"float32": 0.0, "bfloat16": 2**-8, "float16": 2**-11}.get(codec, 0.03)
    assert (found.grid, found.indices) == (exact.grid, exact.indices)
    for (name, value), other in zip(tensors_of(found).items(), tensors_of(exact).values(), strict=True):
        if name in ("mask", "anchor", "pooled"):
            assert torch.equal(value, other), name
        else:
            assert value.dtype == torch.float32 and value.is_contiguous()
            assert float((value - other).abs().max()) <= near * float(other.abs().max()), name
    if found.mask is not None:
        assert all(bool((state[~found.mask] == 0).all()) for state in (*found.states, found.final))
    # A sample alone, or some of the states only, are the same numbers.
    alone = store.select((1, 3))[[ROWS[0]]]
    count = int(store.lengths[ROWS[0]])
    mine = found.states[1][:1, :count] if family == "bert" else found.states[1][:1]
    assert torch.allclose(alone.states[0], mine, atol=1e-6)


@pytest.mark.parametrize("tokens", ["pooled", "cls+pooled", "every-3"])
@pytest.mark.parametrize("family", ["bert", "gpt2", "vit", "clip-text"])
def test_choices_of_tokens(tokens: str, family: str, tmp_path: Path) -> None:
    model = copy.copy(backbone(family.removesuffix("-text")))
    dataset = inputs_for(family)
    config = StoreConfig(tokens=tokens, shard=4)
    store = FeatureStore.build(model, dataset, tmp_path, config, batch=3)
    model.part = store.record.part
    whole = read(model, [dataset[row] for row in ROWS])
    assert_equal(store[list(ROWS)], choose_tokens(whole, config, causal=store.outline.causal))


def test_pooled_maps(tmp_path: Path) -> None:
    dataset = inputs_for("resnet")
    config = StoreConfig(tokens="pooled", codec="int8", shard=4)
    store = FeatureStore.build(backbone("resnet"), dataset, tmp_path, config)
    assert store[[1, 2]].states[1].shape == (2, 8, 1, 1) and store[[1, 2]].grid == (1, 1)
    assert store.lengths.tolist() == [1] * 9


# --- states


@pytest.mark.parametrize(("layers", "states"), [(2, (2, 3)), ((0, 1), (0, 1)), ((-1,), (3,))])
@pytest.mark.parametrize("family", ["bert", "vit"])
def test_layers_that_are_stored(layers: Any, states: tuple[int, ...], family: str, tmp_path: Path) -> None:
    dataset = inputs_for(family)
    config = StoreConfig(layers=layers, shard=4)
    store = FeatureStore.build(backbone(family), dataset, tmp_path, config)
    assert_equal(store[list(ROWS)], read(backbone(family), [dataset[row] for row in ROWS], layers))
    # BERT's last output is its last state: it is not stored twice, but stored where that state is not.
    assert store.record.final_is_last is (family == "bert" and 3 in states)
    assert len(store.record.shapes) == len(states) + (not store.record.final_is_last)


@settings(max_examples=25, deadline=None)
@given(st.permutations((0, 1, 2, 3)), st.integers(1, 4))
def test_select_gives_the_states_asked_for_in_their_order(
    texts: FeatureStore, order: Sequence[int], count: int
) -> None:
    chosen = tuple(order[:count])
    assert_equal(texts.select(chosen)[list(ROWS)], texts[list(ROWS)].select(chosen))


def test_select_refuses_states_that_are_not_stored(texts: FeatureStore) -> None:
    for wanted, says in (((1, 9), r"states \[0, 1, 2, 3\]; \[9\] was asked for"), ((), "none was asked for")):
        with pytest.raises(InputError, match=says):
            texts.select(wanted)


# --- rows


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([row for row in range(21) if row != 2]), min_size=1, max_size=9))
def test_any_rows_in_any_order(texts: FeatureStore, rows: list[int]) -> None:
    dataset = Texts()
    expected = read(backbone(), [dataset[row] for row in rows])
    for given_as in (rows, tuple(rows), np.array(rows), torch.tensor(rows)):
        assert_equal(texts[given_as], expected)
    assert texts.lengths[rows].tolist() == [len(dataset.items[row]) for row in rows]


def test_slices_and_single_rows(texts: FeatureStore) -> None:
    assert_equal(texts[3:6], texts[[3, 4, 5]])
    assert_equal(texts[-2:], texts[[19, 20]])
    assert_equal(texts[5], texts[[5]])
    assert texts[5].mask is None and len(texts) == 21


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([0, 21], r"Rows must lie in 0 to 20, at least one; got \[21\]"),
        ([-1], r"got \[-1\]"),
        ([], "got none"),
        (slice(9, 9), "got none"),
        ([2], r"Row 2 \('text 2'\) was skipped: it is empty. Use the rows in store.usable"),
        ([1, 2], "Row 2"),
        (slice(0, 4), "Row 2"),
        ([0.5], "Rows are whole numbers or a slice; got float64"),
        ([True, False], "got bool"),
    ],
)
def test_rows_that_do_not_exist(rows: Any, says: str, texts: FeatureStore, unchecked: None) -> None:
    with pytest.raises(InputError, match=says):
        texts[rows]


def test_bad_samples_are_listed_and_leave_an_empty_row(texts: FeatureStore) -> None:
    assert texts.skipped == {"text 2": "it is empty"}
    assert texts.lengths[2] == 0 and texts.ids == tuple(f"text {row}" for row in range(21))
    assert texts.usable.tolist() == [row for row in range(21) if row != 2]


def test_a_shard_of_bad_samples_only(tmp_path: Path) -> None:
    dataset = Pictures(41, bad=[39, 40])
    store = FeatureStore.build(backbone("vit"), dataset, tmp_path, StoreConfig(shard=39), batch=64)
    assert store.skipped == {"39": "it is torn", "40": "it is torn"} and len(store.usable) == 39
    assert store[[38]].final.shape[0] == 1


def test_more_than_five_percent_bad_samples_stop_the_build(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"2 of 21 samples cannot be used, more than 5 %: text 4: it is empty"):
        FeatureStore.build(backbone(), Texts(bad=[4, 20]), tmp_path, SMALL)
    # The same holds where the bad ones lie in shards that were made before.
    with pytest.raises(InputError, match="2 of 21 samples"):
        FeatureStore.build(backbone(), Texts(bad=[4, 20]), tmp_path, SMALL)


# --- what a store knows


def test_what_a_store_tells(texts: FeatureStore) -> None:
    model = backbone()
    assert texts.fingerprint == model.fingerprint and texts.outline == model.outline()
    assert texts.digests == digests_of(model.trunks["backbone"].module)
    assert texts.config == SMALL and texts.indices == (0, 1, 2, 3)
    assert texts.nbytes == sum(path.stat().st_size for path in texts.folder.iterdir())
    assert "21 samples, states [0, 1, 2, 3], codec='float32'" in repr(texts)


def test_the_manifest_is_that_of_every_saved_folder(texts: FeatureStore) -> None:
    listed = set(verify_folder(texts.folder)["sha256"])
    assert listed == {path.name for path in texts.folder.iterdir()} - {MANIFEST}
    assert {"store.json", "index.safetensors", "skipped.json", "shard-00005.safetensors"} <= listed


def test_no_padding_on_disk(tmp_path: Path) -> None:
    dataset = Texts(64, longest=18)
    store = FeatureStore.build(backbone(), dataset, tmp_path, StoreConfig(shard=64))
    cells = sum(len(item) for item in dataset.items) * 4 * 16 * 4
    small = 64 * 8 * 2 + 64 * 16 * 4
    assert cells + small < (tmp_path / "shard-00000.safetensors").stat().st_size < cells + small + 2048
    assert store.lengths.sum() * 256 == cells


def test_a_store_may_be_pickled_and_opened_elsewhere(texts: FeatureStore) -> None:
    expected = texts.select((1, 3))[list(ROWS)]
    data = pickle.dumps(texts.select((1, 3)))
    assert len(data) < 12_000
    again = pickle.loads(data)
    assert_equal(again[list(ROWS)], expected)
    assert again.ids == texts.ids and again.skipped == texts.skipped


def test_half_precision_backbones_are_kept_as_they_are(tmp_path: Path) -> None:
    model = Backbone(make_trunk("bert")).to(torch.bfloat16)
    dataset = Texts(8)
    for codec in ("float32", "bfloat16"):
        store = FeatureStore.build(model, dataset, tmp_path / codec, StoreConfig(codec=codec))
        exact = read(model, [dataset[row] for row in (3, 5)])
        assert torch.equal(store[[3, 5]].states[2], exact.states[2].float())
        assert store[[3, 5]].pooled.dtype == torch.float32
    with pytest.raises(InputError, match="runs in float64, which no store keeps"):
        FeatureStore.build(Backbone(make_trunk("bert").double()), dataset, tmp_path / "double")
