"""Data sets of the package `datasets`, here through a stand-in that keeps to its interface.

Where the package itself is installed, the last test uses it.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from lichen.data.config import DataConfig
from lichen.data.dataset import Dataset
from lichen.data.readers import load
from lichen.errors import InputError, MissingPackageError


class Feature(SimpleNamespace):
    """Type of a column."""


class PictureFeature:
    """Stands for `datasets.Image`."""

    def __init__(self, decode: bool = True) -> None:
        self.decode = decode


class Table:
    """Stands for `datasets.Dataset`."""

    def __init__(self, columns: dict[str, list[Any]], features: dict[str, Any]) -> None:
        self.columns = columns
        self.features = {name: features.get(name, Feature()) for name in columns}
        self.column_names = list(columns)

    def __getitem__(self, key: Any) -> Any:
        return self.columns[key] if isinstance(key, str) else {name: value[key] for name, value in self.columns.items()}

    def select_columns(self, names: list[str]) -> Table:
        return Table({name: self.columns[name] for name in names}, self.features)

    def cast_column(self, name: str, feature: PictureFeature) -> Table:
        assert not feature.decode
        return self


def png(colour: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (2, 2), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Any:
    module = SimpleNamespace(Image=PictureFeature, stored={}, asked=[])

    def load_dataset(path: str, **options: Any) -> Any:
        module.asked.append((path, options))
        if path not in module.stored:
            raise FileNotFoundError(f"Dataset {path!r} doesn't exist on the Hub\nand more")
        return module.stored[path]

    module.load_dataset = load_dataset
    module.load_from_disk = lambda path: module.stored[Path(path).name]
    monkeypatch.setitem(sys.modules, "datasets", module)
    return module


def read(**values: Any) -> Dataset:
    return load(DataConfig(kind="datasets", **{"holdout": 0.0, **values}))


CLASSES = {"label": Feature(names=["neg", "pos"])}


def test_splits_and_class_names(package: Any) -> None:
    tables = {"train": Table({"text": ["a", "b"], "label": [1, 0]}, CLASSES)}
    tables["validation"] = Table({"text": ["c"], "label": [1]}, CLASSES)
    package.stored["x/y"] = tables
    dataset = read(path="x/y", subset="small", revision="abc", holdout=None)
    assert package.asked == [("x/y", {"name": "small", "revision": "abc"})]
    assert dataset.classes == ("neg", "pos") and dataset.ids == ("train/0", "train/1", "dev/0")
    assert dataset.targets([0, 1, 2]).tolist() == [1, 0, 1] and dataset.texts([2]) == ["c"]


def test_a_saved_folder(package: Any, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    package.stored["saved"] = Table({"text": ["a", "b"], "label": ["x", "y"]}, {})
    config = DataConfig(kind="datasets", path="saved", holdout=0.0)
    assert load(config, tmp_path).classes == ("x", "y") and not package.asked
    with pytest.raises(InputError, match=r"no splits, so data.train cannot choose"):
        load(DataConfig(kind="datasets", path="saved", train="train"), tmp_path)


def test_pictures_stay_encoded(package: Any, tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(png("blue"))
    cells = [{"bytes": png("red"), "path": None}, {"bytes": None, "path": str(tmp_path / "b.png")}, None]
    package.stored["p"] = {"train": Table({"image": cells, "label": [0, 1, 1]}, {**CLASSES, "image": PictureFeature()})}
    dataset = read(path="p")
    assert dataset.has_pictures
    assert [dataset.picture(row).getpixel((0, 0)) for row in (0, 1)] == [(255, 0, 0), (0, 0, 255)]
    with pytest.raises(InputError, match="train/2: is empty"):
        dataset.picture(2)
    package.stored["p"]["train"].features["image"] = Feature()
    with pytest.raises(InputError, match="column 'image' holds no pictures"):
        read(path="p")


def test_lists_of_classes(package: Any) -> None:
    for feature in (Feature(feature=Feature(names=["a", "b", "c"])), [Feature(names=["a", "b", "c"])]):
        package.stored["m"] = {"train": Table({"text": ["x", "y"], "label": [[2, 0], []]}, {"label": feature})}
        dataset = read(path="m", multi_label=True)
        assert dataset.targets([0, 1]).tolist() == [[1, 0, 1], [0, 0, 0]] and dataset.classes == ("a", "b", "c")


def test_a_split_without_labels_is_named(package: Any) -> None:
    package.stored["g"] = {
        "train": Table({"text": ["a", "b"], "label": [1, 0]}, CLASSES),
        "test": Table({"text": ["c", "d"], "label": [-1, -1]}, CLASSES),
    }
    with pytest.raises(InputError, match=r"'g' \(test\) has no labels. Leave it out"):
        read(path="g")
    assert set(read(path="g", train="train").splits) == {"train"}


def test_bad_samples_keep_pictures_in_step(package: Any) -> None:
    cells = [{"bytes": png("red" if n == 3 else "blue"), "path": None} for n in range(40)]
    labels = [None if n == 1 else n % 2 for n in range(40)]
    package.stored["p"] = {"train": Table({"image": cells, "label": labels}, {**CLASSES, "image": PictureFeature()})}
    dataset = read(path="p")
    assert list(dataset.skipped) == ["train/1"] and dataset.ids[2] == "train/3"
    assert dataset.picture(2).getpixel((0, 0)) == (255, 0, 0)


def test_what_cannot_be_found(package: Any) -> None:
    with pytest.raises(
        InputError, match="No usable data set under 'no/where': Dataset 'no/where' doesn't exist on the Hub Give"
    ):
        read(path="no/where")
    with pytest.raises(InputError, match=r"needs data.path"):
        read()
    package.stored["x"] = {"train": Table({"txt": ["a"], "label": [0]}, CLASSES)}
    with pytest.raises(InputError, match=r"no column 'text'. Did you mean 'txt'"):
        read(path="x")
    with pytest.raises(InputError, match=r"no column 'labels'. Did you mean 'label'.*data.label"):
        read(path="x", label="labels")
    with pytest.raises(InputError, match=r"data.train: 'x' has no split 'trian'. Did you mean 'train'"):
        read(path="x", train="trian")
    package.stored["y"] = {"all": Table({"text": ["a"], "label": [0]}, CLASSES)}
    with pytest.raises(InputError, match=r"no split 'train'; set data.train to one of all"):
        read(path="y")


def test_absent_package_names_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingPackageError, match="pip install datasets"):
        read(path="x")


def test_the_package_itself(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
    pictures = [Image.new("RGB", (3, 3), colour) for colour in ("red", "blue")]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["r", "b"])})
    train = datasets.Dataset.from_dict({"image": pictures, "label": [0, 1]}, features=features)
    datasets.DatasetDict({"train": train, "test": train}).save_to_disk(tmp_path / "saved")
    dataset = load(DataConfig(kind="datasets", path="saved", holdout=0.0), tmp_path)
    assert dataset.classes == ("r", "b") and dataset.targets(dataset.rows("test")).tolist() == [0, 1]
    assert dataset.picture(3).getpixel((1, 1)) == (0, 0, 255)
    lists = datasets.Dataset.from_dict(
        {"text": ["x", "y"], "label": [[0, 1], []]},
        features=datasets.Features(
            {"text": datasets.Value("string"), "label": datasets.Sequence(datasets.ClassLabel(names=["r", "b"]))}
        ),
    )
    lists.save_to_disk(tmp_path / "lists")
    dataset = load(DataConfig(kind="datasets", path="lists", multi_label=True, holdout=0.0), tmp_path)
    assert dataset.targets([0, 1]).tolist() == [[1, 1], [0, 0]] and dataset.texts([1]) == ["y"]
