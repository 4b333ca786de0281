"""Rows, targets, captions and pictures of a data set."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lichen.data.dataset import Dataset
from lichen.errors import BadSample, InputError
from lichen.scene import Label, Scene


def scene(id: str, *labels: str, **rest: object) -> Scene:
    return Scene(id, labels=tuple(Label(name) for name in labels), **rest)  # type: ignore[arg-type]


def test_targets() -> None:
    dataset = Dataset((scene("a", "y"), scene("b", "x"), scene("c", "y")), {"train": (0, 1, 2)}, classes=("x", "y"))
    assert torch.equal(dataset.targets([2, 1]), torch.tensor([1, 0]))
    assert torch.equal(dataset.targets(dataset.rows("train")), torch.tensor([1, 0, 1]))
    assert dataset.targets([]).shape == (0,)


def test_multi_label_targets() -> None:
    dataset = Dataset(
        (scene("a", "y", "x"), scene("b"), scene("c", "z")), {"train": (0,)}, classes=("x", "y", "z"), multi_label=True
    )
    assert dataset.targets([0, 1, 2]).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert dataset.targets([1]).tolist() == [[0, 0, 0]] and dataset.targets([]).shape == (0, 3)


def test_targets_that_cannot_be() -> None:
    dataset = Dataset(
        (scene("a", "cat"), scene("b"), scene("c", "cat", "dog")), {"train": (0,)}, classes=("cot", "dog")
    )
    with pytest.raises(InputError, match=r"'a' has the unknown label 'cat'. Did you mean 'cot'"):
        dataset.targets([0])
    with pytest.raises(InputError, match=r"'b' has 0 labels.*multi_label"):
        dataset.targets([1])
    with pytest.raises(InputError, match="no labels"):
        Dataset((scene("a"),), {"train": (0,)}).targets([0])
    two = Dataset((scene("c", "cat", "dog"),), {"train": (0,)}, classes=("cat", "dog"))
    with pytest.raises(InputError, match="'c' has 2 labels"):
        two.targets([0])


def test_caption_pairs_are_flat() -> None:
    scenes = (Scene("a", captions=("1", "2")), Scene("b"), Scene("c", captions=("3",)), Scene("d", captions=("4",)))
    dataset = Dataset(scenes, {"train": (3,), "dev": (2, 1, 0)})
    rows, numbers = dataset.caption_pairs("dev")
    assert rows.tolist() == [2, 0, 0] and numbers.tolist() == [0, 0, 1] and rows.dtype == torch.int64
    assert dataset.captions("dev") == (["3", "1", "2"], ["c#0", "a#0", "a#1"])
    with pytest.raises(InputError, match="no captions"):
        Dataset((Scene("a"),), {"train": (0,)}).caption_pairs("train")


def test_splits() -> None:
    dataset = Dataset((Scene("a"), Scene("b")), {"train": (0,), "test": (1,)})
    assert dataset.rows("test") == (1,) and len(dataset) == 2 and dataset.ids == ("a", "b")
    with pytest.raises(InputError, match=r"no 'dev' split, only train, test.*data.holdout"):
        dataset.rows("dev")


def test_some_splits_alone() -> None:
    pixels = np.arange(4 * 2 * 2 * 3, dtype=np.uint8).reshape(4, 2, 2, 3)
    whole = Dataset(
        tuple(map(scene, "abcd")),
        {"train": (0, 2), "dev": (3,), "test": (1,)},
        pixels=pixels,
        encoded=[bytes([row]) for row in range(4)],
    )
    part = whole.only(["test", "dev"])
    assert part.ids == ("b", "d") and dict(part.splits) == {"test": (0,), "dev": (1,)}
    assert part.pixels is not None and (part.pixels == pixels[[1, 3]]).all() and part.encoded == [b"\1", b"\3"]
    assert not len(whole.only([]))
    with pytest.raises(InputError):
        part.only(["train"])


def test_pictures_by_file_pixels_and_bytes(tmp_path: Path) -> None:
    red, blue = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    red.save(tmp_path / "r.png")
    stored = BytesIO()
    blue.save(stored, "PNG")
    files = Dataset((Scene("a", image=str(tmp_path / "r.png")),), {"train": (0,)})
    pixels = Dataset((Scene("a"), Scene("b")), {"train": (0,)}, pixels=np.stack([np.asarray(red), np.asarray(blue)]))
    encoded = Dataset((Scene("a"),), {"train": (0,)}, encoded=[stored.getvalue()])
    paths = Dataset((Scene("a"),), {"train": (0,)}, encoded=[tmp_path / "r.png"])
    assert files.picture(0).tobytes() == pixels.picture(0).tobytes() == paths.picture(0).tobytes() == red.tobytes()
    assert encoded.picture(0).tobytes() == pixels.picture(1).tobytes() == blue.tobytes()
    assert all(item.has_pictures and not item.has_texts for item in (files, pixels, encoded))
    broken = Dataset((Scene("name"),), {"train": (0,)}, encoded=[b""])
    with pytest.raises(BadSample, match="name: is empty"):
        broken.picture(0)


def test_texts_are_no_pictures_and_the_reverse() -> None:
    texts, pictures = Dataset((Scene("a", text="t"),), {"train": (0,)}), Dataset((Scene("a", image="p"),), {})
    assert texts.texts([0]) == ["t"] and texts.has_texts and not texts.has_pictures
    with pytest.raises(InputError, match="'a' is a text"):
        texts.picture(0)
    with pytest.raises(InputError, match="holds pictures, not texts"):
        pictures.texts([0])


def test_contradictions_are_refused() -> None:
    with pytest.raises(InputError, match="each id once"):
        Dataset((Scene("a"), Scene("a")), {"train": (0,)})
    with pytest.raises(InputError, match="outside 0 to 0"):
        Dataset((Scene("a"),), {"train": (1,)})
    with pytest.raises(InputError, match="Did you mean 'dev'"):
        Dataset((Scene("a"),), {"dve": (0,)})
    with pytest.raises(InputError, match="one picture a row: 2 for 1"):
        Dataset((Scene("a"),), {"train": (0,)}, pixels=np.zeros((2, 4, 4, 3), np.uint8))
