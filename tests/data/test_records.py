"""Tables become data sets; bad rows are skipped with a reason, wrong tables are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lichen.data.config import DataConfig
from lichen.data.dataset import Dataset
from lichen.data.readers import load
from lichen.errors import InputError


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def read(folder: Path, kind: str = "table", **values: Any) -> Dataset:
    return load(DataConfig(kind=kind, **{"holdout": 0.0, **values}), folder)


def labels(dataset: Dataset) -> list[list[str]]:
    return [[label.name for label in scene.labels] for scene in dataset.scenes]


def test_texts(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('text,label\n"good, and long",pos\n bad ,neg \n')
    (tmp_path / "d.tsv").write_text("text\tlabel\nfine\tpos\n")
    dataset = read(tmp_path, train="t.csv", dev="d.tsv", holdout=None)
    assert [scene.text for scene in dataset.scenes] == ["good, and long", " bad ", "fine"]
    assert labels(dataset) == [["pos"], ["neg"], ["pos"]] and dataset.classes == ("neg", "pos")
    assert dataset.ids == ("t.csv:2", "t.csv:3", "d.tsv:2")
    assert dataset.splits == {"train": (0, 1), "dev": (2,)}


def test_pictures_start_from_the_table_or_another_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    Image.new("RGB", (4, 4), "red").save(tmp_path / "sub/a.png")
    (tmp_path / "sub/t.csv").write_text("image,label\na.png,x\nb.png,y\n")
    dataset = read(tmp_path, path="sub/t.csv")
    assert dataset.picture(0).getpixel((0, 0)) == (255, 0, 0) and dataset.has_pictures and not dataset.has_texts
    assert read(tmp_path, path="sub/t.csv", images="other").scenes[1].image == str(tmp_path / "other/b.png")
    assert read(tmp_path, path="sub/t.csv", images="/other").scenes[1].image == "/other/b.png"


def test_pictures_with_texts(tmp_path: Path) -> None:
    write(tmp_path, "t.jsonl", [{"image": "a.png", "text": "words", "label": n} for n in (1, 0)])
    dataset = read(tmp_path, path="t.jsonl")
    assert dataset.has_pictures and dataset.has_texts and dataset.classes == ("0", "1")


def test_other_column_names_and_ids(tmp_path: Path) -> None:
    rows = [{"sentence": "x", "y": True, "key": "k1"}, {"sentence": "z", "y": False, "key": "k1"}]
    write(tmp_path, "t.jsonl", rows)
    dataset = read(tmp_path, path="t.jsonl", text="sentence", label="y", id="key")
    assert dataset.ids == ("k1", "k1#2") and dataset.classes == ("false", "true")


def test_multi_label(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\na,x|y\nb,\nc,y | z | y\n")
    dataset = read(tmp_path, path="t.csv", multi_label=True)
    assert labels(dataset) == [["x", "y"], [], ["y", "z"]] and dataset.multi_label
    assert dataset.targets([0, 1, 2]).tolist() == [[1, 1, 0], [0, 0, 0], [0, 1, 1]]
    write(
        tmp_path,
        "t.jsonl",
        [{"text": "a", "label": ["x", 3]}, {"text": "b", "label": []}, {"text": "c", "label": "x;3"}],
    )
    dataset = read(tmp_path, path="t.jsonl", multi_label=True, label_separator=";")
    assert labels(dataset) == [["x", "3"], [], ["x", "3"]]


def test_bad_rows_are_skipped_and_listed(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"text": f"t{n}", "label": "ab"[n % 2]} for n in range(200)]
    bad = [{"text": "", "label": "a"}, {"text": " \n", "label": "a"}, {"label": "a"}, {"text": "x", "label": None}]
    bad += [{"text": ["x"], "label": "a"}, {"text": "\ud800", "label": "a"}, {"text": "x", "label": " "}]
    write(tmp_path, "t.jsonl", rows + bad)
    dataset = read(tmp_path, path="t.jsonl")
    assert len(dataset) == 200
    reasons = [dataset.skipped[f"t.jsonl:{line}"] for line in range(201, 208)]
    expected = ("has no text", "blank", "has no text", "has no label", "a list", "surrogate", "has no label")
    assert all(part in reason for part, reason in zip(expected, reasons, strict=True))


def test_too_many_bad_rows_stop(tmp_path: Path) -> None:
    write(tmp_path, "t.jsonl", [{"text": "" if n < 3 else "x", "label": "ab"[n % 2]} for n in range(40)])
    with pytest.raises(InputError, match=r"3 of 40 samples cannot be used, more than 5 %: t.jsonl:1: has no text"):
        read(tmp_path, path="t.jsonl")


def test_numbers_are_texts_too(tmp_path: Path) -> None:
    write(tmp_path, "t.jsonl", [{"text": 3, "label": 10}, {"text": 4.5, "label": 9}])
    dataset = read(tmp_path, path="t.jsonl")
    assert [scene.text for scene in dataset.scenes] == ["3", "4.5"] and dataset.classes == ("9", "10")


def test_missing_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("txt,lable\nx,y\n")
    with pytest.raises(InputError, match=r"no column 'label'. Did you mean 'lable'"):
        read(tmp_path, path="t.csv")
    with pytest.raises(InputError, match=r"neither a column 'text' nor 'image'. Did you mean 'txt'"):
        read(tmp_path, path="t.csv", label="lable")
    (tmp_path / "u.csv").write_text("text,label\nx,y\n")
    with pytest.raises(InputError, match="no column 'key'"):
        read(tmp_path, path="u.csv", id="key")


def test_lists_need_the_multi_label_setting(tmp_path: Path) -> None:
    write(tmp_path, "t.jsonl", [{"text": "a", "label": ["x"]}])
    with pytest.raises(InputError, match=r"the label is a list. Set data.multi_label"):
        read(tmp_path, path="t.jsonl")
    write(tmp_path, "t.jsonl", [{"text": "a", "label": {"x": 1}}])
    with pytest.raises(InputError, match="the labels are a dict"):
        read(tmp_path, path="t.jsonl", multi_label=True)


def test_label_unseen_in_training_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\na,x\nb,y\n")
    (tmp_path / "dev.csv").write_text("text,label\na,z\n")
    with pytest.raises(InputError, match=r"'z' .'dev.csv:2' of .*dev.csv. occurs in no training sample"):
        read(tmp_path, path=".", holdout=None)


def test_pairs_are_joined_by_query(tmp_path: Path) -> None:
    rows = [("why?", "so", "thus"), ("how?", " well ", ""), ("why?", "because", "so")]
    write(tmp_path, "t.jsonl", [{"query": q, "answer": a, "other": b} for q, a, b in rows])
    dataset = read(tmp_path, "pairs", path="t.jsonl", answer=("answer", "other"))
    assert [(scene.text, scene.captions) for scene in dataset.scenes] == [
        ("why?", ("so", "thus", "because")),
        ("how?", ("well",)),
    ]
    assert dataset.classes == () and dataset.captions("train")[1] == [f"t.jsonl:1#{n}" for n in range(3)] + [
        "t.jsonl:2#0"
    ]
    assert read(tmp_path, "pairs", path="t.jsonl").scenes[0].captions == ("so", "because")


def test_answers_as_lists_and_none(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"query": f"q{n}", "answer": ["a", "b"]} for n in range(40)]
    write(tmp_path, "t.jsonl", [*rows, {"query": "q", "answer": []}])
    dataset = read(tmp_path, "pairs", path="t.jsonl")
    assert len(dataset) == 40 and dataset.scenes[3].captions == ("a", "b")
    assert dataset.skipped == {"t.jsonl:41": "has no answer in 'answer'"}
    with pytest.raises(InputError, match=r"no column 'qery'. Did you mean 'query'"):
        read(tmp_path, "pairs", path="t.jsonl", query="qery")


def test_pairs_of_pictures_and_texts(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image,caption\na.jpg,one\nb.jpg,two\na.jpg,three\n")
    dataset = read(tmp_path, "image-pairs", path="t.csv", answer=("caption",))
    assert [(scene.image, scene.captions) for scene in dataset.scenes] == [
        (str(tmp_path / "a.jpg"), ("one", "three")),
        (str(tmp_path / "b.jpg"), ("two",)),
    ]
    with pytest.raises(InputError, match="no column 'answer'"):
        read(tmp_path, "image-pairs", path="t.csv")


@pytest.mark.parametrize(
    ("name", "counts", "dev"),
    [
        ("sst2", {"negative": 2870, "positive": 3130}, 872),
        ("cola", {"acceptable": 4226, "unacceptable": 1774}, 1043),
        ("trec", None, 500),
    ],
)
def test_real_texts(shared_data: Path, name: str, counts: dict[str, int] | None, dev: int) -> None:
    dataset = load(DataConfig(kind="table", path=f"text/{name}"), shared_data)
    assert len(dataset.rows("dev")) == dev and not dataset.skipped
    found = dict(zip(dataset.classes, dataset.targets(dataset.rows("train")).bincount().tolist(), strict=True))
    if counts is not None:
        assert found == counts
    else:
        assert list(found) == ["abbreviation", "description", "entity", "human", "location", "numeric"]
        assert sum(found.values()) == 5452
