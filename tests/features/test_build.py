"""What a build refuses, what it takes up again, and how it is shared by several processes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import ViTImageProcessorPil

from lichen.backbones.backbone import Backbone
from lichen.errors import CheckpointError, InputError
from lichen.features.config import StoreConfig
from lichen.features.folder import StoreFolder
from lichen.features.preflight import examine
from lichen.features.record import UnfinishedStore, basis_name
from lichen.features.store import FeatureStore
from lichen.files import MANIFEST

from ..families import make_trunk
from .stores import Pictures, Texts, backbone, files_of

SMALL = StoreConfig(shard=4)


class Changed(Sequence[Any]):
    """A data set whose items are changed on the way out."""

    def __init__(self, inner: Sequence[Any], change: Any) -> None:
        self.inner, self.change = inner, change

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, row: Any) -> Any:
        return self.change(dict(self.inner[row]), row)


# --- what cannot be stored


def test_random_augmentation_is_refused_with_the_way_out(tmp_path: Path) -> None:
    def flip(item: dict[str, Tensor], row: int) -> dict[str, Tensor]:
        pixels = item["pixel_values"]
        return {"pixel_values": pixels.flip(-1) if torch.rand(()) < 0.5 else pixels}

    torch.manual_seed(0)
    with pytest.raises(InputError, match=r"differs when it is read twice.*StoreConfig\(views=K\)"):
        FeatureStore.build(backbone("vit"), Changed(Pictures(), flip), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_fixed_views_are_stored_under_numbered_names(tmp_path: Path) -> None:
    pictures = Pictures(10)

    def view(item: dict[str, Tensor], row: int) -> dict[str, Tensor]:
        return {"pixel_values": item["pixel_values"].flip(-1) if row % 2 else item["pixel_values"]}

    config = StoreConfig(views=2)
    for ids, names in ((None, ("0#0", "0#1", "1#0")), (list("abcde"), ("a#0", "a#1", "b#0"))):
        folder = tmp_path / names[0]
        store = FeatureStore.build(backbone("vit"), Changed(pictures, view), folder, config, ids=ids)
        assert store.ids[:3] == names and len(store) == 10
    # A data set that names its views itself keeps its names.
    named = [f"{row}@{view}" for row in range(5) for view in range(2)]
    assert FeatureStore.build(backbone("vit"), pictures, tmp_path / "own", config, ids=named).ids == tuple(named)
    with pytest.raises(InputError, match=r"A store of 3 view\(s\) a sample needs .* samples \* views items.* got 10"):
        FeatureStore.build(backbone("vit"), pictures, tmp_path / "odd", StoreConfig(views=3))


def test_dropout_in_the_backbone_is_refused(tmp_path: Path) -> None:
    model = Backbone(make_trunk("bert"))
    model.model.encoder.layer[1].attention.output.dropout.p = 0.5
    model.model.encoder.layer[1].attention.output.dropout.train()
    with pytest.raises(InputError, match="answers differently when it reads the same batch twice: dropout"):
        FeatureStore.build(model, Texts(), tmp_path)


BAD_ITEMS: list[tuple[Any, str]] = [
    ([1, 2], r"Item 0 \('0'\) is a list; expected a dict of unbatched model inputs"),
    ({"labels": torch.zeros(3)}, "with input_ids or pixel_values"),
    (
        {"input_ids": torch.zeros(1, 3, dtype=torch.long)},
        r"inputs of shape \[1, 3\]; expected no batch axis: \(tokens\)",
    ),
    ({"pixel_values": torch.zeros(1, 3, 8, 8)}, r"expected no batch axis: \(channels, rows, columns\)"),
    (
        {"input_ids": torch.ones(3, dtype=torch.long), "attention_mask": torch.tensor([1, 1, 0])},
        "comes padded: its attention_mask holds zeros. Tokenise each text by itself",
    ),
]


@pytest.mark.parametrize(("item", "says"), BAD_ITEMS, ids=range(len(BAD_ITEMS)))
def test_items_that_are_no_samples(item: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        FeatureStore.build(backbone(), Changed(Texts(), lambda inner, row: item), tmp_path)


def test_an_item_of_plain_lists_is_taken_and_one_without_tokens_is_skipped(tmp_path: Path) -> None:
    def plain(item: dict[str, Tensor], row: int) -> dict[str, Any]:
        return {name: [] if row == 1 else value.tolist() for name, value in item.items()}

    store = FeatureStore.build(backbone(), Changed(Texts(), plain), tmp_path / "plain")
    assert store.skipped == {"1": "it has no token"}
    straight = FeatureStore.build(backbone(), Texts(), tmp_path / "tensors")
    assert torch.equal(store[[4, 9]].final, straight[[4, 9]].final)


def test_pictures_of_two_sizes_are_refused(tmp_path: Path) -> None:
    def crop(item: dict[str, Tensor], row: int) -> dict[str, Tensor]:
        return {"pixel_values": item["pixel_values"][:, : 32 if row > 4 else 64]}

    with pytest.raises(InputError, match=r"Pictures read together must have one size|must have one size: a grid of"):
        FeatureStore.build(backbone("resnet"), Changed(Pictures(9, 64), crop), tmp_path, SMALL, batch=1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"ids": ["a"] * 21}, "The id 'a' occurs more than once"),
        ({"ids": ["a", "b"]}, r"2 ids were given for 21 items with 1 view\(s\)"),
        ({"share": (2, 2)}, r"share must be \(k, n\) with 0 <= k < n.*got \(2, 2\)"),
        ({"share": (-1, 2)}, "share must be"),
        ({"batch": 0}, "batch must be a whole number of at least 1; got 0"),
        ({"part": "vision"}, "Unknown part 'vision'"),
    ],
)
def test_arguments_that_make_no_sense(arguments: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        FeatureStore.build(backbone(), Texts(), tmp_path, **arguments)


def test_nothing_to_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one; got 0"):
        FeatureStore.build(backbone(), Texts(0), tmp_path)
    with pytest.raises(InputError, match=r"None of the 3 samples can be used. The last: text 2: it is empty"):
        FeatureStore.build(backbone(), Texts(3, bad=[0, 1, 2]), tmp_path)


def test_states_of_a_decoder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="depend on its target text"):
        FeatureStore.build(backbone("t5"), Texts(), tmp_path, part="decoder")


def test_values_that_a_codec_cannot_hold(tmp_path: Path) -> None:
    model = Backbone(make_trunk("bert"))
    with torch.no_grad():
        model.model.embeddings.LayerNorm.weight.mul_(1e5)
    with pytest.raises(InputError, match="more than float16 can hold"):
        FeatureStore.build(model, Texts(), tmp_path, replace(SMALL, codec="float16"))
    assert not (tmp_path / MANIFEST).exists() and not list(tmp_path.glob(".*"))


# --- folders


def test_another_store_in_the_folder_is_refused_by_what_differs(tmp_path: Path, unchecked: None) -> None:
    FeatureStore.build(backbone(), Texts(), tmp_path, SMALL)
    before = files_of(tmp_path)
    other = Backbone(make_trunk("bert", seed=1))
    longer = Changed(Texts(), lambda item, row: {"input_ids": item["input_ids"].repeat(2)})
    cases: list[tuple[Any, Any, dict[str, Any], str]] = [
        (other, Texts(), {}, "backbone weights: expected"),
        (backbone(), Texts(), {"config": StoreConfig(shard=5)}, "shard: expected 4, got 5"),
        (backbone(), Texts(), {"config": replace(SMALL, codec="int8")}, "codec: expected float32, got int8"),
        (backbone(), Texts(22), {}, "samples: expected 21, got 22"),
        (backbone(), Texts(), {"ids": [f"x{row}" for row in range(21)]}, "sample ids: expected"),
        (backbone(), longer, {"ids": Texts().ids}, "another preparation of the samples"),
    ]
    for model, dataset, arguments, says in cases:
        with pytest.raises(InputError, match=rf"holds another store\..*{says}.*Choose another folder, or remove"):
            FeatureStore.build(model, dataset, tmp_path, **{"config": SMALL, **arguments})
    assert files_of(tmp_path) == before


def test_settings_of_the_data_set_belong_to_the_store(tmp_path: Path) -> None:
    dataset = Texts()
    dataset.settings = {"max_tokens": 128}  # type: ignore[attr-defined]
    store = FeatureStore.build(backbone(), dataset, tmp_path, SMALL)
    assert store.record.inputs == {"max_tokens": 128}
    dataset.settings = {"max_tokens": 64}  # type: ignore[attr-defined]
    with pytest.raises(InputError, match=r"preparation of the samples: expected \{'max_tokens': 128\}"):
        FeatureStore.build(backbone(), dataset, tmp_path, SMALL)


def test_folders_of_other_things_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds other files, such as 'notes.txt', and no store"):
        FeatureStore.build(backbone(), Texts(), tmp_path)
    with pytest.raises(InputError, match="is a file"):
        FeatureStore.build(backbone(), Texts(), tmp_path / "notes.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_finished_store_is_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FeatureStore.build(backbone(), Texts(bad=[3]), tmp_path, SMALL)
    before = files_of(tmp_path)
    calls: list[int] = []
    run = Backbone.__call__
    monkeypatch.setattr(Backbone, "__call__", lambda self, **given: calls.append(1) or run(self, **given))
    dataset = Texts(bad=[3])
    steps: list[tuple[int, int]] = []
    store = FeatureStore.build(
        backbone(), dataset, tmp_path, SMALL, progress=lambda done, total: steps.append((done, total))
    )
    # Only the check that data and backbone repeat themselves ran.
    assert len(calls) <= 4 and dataset.read <= 20
    assert steps == [(4, 21), (8, 21), (12, 21), (16, 21), (20, 21), (21, 21)]
    assert files_of(tmp_path) == before and store.skipped == {"text 3": "it is empty"}


def test_damaged_shards_are_computed_again_and_no_others(tmp_path: Path, unchecked: None) -> None:
    FeatureStore.build(backbone(), Texts(bad=[3]), tmp_path, SMALL)
    before = files_of(tmp_path)
    for number, damage in ((1, "cut"), (3, "flip"), (4, "gone")):
        path = tmp_path / f"shard-0000{number}.safetensors"
        data = bytearray(path.read_bytes())
        data[700] ^= 1
        path.unlink() if damage == "gone" else path.write_bytes(data[:-9] if damage == "cut" else data)
    whole = [tmp_path / f"shard-0000{number}.safetensors" for number in (0, 2, 5)]
    times = [path.stat().st_mtime_ns for path in whole]
    with pytest.raises(CheckpointError, match=r"is damaged: 'shard-0000.*, and 2 more. Build it again"):
        FeatureStore.open(tmp_path)
    FeatureStore.build(backbone(), Texts(bad=[3]), tmp_path, SMALL)
    assert files_of(tmp_path) == before
    assert [path.stat().st_mtime_ns for path in whole] == times


def test_a_build_that_stops_goes_on_where_it_stopped(tmp_path: Path, unchecked: None) -> None:
    class Stop(Exception):
        pass

    def stop(item: dict[str, Tensor], row: int) -> dict[str, Tensor]:
        if row == 14:
            raise Stop
        return item

    names = Texts().ids
    with pytest.raises(Stop):
        FeatureStore.build(backbone(), Changed(Texts(), stop), tmp_path / "cut", SMALL, ids=names)
    assert not list((tmp_path / "cut").glob(".*"))
    with pytest.raises(UnfinishedStore, match=r"is unfinished: 3 of 6 shards are there. Run the same build again"):
        FeatureStore.open(tmp_path / "cut")
    assert FeatureStore.find(tmp_path / "cut") is None
    dataset = Texts()
    FeatureStore.build(backbone(), dataset, tmp_path / "cut", SMALL)
    FeatureStore.build(backbone(), Texts(), tmp_path / "straight", SMALL)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "straight")
    assert dataset.read == 16 + 9


@pytest.mark.parametrize("codec", ["float32", "int8-channel", "pca"])
def test_shares_make_the_same_store(codec: Any, tmp_path: Path, unchecked: None) -> None:
    config = StoreConfig(codec=codec, rank=4, shard=8)
    for share in ((1, 3), (0, 3)):
        with pytest.raises(UnfinishedStore, match=rf"Share {share[0]} of 3 is done.*run the same build|Run the same"):
            FeatureStore.build(backbone(), Texts(bad=[7]), tmp_path / "shared", config, share=share)
    store = FeatureStore.build(backbone(), Texts(bad=[7]), tmp_path / "shared", config, share=(2, 3))
    FeatureStore.build(backbone(), Texts(bad=[7]), tmp_path / "alone", config)
    assert files_of(tmp_path / "shared") == files_of(tmp_path / "alone")
    assert store.skipped == {"text 7": "it is empty"}
    # A process that comes late finds nothing to do.
    again = FeatureStore.build(backbone(), Texts(bad=[7]), tmp_path / "shared", config, share=(1, 3))
    assert files_of(again.folder) == files_of(tmp_path / "alone")


def test_of_two_writers_with_other_components_the_first_decides(tmp_path: Path) -> None:
    # As on two machines, whose sums round differently.
    record, _ = examine(backbone(), Texts(), Texts().ids, StoreConfig(codec="pca"), None)
    first = StoreFolder(tmp_path).claim(record, b"components of one")
    second = StoreFolder(tmp_path).claim(record, b"components of the other")
    assert first == second and first.basis is not None and second.basis is not None
    assert sorted(files_of(tmp_path)) == [basis_name(first.basis), "store.json"]
    assert (tmp_path / basis_name(first.basis)).read_bytes() == b"components of one"


def test_lost_components_are_fitted_again(tmp_path: Path, unchecked: None) -> None:
    config = StoreConfig(codec="pca", rank=4)
    FeatureStore.build(backbone(), Texts(), tmp_path, config)
    before = files_of(tmp_path)
    (basis,) = tmp_path.glob("basis-*")
    basis.write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="principal components of the store, is missing or altered"):
        FeatureStore.open(tmp_path, verify=False)
    FeatureStore.build(backbone(), Texts(), tmp_path, config)
    assert files_of(tmp_path) == before


# --- opening


def test_another_backbone_is_refused_by_what_differs(tmp_path: Path) -> None:
    small, large = (Backbone(make_trunk("vit"), processor=ViTImageProcessorPil(size=size)) for size in (32, 48))
    FeatureStore.build(small, Pictures(), tmp_path)
    assert len(FeatureStore.open(tmp_path, small)) == len(FeatureStore.open(tmp_path, small.fingerprint)) == 9
    with pytest.raises(CheckpointError, match=r"come from another backbone\. preprocessing: expected .*build a new"):
        FeatureStore.open(tmp_path, large)
    with pytest.raises(CheckpointError, match="weights: expected"):
        FeatureStore.open(tmp_path, Backbone(make_trunk("vit", seed=1)))


def test_a_folder_without_a_store(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(CheckpointError, match=r"holds no store\. Make one"):
            FeatureStore.open(folder)
        assert FeatureStore.find(folder) is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda values: values.update(format=9), "has format 9; this version reads 1"),
        (lambda values: values.pop("states"), "no description of a store"),
        (lambda values: values["config"].update(codec="zip"), "Unknown StoreConfig.codec 'zip'"),
        (lambda values: values.update(shapes=5), "makes no sense"),
        (lambda values: values.update(fingerprint={}), "makes no sense"),
        (lambda values: values["outline"].pop("kind"), "no outline of a backbone"),
    ],
)
def test_descriptions_that_make_no_sense(change: Any, says: str, tmp_path: Path, unchecked: None) -> None:
    FeatureStore.build(backbone(), Texts(5), tmp_path)
    values = json.loads((tmp_path / "store.json").read_text())
    change(values)
    (tmp_path / "store.json").write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=says):
        FeatureStore.open(tmp_path, verify=False)
    with pytest.raises(CheckpointError, match=r"'store.json' was altered|makes no sense|no outline|description|format"):
        FeatureStore.open(tmp_path)
