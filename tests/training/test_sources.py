"""Where features come from: the folder of a store, stores and live backbones that agree, late layers by digest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from lichen.data.dataset import Dataset
from lichen.data.inputs import ImageInputs, TextInputs
from lichen.data.views import Views
from lichen.errors import CheckpointError, InputError
from lichen.features.config import StoreConfig
from lichen.features.record import UnfinishedStore, shard_name
from lichen.scene import Scene
from lichen.side.config import LSTConfig, PooledConfig, SHERLConfig
from lichen.training import sources
from lichen.training.places import Wanted, store_folder
from lichen.training.recipe import BackboneConfig, StoreChoice
from lichen.training.sources import Source, load_backbone, load_processor, open_source

from ..data.tiny import make_processor, make_tokenizer
from ..features.stores import assert_equal
from .tiny_recipes import save_backbone

WORDS = (
    "good film",
    "bad film a film",
    "a",
    "good",
    "bad bad bad",
    "a good film",
    "film",
    "a bad a bad a bad film good",
)
CHOICE = StoreChoice(shard=3, batch=4)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_backbone(tmp_path_factory.mktemp("backbones") / "bert", "bert")


def texts(words: Sequence[str] = WORDS) -> Dataset:
    scenes = tuple(Scene(f"t{row}", text=text) for row, text in enumerate(words))
    return Dataset(scenes, {"train": tuple(range(len(words)))})


def text_inputs(dataset: Dataset, max_tokens: int = 16) -> TextInputs:
    return TextInputs(dataset.texts(range(len(dataset))), dataset.ids, make_tokenizer(), max_tokens)


def opened(bert: str, folder: Path, words: Sequence[str] = WORDS, **options: Any) -> Source:
    """The source of some texts; keywords go to `StoreChoice`, but `layers` and `share`."""
    layers, share = options.pop("layers", (1, 2)), options.pop("share", None)
    dataset = texts(words)
    choice = replace(CHOICE, **options)
    inputs = text_inputs(dataset)
    wanted = Wanted.of("input", BackboneConfig(bert), inputs, dataset, replace(choice, folder=str(folder)), layers)
    return open_source(wanted, choice, share=share)


# Where a store lies ---------------------------------------------------------------------------------------------------


def where(dataset: Dataset, inputs: Any, name: str = "embedded:x", store: Any = None, **config: Any) -> str:
    found = store_folder(BackboneConfig(name, **config), inputs, dataset, "input", store or StoreConfig(), Path("base"))
    assert found.parent == Path("base")
    return found.name


def where_texts(words: Sequence[str] = WORDS, max_tokens: int = 16, **config: Any) -> str:
    return where(texts(words), text_inputs(texts(words), max_tokens), **config)


def test_the_same_features_lie_in_the_same_folder() -> None:
    assert where_texts() == where_texts(list(WORDS))
    assert where_texts().startswith("input-x-float32-")
    assert where_texts(name="/models/owner/bert/").startswith("input-bert-float32-")


@pytest.mark.parametrize(
    "change",
    [
        {"words": ("good films", *WORDS[1:])},
        {"words": WORDS[:-1]},
        {"words": (WORDS[1], WORDS[0], *WORDS[2:])},
        {"words": (f"{WORDS[0]}\0{WORDS[1]}", *WORDS[2:])},
        {"max_tokens": 15},
        {"name": "embedded:y"},
        {"part": "text"},
        {"name": "owner/x", "revision": "main"},
        {"size": 32},
        {"store": StoreConfig(tokens="pooled")},
        {"store": StoreConfig(codec="int8")},
        {"store": StoreConfig(layers=(1,))},
        {"store": StoreConfig(shard=3)},
    ],
)
def test_other_features_lie_elsewhere(change: dict[str, Any]) -> None:
    assert where_texts(**change) != where_texts()


def pictures(seed: int = 0, count: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)


def held(kind: str, pixels: np.ndarray, folder: Path) -> Dataset:
    """Pictures as files, as an array, as encoded bytes or as encoded files."""
    names = [f"{row}.bmp" for row in range(len(pixels))]
    for name, array in zip(names, pixels, strict=True):
        Image.fromarray(array).save(folder / name)
    splits: Mapping[str, tuple[int, ...]] = {"train": tuple(range(len(pixels)))}
    if kind == "files":
        return Dataset(tuple(Scene(name, image=str(folder / name)) for name in names), splits)
    scenes = tuple(map(Scene, names))
    if kind == "array":
        return Dataset(scenes, splits, pixels=pixels)
    paths = [folder / name for name in names]
    return Dataset(scenes, splits, encoded=paths if kind == "encoded files" else [path.read_bytes() for path in paths])


def where_pictures(dataset: Dataset, size: int = 16, views: Views | None = None) -> str:
    return where(dataset, ImageInputs(dataset, range(len(dataset)), make_processor(), size, views))


@pytest.mark.parametrize("kind", ["array", "encoded bytes"])
def test_one_pixel_makes_another_store(kind: str, tmp_path: Path) -> None:
    pixels = pictures()
    before = where_pictures(held(kind, pixels, tmp_path))
    assert where_pictures(held(kind, pixels.copy(), tmp_path)) == before
    changed = pixels.copy()
    changed[2, 7, 7, 2] ^= 1
    assert where_pictures(held(kind, changed, tmp_path)) != before


@pytest.mark.parametrize("kind", ["files", "encoded files"])
def test_of_files_the_size_counts(kind: str, tmp_path: Path) -> None:
    dataset = held(kind, pictures(), tmp_path)
    before = where_pictures(dataset)
    assert where_pictures(held(kind, pictures(), tmp_path)) == before
    with (tmp_path / "1.bmp").open("ab") as file:
        file.write(b"\0")
    assert where_pictures(dataset) != before


def test_framing_and_views_make_another_store(tmp_path: Path) -> None:
    dataset = held("array", pictures(), tmp_path)
    places = {
        where_pictures(dataset, *arguments)
        for arguments in ((16,), (17,), (16, Views(2)), (16, Views(3)), (16, Views(2, seed=1)))
    }
    assert len(places) == 5


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json"])
def test_an_exchanged_file_of_the_model_makes_another_store(bert: str, file: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bert, tmp_path / "bert"))
    before = where_texts(name=str(folder))
    assert where_texts(name=str(folder)) == before
    (folder / "notes.md").write_text("nothing to the model")
    assert where_texts(name=str(folder)) == before
    os.utime(folder / file, ns=(1, 1))
    assert where_texts(name=str(folder)) != before


# Stores and live backbones --------------------------------------------------------------------------------------------


def test_stored_features_are_the_live_ones(bert: str, tmp_path: Path) -> None:
    stored, live = opened(bert, tmp_path), opened(bert, tmp_path, live=True)
    assert stored.store is not None and stored.backbone is None and stored.fresh
    assert live.store is None and live.backbone is not None and not live.fresh
    assert stored.outline == live.outline and not stored.fingerprint.differences(live.fingerprint)
    for rows in ([3], [7, 0, 7], torch.tensor([1, 2, 3, 4, 5])):
        for layers in ((1, 2), (2,)):
            assert_equal(stored.features(rows, layers), live.features(rows, layers))


def test_a_store_is_made_once(bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(bert, tmp_path)
    monkeypatch.setattr(sources, "load_backbone", None)
    told: list[tuple[int, int]] = []
    dataset = texts()
    choice = replace(CHOICE, folder=str(tmp_path))
    wanted = Wanted.of("input", BackboneConfig(bert), text_inputs(dataset), dataset, choice, (1, 2))
    again = open_source(wanted, choice, lambda done, total: told.append((done, total)))
    assert not again.fresh and told == [(8, 8)]
    assert len(list(tmp_path.iterdir())) == 1


def test_the_recipes_own_layers_come_first(bert: str, tmp_path: Path) -> None:
    source = opened(bert, tmp_path, layers=(1, 2))
    assert source.store is not None and source.store.indices == (1, 2)
    dataset = texts()
    choice = replace(CHOICE, layers=(0, -1), folder=str(tmp_path))
    own = open_source(Wanted.of("input", BackboneConfig(bert), text_inputs(dataset), dataset, choice, (1, 2)), choice)
    assert own.store is not None and own.store.indices == (0, 3)
    with pytest.raises(InputError, match=r"holds the hidden states \[0, 3\]; \[1\]"):
        own.features([0], (1,))


def test_shares_of_a_store(bert: str, tmp_path: Path) -> None:
    with pytest.raises(UnfinishedStore, match="Share 0 of 2 is done"):
        opened(bert, tmp_path, share=(0, 2))
    whole = opened(bert, tmp_path, share=(1, 2))
    assert whole.store is not None and len(whole.store) == 8 and not whole.fresh


def test_a_damaged_store_is_made_again_by_who_is_alone(bert: str, tmp_path: Path, capsys: Any) -> None:
    store = opened(bert, tmp_path).store
    assert store is not None
    expected = store[[0, 5]]
    shard = store.folder / shard_name(1)
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="was altered or truncated"):
        opened(bert, tmp_path, share=(0, 2))
    again = opened(bert, tmp_path).store
    assert again is not None
    assert_equal(again[[0, 5]], expected)
    assert "making it again" in capsys.readouterr().err


@pytest.mark.parametrize("live", [False, True])
def test_bad_samples_are_listed_by_row(live: bool, bert: str, tmp_path: Path) -> None:
    words = [*["good film"] * 20, " ", "bad"]
    source = opened(bert, tmp_path, words, live=live)
    assert source.bad_rows == (20,) and list(source.skipped) == ["t20"] and "blank" in source.skipped["t20"]
    with pytest.raises(InputError, match="2 of 22 samples cannot be used, more than 5 %"):
        opened(bert, tmp_path, [*["good film"] * 20, " ", ""], live=live)


def test_a_live_backbone_is_tried_at_once(bert: str, tmp_path: Path) -> None:
    class Broken(TextInputs):
        def _sample(self, place: int) -> dict[str, torch.Tensor]:
            return {"input_ids": torch.tensor([99]), "attention_mask": torch.tensor([1])}

    dataset = texts()
    inputs = Broken(WORDS, dataset.ids, make_tokenizer(), 16)
    with pytest.raises(InputError, match="token id must lie in 0 to 49"):
        choice = replace(CHOICE, live=True)
        open_source(Wanted.of("input", BackboneConfig(bert), inputs, dataset, choice, None), choice)


# Side networks --------------------------------------------------------------------------------------------------------


def test_side_networks_of_a_source(bert: str, tmp_path: Path) -> None:
    source = opened(bert, tmp_path)
    side, layers = source.fit(PooledConfig(layers=2))
    assert layers == (2, 3) and side.layout.widths == (16, 16)
    with pytest.raises(InputError, match="prunes the weights of a task model"):
        source.fit(LSTConfig(init="magnitude"))


def test_late_layers_from_the_file_are_those_of_the_live_model(bert: str, tmp_path: Path) -> None:
    answers = []
    for live in (False, True):
        source = opened(bert, tmp_path, live=live, layers=(0, 1, 2))
        torch.manual_seed(0)
        side, layers = source.fit(SHERLConfig())
        assert layers == (0, 1, 2)
        answers.append(side.eval()(source.features([0, 1, 2], layers)).final)
    assert torch.equal(answers[0], answers[1])


def test_late_layers_that_changed_since_are_refused(bert: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bert, tmp_path / "bert"))
    source = opened(str(folder), tmp_path / "stores")
    source.fit(SHERLConfig())
    tensors = load_file(folder / "model.safetensors")
    tensors["encoder.layer.2.output.dense.bias"] += 1
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"encoder\.layer\.2\.output\.dense\.bias differs"):
        source.fit(SHERLConfig())


# Processors -----------------------------------------------------------------------------------------------------------


def test_processors_come_with_the_backbone(bert: str, tmp_path: Path) -> None:
    assert load_processor(BackboneConfig(bert)).encode("good film") == [1, 4, 6, 2]
    vit = save_backbone(tmp_path / "vit", "vit")
    assert load_processor(BackboneConfig(vit)).size == {"height": 32, "width": 32}
    with pytest.raises(InputError, match="There is no folder 'owner/absent' here, and no model of this id"):
        load_processor(BackboneConfig("owner/absent"))
    with pytest.raises(InputError, match=r"Unknown embedded model 'minilmm'\. Did you mean 'minilm'\?"):
        load_processor(BackboneConfig("embedded:minilmm"))


def test_a_backbone_without_a_processor_is_refused(tmp_path: Path) -> None:
    folder = Path(save_backbone(tmp_path / "vit", "vit"))
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match="comes without a tokenizer or an image processor"):
        load_backbone(BackboneConfig(str(folder)))
    with pytest.raises(InputError, match="No tokenizer or image processor is found"):
        load_processor(BackboneConfig(str(folder)))
