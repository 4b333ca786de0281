"""Holding out, limiting, classes, and what makes samples unfit for training."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.data.assemble import Part, assemble
from lichen.data.config import DataConfig
from lichen.data.labels import class_order, label_name
from lichen.data.splits import draw, existing, split_files
from lichen.errors import InputError
from lichen.scene import Label, Scene


def scenes(labels: str, prefix: str = "") -> list[Scene]:
    """One sample a letter, labelled with it."""
    return [Scene(f"{prefix}{number}", labels=(Label(name),)) for number, name in enumerate(labels)]


def config(**values: Any) -> DataConfig:
    return DataConfig(kind="table", path="unused", **values)


def made(parts: dict[str, str], **values: Any) -> Any:
    read = {split: Part(f"{split}.csv", scenes(labels, split)) for split, labels in parts.items()}
    return assemble(config(**values), read, labelled=True)


def names(dataset: Any, split: str) -> Counter[str]:
    return Counter(dataset.scenes[row].labels[0].name for row in dataset.rows(split))


def test_a_tenth_is_held_out_by_class() -> None:
    dataset = made({"train": "a" * 100 + "b" * 50 + "c" * 10})
    assert names(dataset, "dev") == {"a": 10, "b": 5, "c": 1}
    assert names(dataset, "train") == {"a": 90, "b": 45, "c": 9}
    assert dataset.rows("train") == tuple(range(144)) and dataset.rows("dev") == tuple(range(144, 160))


def test_nothing_is_held_out_where_dev_is_given_or_nothing_wanted() -> None:
    assert len(made({"train": "aabb", "dev": "ab"}).rows("train")) == 4
    assert set(made({"train": "aabb"}, holdout=0.0).splits) == {"train"}
    with pytest.raises(InputError, match=r"data.holdout.*brings its own dev side"):
        made({"train": "aabb", "dev": "ab"}, holdout=0.1)
    with pytest.raises(InputError, match=r"data.test_share.*brings its own test side"):
        made({"train": "aabb", "test": "ab"}, test_share=0.1)


def test_test_and_dev_are_disjoint() -> None:
    dataset = made({"train": "ab" * 50}, holdout=0.2, test_share=0.3)
    sizes = {split: len(rows) for split, rows in dataset.splits.items()}
    assert sizes == {"train": 50, "dev": 20, "test": 30}
    assert sorted(row for rows in dataset.splits.values() for row in rows) == list(range(100))
    assert names(dataset, "test") == {"a": 15, "b": 15}


def test_the_seed_decides_and_the_order_of_samples_does_not() -> None:
    def dev(seed: int, backwards: bool = False) -> set[str]:
        samples = scenes("ab" * 50)[:: -1 if backwards else 1]
        dataset = assemble(config(seed=seed), {"train": Part("x", samples)}, labelled=True)
        return {dataset.ids[row] for row in dataset.rows("dev")}

    assert dev(0) == dev(0) == dev(0, backwards=True)
    assert dev(0) != dev(1)


def test_every_class_keeps_a_training_sample() -> None:
    dataset = made({"train": "aabbcd"}, holdout=0.9)
    assert names(dataset, "train") == {"a": 1, "b": 1, "c": 1, "d": 1}
    multi = [Scene(str(n), labels=tuple(map(Label, labels))) for n, labels in enumerate(["ab", "a", "b", "c", "", ""])]
    dataset = assemble(
        config(multi_label=True, holdout=0.9), {"train": Part("x", multi)}, labelled=True, multi_label=True
    )
    assert {label.name for row in dataset.rows("train") for label in dataset.scenes[row].labels} == {"a", "b", "c"}


def test_limits() -> None:
    whole = made({"train": "ab" * 50, "test": "ab" * 20})
    dataset = made({"train": "ab" * 50, "test": "ab" * 20}, limit=10, eval_limit=4)
    assert {split: len(rows) for split, rows in dataset.splits.items()} == {"train": 10, "dev": 4, "test": 4}
    assert names(dataset, "train") == {"a": 5, "b": 5} and names(dataset, "test") == {"a": 2, "b": 2}
    # Other samples are not kept, so that nobody caches them.
    assert len(dataset) == 18
    ids = {dataset.ids[row] for row in dataset.rows("train")}
    assert ids <= {whole.ids[row] for row in whole.rows("train")}
    more = made({"train": "ab" * 50, "test": "ab" * 20}, limit=20)
    assert ids < {more.ids[row] for row in more.rows("train")}
    assert len(made({"train": "abab"}, limit=100, holdout=0.0)) == 4


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60), st.integers(0, 70), st.integers(0, 9), st.booleans())
def test_draws_are_in_proportion(labels: list[str], count: int, seed: int, spare: bool) -> None:
    samples = scenes("".join(labels))
    places = draw(samples, count, seed, "x", spare=spare)
    assert places == sorted(set(places)) and len(places) <= count
    total, chosen = Counter(labels), Counter(labels[place] for place in places)
    if not spare:
        assert len(places) == min(count, len(labels))
        for name in total:
            assert abs(chosen[name] - total[name] * len(places) / len(labels)) <= 1.5
    else:
        assert all(chosen[name] < total[name] for name in total)


def test_pixels_follow_their_samples() -> None:
    def part(labels: str, prefix: str, first: int) -> Part:
        pixels = np.arange(first, first + len(labels), dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
        return Part(prefix, scenes(labels, prefix), pixels=pixels)

    parts = {"train": part("ab" * 10, "t", 0), "test": part("ab" * 5, "e", 100)}
    dataset = assemble(config(limit=6), parts, labelled=True)
    for row, id in enumerate(dataset.ids):
        assert dataset.pixels is not None
        assert dataset.pixels[row, 0, 0, 0] == int(id[1:]) + (100 if id[0] == "e" else 0)
    parts["test"].pixels = np.zeros((10, 2, 2, 3), np.uint8)
    with pytest.raises(InputError, match="one size; got 1 x 1 in t, 2 x 2 in e"):
        assemble(config(), parts, labelled=True)


def test_encoded_pictures_follow_their_samples() -> None:
    samples = scenes("ab" * 10)
    dataset = assemble(
        config(limit=6), {"train": Part("t", samples, encoded=[bytes([n]) for n in range(20)])}, labelled=True
    )
    assert dataset.encoded is not None and len(dataset.encoded) == len(dataset) == 8
    assert [item[0] for item in dataset.encoded] == [int(id) for id in dataset.ids]  # type: ignore[index]
    assert list(dataset.encoded[2:4]) == [dataset.encoded[2], dataset.encoded[3]]


def test_ids_that_occur_twice_are_told_apart() -> None:
    samples = [Scene(id, labels=(Label(name),)) for id, name in zip("xxxy", "abab", strict=True)]
    parts = {"train": Part("t", samples), "dev": Part("d", [Scene("x", labels=(Label("a"),))])}
    assert assemble(config(), parts, labelled=True).ids == ("x", "x#2", "x#3", "y", "x#4")


def test_a_label_unseen_in_training() -> None:
    with pytest.raises(
        InputError, match=r"label 'c' \('dev1' of dev.csv\) occurs in no training sample.*Choose one of"
    ):
        made({"train": "aabb", "dev": "ac"})
    parts = {"train": Part("t", scenes("ab")), "test": Part("e.csv", [Scene("q", labels=(Label("positiv"),))])}
    parts["train"].scenes[0] = Scene("p", labels=(Label("positive"),))
    with pytest.raises(InputError, match=r"'positiv' .'q' of e.csv.*Did you mean 'positive'"):
        assemble(config(), parts, labelled=True)
    # A name of a declared list is no better, if nothing teaches it.
    with pytest.raises(InputError, match="occurs in no training sample"):
        made({"train": "aabb", "dev": "ac"}, classes=("a", "b", "c"))


def test_one_class_only() -> None:
    with pytest.raises(InputError, match=r"Every one of the 3 training samples of train.csv has the label 'a'.*two"):
        made({"train": "aaa"})
    same = [Scene(str(n), labels=(Label("a"), Label("b"))) for n in range(3)]
    with pytest.raises(InputError, match="the same labels"):
        assemble(config(multi_label=True), {"train": Part("t", same)}, labelled=True, multi_label=True)
    none = [Scene(str(n)) for n in range(3)]
    with pytest.raises(InputError, match="No training sample of t has a label"):
        assemble(config(multi_label=True), {"train": Part("t", none)}, labelled=True, multi_label=True)
    with pytest.raises(InputError, match=r"dev.csv holds no usable sample"):
        made({"train": "ab", "dev": ""})


def test_order_of_classes() -> None:
    assert made({"train": "bcab"}).classes == ("a", "b", "c")
    assert made({"train": "bcab"}, classes=("c", "b", "a")).classes == ("c", "b", "a")
    with pytest.raises(InputError, match="the label 'c', which is not one of the classes given"):
        made({"train": "bcab"}, classes=("a", "b"))
    assert class_order(["10", "9", "2"]) == ("2", "9", "10")
    assert class_order(["1.5", "-2", "10"]) == ("-2", "1.5", "10")
    assert class_order(["10", "9", "x"]) == ("10", "9", "x")
    assert class_order(["nan", "1"]) == ("1", "nan")


def test_labels_as_text() -> None:
    assert [label_name(value) for value in (None, True, 3, " x ", 1.0)] == ["", "true", "3", "x", "1.0"]


def test_files_of_a_folder(tmp_path: Path) -> None:
    for name in ("train.csv", "val.CSV", "test.csv", "notes.txt", "test.npz"):
        (tmp_path / name).touch()
    found = split_files(DataConfig(kind="table", path=str(tmp_path)), (".csv", ".jsonl"))
    assert {split: path.name for split, path in found.items()} == {
        "train": "train.csv",
        "dev": "val.CSV",
        "test": "test.csv",
    }
    one = split_files(DataConfig(kind="table", path=str(tmp_path / "test.csv")), (".csv",))
    assert one == {"train": tmp_path / "test.csv"}
    (tmp_path / "dev.jsonl").touch()
    with pytest.raises(InputError, match=r"several files for 'dev': dev.jsonl, val.CSV"):
        split_files(DataConfig(kind="table", path=str(tmp_path)), (".csv", ".jsonl"))
    with pytest.raises(InputError, match=r"no train file .train.npz"):
        split_files(DataConfig(kind="npz", path=str(tmp_path)), (".npz",))


def test_what_must_be_given(tmp_path: Path) -> None:
    (tmp_path / "train.csv").touch()
    here = str(tmp_path / "train.csv")
    with pytest.raises(InputError, match=r"needs data.path, or data.train"):
        split_files(DataConfig(kind="table"), (".csv",))
    with pytest.raises(InputError, match=r"data.dev is given, but data.train is not"):
        split_files(DataConfig(kind="table", dev=here), (".csv",))
    with pytest.raises(InputError, match=r"data.path, or data.train and data.dev, but not both"):
        split_files(DataConfig(kind="table", path=here, train=here, dev=here), (".csv",))
    with pytest.raises(InputError, match=r"data.train: there is no file or folder.*Did you mean 'train.csv'"):
        split_files(DataConfig(kind="table", train=str(tmp_path / "trian.csv")), (".csv",))
    with pytest.raises(InputError, match=r"there is no file or folder '/nowhere/at/all'\."):
        existing("data.path", "/nowhere/at/all")
