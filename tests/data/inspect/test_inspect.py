"""Statistics and contact sheets of folders of Scenes, whoever made them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lichen.data.inspect.collect import find_scenes, read_scenes
from lichen.data.inspect.plots import draw_statistics
from lichen.data.inspect.sheet import contact_sheet
from lichen.data.inspect.statistics import as_table, quantile, statistics
from lichen.errors import InputError
from lichen.scene import Entity, Question, Relation, Scene
from lichen.scene.jsonl import write_jsonl

SCENES = [
    Scene(
        f"s{number}",
        image=f"{number}.png",
        size=(100, 50),
        captions=("A man rides a horse.",),
        entities=(Entity("man", (0.0, 0.0, 50.0, 25.0), attributes=("red",)), Entity("horse", (10.0, 0.0, 15.0, 10.0))),
        relations=(Relation(0, "riding" if number else "leading", 1), Relation(0, "near", 1)),
        questions=(Question("Is there a man?", ("yes",), "exists"), Question("How many?", ("no",), "count")),
    )
    for number in range(3)
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "val.jsonl", SCENES[2:])
    write_jsonl(tmp_path / "train.jsonl", SCENES[:2])
    for number in range(3):
        Image.new("RGB", (100, 50), (40 * number, 90, 90)).save(tmp_path / f"{number}.png")
    return tmp_path


def test_counts() -> None:
    found = statistics(SCENES)
    assert found.scenes == 3 and found.totals["entities"] == 6 and found.totals["captions"] == 3
    assert found.classes == {"man": 3, "horse": 3} and found.attributes == {"red": 3}
    assert found.predicates == {"near": 3, "riding": 2, "leading": 1} and next(iter(found.predicates)) == "near"
    assert found.tail == 3.0 and found.triples == 3 and found.shortcut == 0.5 and found.yes == 0.5
    assert found.edges[:2] == pytest.approx([0.5, 0.1]) and found.words == [5, 5, 5] and found.entities == [2, 2, 2]
    values = found.to_dict()
    assert values["tail"] == 3.0 and values["edges"]["0.5"] == 0.5


def test_table_says_it_all() -> None:
    table = as_table(statistics(SCENES))
    assert "3 : 1 (near : leading)" in table and "50.0% of relations" in table and "50.0% yes" in table
    assert "50% medium" in table and "man 3, horse 3" in table


def test_empty_kinds_are_left_out() -> None:
    found = statistics([Scene("bare")])
    assert found.tail is None and found.yes is None and "long tail" not in as_table(found)


def test_quantiles() -> None:
    assert quantile([], 0.5) is None and quantile([3.0, 1.0, 2.0], 0.5) == 2.0 and quantile([3.0, 1.0], 1.0) == 3.0


def test_files_are_found_in_order(folder: Path) -> None:
    assert [path.stem for path in find_scenes(folder)] == ["train", "val"]
    assert [path.stem for path in find_scenes(folder, "val")] == ["val"]
    assert find_scenes(folder / "val.jsonl") == [folder / "val.jsonl"]
    scenes, skipped = read_scenes(find_scenes(folder), limit=2)
    assert [scene.id for scene in scenes] == ["s0", "s1"] and skipped == {}


def test_bad_lines_are_listed(folder: Path) -> None:
    with (folder / "val.jsonl").open("a") as file:
        file.write("{]\n")
    scenes, skipped = read_scenes(find_scenes(folder))
    assert len(scenes) == 3 and list(skipped) == ["val.jsonl:2"]


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        (".", "vall", "Did you mean 'val'"),
        ("nix", None, "no folder or file"),
        ("val.jsonl", "val", "Leave --split out"),
    ],
)
def test_what_is_not_there(folder: Path, name: str, split: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_scenes(folder / name, split)


def test_folders_without_scenes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file of Scenes"):
        find_scenes(tmp_path)
    (tmp_path / "a.jsonl").write_text("\n")
    with pytest.raises(InputError, match="holds no Scene"):
        read_scenes(find_scenes(tmp_path))


def test_plots(folder: Path) -> None:
    draw_statistics(statistics(SCENES), folder / "plots.png")
    with Image.open(folder / "plots.png") as picture:
        assert picture.width > 1000


def test_contact_sheet(folder: Path) -> None:
    sheet = contact_sheet(SCENES, folder, count=3, columns=2)
    assert sheet.width > 2 * 216 and sheet.height > 2 * 216
    colours = {colour for _, colour in sheet.getcolors(1 << 20) or []}
    assert {(0, 90, 90), (40, 90, 90), (80, 90, 90)} <= colours
    # Boxes are drawn, unless they are not wanted.
    plain = contact_sheet(SCENES, folder, count=3, columns=2, boxes=False)
    assert plain.tobytes() != sheet.tobytes()
    given = contact_sheet([Scene("x", captions=("word " * 60,))], folder, pictures={"x": Image.new("RGB", (9, 9))})
    assert given.size[0] < sheet.size[0]
    with pytest.raises(InputError, match="No picture"):
        contact_sheet([Scene("x", image="gone.png")], folder)
