"""Settings are checked when they are made, and paths start from a root."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from lichen.data.config import KINDS, DataConfig
from lichen.data.readers import READERS
from lichen.errors import InputError


def test_kinds_have_readers_and_real_settings() -> None:
    assert set(READERS) == set(KINDS)
    assert set().union(*KINDS.values()) <= {field.name for field in fields(DataConfig)}


@pytest.mark.parametrize("kind", KINDS)
def test_written_out_and_read_again(kind: str) -> None:
    config = DataConfig(kind=kind, holdout=0.2, seed=3)
    assert DataConfig(**asdict(config)) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "foldr"}, "Did you mean 'folder'"),
        ({"kind": "folder", "captions": "a.json"}, "data.captions means nothing for kind = 'folder'"),
        ({"kind": "digits", "path": "x"}, "data.path means nothing"),
        ({"kind": "table", "holdout": 1.0}, "data.holdout is a share"),
        ({"kind": "table", "holdout": -0.1}, "data.holdout is a share"),
        ({"kind": "table", "holdout": 0.5, "test_share": 0.5}, "no training sample"),
        ({"kind": "table", "limit": 0}, "data.limit"),
        ({"kind": "table", "eval_limit": -1}, "data.eval_limit"),
        ({"kind": "table", "label_separator": ""}, "data.label_separator"),
        ({"kind": "table", "classes": ("a", "a")}, "class twice"),
    ],
)
def test_wrong_settings(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DataConfig(**values)


def test_lists_become_tuples(unchecked: None) -> None:
    values: dict[str, Any] = {"kind": "pairs", "answer": ["a", "b"]}
    assert DataConfig(**values).answer == ("a", "b")
    values = {"kind": "pairs", "answer": "title"}
    assert DataConfig(**values).answer == ("title",)


def test_paths_start_from_the_root(tmp_path: Path) -> None:
    config = DataConfig(kind="table", train="a.csv", dev="/b.csv", images="pictures").resolve(tmp_path)
    assert (config.train, config.dev, config.images) == (str(tmp_path / "a.csv"), "/b.csv", str(tmp_path / "pictures"))
    coco = DataConfig(kind="coco-labels", path="p", instances="i.json", splits="s.json", test="val").resolve(tmp_path)
    assert coco.test == "val" and coco.instances == str(tmp_path / "i.json") and coco.splits == str(tmp_path / "s.json")
    assert DataConfig(kind="folder", path="~/x").resolve(tmp_path).path == str(Path.home() / "x")


def test_hub_ids_stay_unless_a_folder_has_the_name(tmp_path: Path) -> None:
    config = DataConfig(kind="datasets", path="someone/something")
    assert config.resolve(tmp_path).path == "someone/something"
    (tmp_path / "someone/something").mkdir(parents=True)
    assert config.resolve(tmp_path).path == str(tmp_path / "someone/something")


def test_what_captions_belong_to() -> None:
    found = {kind: DataConfig(kind=kind).paired for kind in KINDS}
    assert {kind: what for kind, what in found.items() if what} == {
        "coco-captions": "image",
        "image-pairs": "image",
        "pairs": "text",
        "playground": "image",
        "scenes": "image",
    }
