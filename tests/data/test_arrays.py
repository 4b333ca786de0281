"""Archives of arrays and the digits; nothing is unpickled."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lichen.data.config import DataConfig
from lichen.data.dataset import Dataset
from lichen.data.digits import load_digits
from lichen.data.readers import load
from lichen.errors import InputError


def arrays(count: int = 6, **changes: Any) -> dict[str, np.ndarray]:
    values = {
        "images": np.arange(count * 48, dtype=np.uint32).astype(np.uint8).reshape(count, 4, 4, 3),
        "labels": (np.arange(count) % 2).astype(np.uint8),
        "names": np.array(["zebra", "ant"]),
    }
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


def read(folder: Path, **values: Any) -> Dataset:
    return load(DataConfig(kind="npz", **{"path": ".", "holdout": 0.0, **values}), folder)


def test_archives(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", **arrays())
    np.savez(tmp_path / "test.npz", **arrays(2))
    dataset = read(tmp_path)
    assert dataset.classes == ("zebra", "ant") and dataset.targets(dataset.rows("train")).tolist() == [0, 1] * 3
    assert dataset.ids[0] == "train/0" and dataset.ids[6] == "test/0" and len(dataset) == 8
    assert np.array_equal(np.asarray(dataset.picture(4)), arrays()["images"][4])
    assert np.array_equal(np.asarray(dataset.picture(7)), arrays(2)["images"][1])


def test_grey_pictures(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", **arrays(images=np.full((6, 5, 7), 9, np.uint8), names=np.array([b"a", b"b"])))
    dataset = read(tmp_path, path="t.npz")
    assert dataset.picture(0).size == (7, 5) and dataset.picture(0).getpixel((0, 0)) == (9, 9, 9)
    assert dataset.classes == ("a", "b")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": None}, "no array 'labels'; it holds images, names"),
        ({"images": np.zeros((6, 4, 4, 3))}, "images must be uint8.*got float64"),
        ({"images": np.zeros((6, 4, 4, 4), np.uint8)}, r"got uint8 \(6, 4, 4, 4\)"),
        ({"labels": np.zeros(5, np.uint8)}, r"one whole number a picture, \(6,\); got uint8 \(5,\)"),
        ({"labels": np.zeros(6)}, "got float64"),
        ({"labels": np.full(6, 2)}, "labels run from 2 to 2, but there are 2 names"),
        ({"labels": np.full(6, -1)}, "labels run from -1"),
        ({"names": np.array([1, 2])}, "names must be a list of texts"),
        ({"labels": np.zeros(6, np.uint8)}, "has the label 'zebra', but a classifier needs"),
    ],
)
def test_wrong_arrays(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "train.npz", **arrays(**changes))
    with pytest.raises(InputError, match=message):
        read(tmp_path)


class Trap:
    """Says so when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("unpickled",))


def test_pickles_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", **arrays(names=np.array([Trap(), Trap()], dtype=object)), allow_pickle=True)
    with pytest.raises(InputError, match="without pickles"):
        read(tmp_path)
    (tmp_path / "train.npz").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match="without pickles"):
        read(tmp_path)


def test_damaged_archives(tmp_path: Path) -> None:
    path = tmp_path / "train.npz"
    np.savez_compressed(path, **arrays(200))
    data = path.read_bytes()
    for length in (0, 10, len(data) // 2, len(data) - 5):
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match="not readable as a NumPy archive"):
            read(tmp_path)
    for place in range(64, 400, 7):
        flipped = bytearray(data)
        flipped[place] ^= 0x10
        path.write_bytes(flipped)
        with pytest.raises(InputError, match="not readable as a NumPy archive"):
            read(tmp_path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InputError, match="not readable as a NumPy archive"):
        read(tmp_path)


def test_archives_that_disagree(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", **arrays())
    np.savez(tmp_path / "test.npz", **arrays(names=np.array(["ant", "zebra"])))
    with pytest.raises(InputError, match=r"test.npz' has other class names"):
        read(tmp_path)


def test_real_pictures(shared_data: Path) -> None:
    dataset = load(DataConfig(kind="npz", path="cifar_mini"), shared_data)
    assert {split: len(rows) for split, rows in dataset.splits.items()} == {"train": 1800, "dev": 200, "test": 500}
    assert dataset.targets(dataset.rows("dev")).bincount().tolist() == [20] * 10
    assert dataset.targets(dataset.rows("test")).bincount().tolist() == [50] * 10
    assert dataset.classes[0] == "airplane" and dataset.picture(2499).size == (32, 32)
    small = load(DataConfig(kind="npz", path="cifar_mini", limit=40, eval_limit=20), shared_data)
    assert small.targets(small.rows("train")).bincount().tolist() == [4] * 10
    assert small.pixels is not None and small.pixels.shape == (80, 32, 32, 3)


def test_digits() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn, which holds the digits, is not installed")
    dataset = load(DataConfig(kind="digits", seed=7))
    assert {split: len(rows) for split, rows in dataset.splits.items()} == {"train": 900, "dev": 100, "test": 797}
    assert dataset.classes == tuple("0123456789")
    other = load(DataConfig(kind="digits", seed=8))
    assert [other.ids[row] for row in other.rows("test")] == [dataset.ids[row] for row in dataset.rows("test")]
    assert {other.ids[row] for row in other.rows("dev")} != {dataset.ids[row] for row in dataset.rows("dev")}
    digits = load_digits()
    for row in (0, 950, 1796):
        number = int(dataset.ids[row].removeprefix("digit/"))
        assert int(dataset.targets([row])) == int(digits.labels[number])
        picture = np.asarray(dataset.picture(row))
        assert picture.shape == (8, 8, 3) and np.array_equal(picture[..., 0], picture[..., 2])
        assert abs(picture[..., 0] / 255 - digits.images[number].numpy()).max() <= 0.5 / 255 + 1e-6
