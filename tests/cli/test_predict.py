"""`lichen predict` on people's own files: pictures, folders, texts, tables, and what is none of these."""

from __future__ import annotations

import json
import os
from contextlib import chdir
from pathlib import Path

import pytest
from PIL import Image

from lichen.cli.main import main
from lichen.scene import Scene

from .shapes import Lichen

pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")


@pytest.fixture(scope="module")
def trained(shared_place: Path) -> Path:
    """A run on pictures, one on texts, and one that finds pictures by texts."""
    with chdir(shared_place):
        for name in ("pictures", "texts", "pairs"):
            assert main(["train", f"{name}.toml", "--quiet", "--json"]) == 0
    return shared_place / "runs"


@pytest.fixture
def runs(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runs; the current folder holds two good pictures and is free for more."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Image.new("RGB", (30, 20), "red" if name == "a" else "white").save(f"{name}.png")
    return trained


def rows(out: str) -> list[str]:
    """The first column of a printed table."""
    return [line.partition("  ")[0] for line in out.splitlines()]


def test_pictures_and_folders_of_them(runs: Path, lichen: Lichen) -> None:
    Path("more/deep").mkdir(parents=True)
    for path in ("more/c.JPG", "more/deep/d.png", "more/.hidden.png"):
        Image.new("RGB", (9, 9)).save(path)
    Path("more/notes.txt").write_text("no picture")
    out, err = lichen("predict", runs / "pictures", "b.png", "a.png", "more", "a.png", "--top", "1")
    assert rows(out) == ["b.png", "a.png", "more/c.JPG", "more/deep/d.png"] and err == ""
    assert all(line.count("disc") + line.count("square") == 1 for line in out.splitlines())


def test_json_holds_all_scores_and_equals_what_is_printed(runs: Path, lichen: Lichen) -> None:
    lichen("predict", runs / "pictures", "a.png", "b.png", "--json", "answers.jsonl")
    out, _ = lichen("predict", runs / "pictures", "a.png", "b.png", "--json", "-")
    assert Path("answers.jsonl").read_text() == out
    for line in out.splitlines():
        labels = json.loads(line)["labels"]
        assert {label["name"] for label in labels} == {"disc", "square"}
        assert sum(label["score"] for label in labels) == pytest.approx(1.0)


def test_more_pictures_than_are_read_together(runs: Path, lichen: Lichen, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{number}.png" for number in range(5)]
    for number, name in enumerate(names):
        Image.new("RGB", (9, 9), (50 * number, 20, 90)).save(name)
    Path("2.png").write_bytes(b"damaged")
    whole, _ = lichen("predict", runs / "pictures", *names, "--json", "-")
    monkeypatch.setattr("lichen.cli.predict._TOGETHER", 2)
    parts, err = lichen("predict", runs / "pictures", *names, "--json", "-")
    few, many = ([Scene.from_json(line) for line in text.splitlines()] for text in (parts, whole))
    assert [scene.id for scene in few] == [scene.id for scene in many] == ["0.png", "1.png", "3.png", "4.png"]
    for one, other in zip(few, many, strict=True):
        # Sums of a head over two rows and over four may differ in the last bit.
        assert {label.name: label.score for label in one.labels} == pytest.approx(
            {label.name: label.score for label in other.labels}, abs=1e-6
        )
    assert "features of inputs: 5 of 5" in err and "1 sample was left out: 2.png" in err


def test_bad_files_among_good_ones_are_named(runs: Path, lichen: Lichen) -> None:
    Path("empty.png").touch()
    out, err = lichen("predict", runs / "pictures", "a.png", "nowhere.png", "empty.png")
    assert rows(out) == ["a.png"]
    assert "lichen: 2 samples were left out: nowhere.png: no file 'nowhere.png'; empty.png: is empty" in err


def test_pictures_that_cannot_be_used(runs: Path, lichen: Lichen) -> None:
    def told(*words: str) -> str:
        return lichen.wrong("predict", runs / "pictures", *words)

    Path("nothing").mkdir()
    assert "None of the inputs can be used. 1 sample was left out: nowhere.png" in told("nowhere.png")
    assert "Folder 'nothing' holds no picture" in told("a.png", "nothing")
    assert "An input is empty" in told("")
    assert "is an address. Download the picture" in told("https://example.org/cat.png")
    assert "This run was trained to classify and takes no --query" in told("a.png", "--query", "cat")
    assert "--top must be at least 1; got 0" in told("a.png", "--top", "0")
    assert "the following arguments are required: INPUT" in told()
    Path("told.json").unlink(missing_ok=True)
    told("nowhere.png", "--json", "told.json", "--draw", "told.png")
    assert not Path("told.json").exists() and not Path("told.png").exists()


def test_a_name_that_is_no_text_is_left_out(runs: Path, lichen: Lichen) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    try:
        Path(name).write_bytes(Path("a.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes valid UTF-8 only")
    out, err = lichen("predict", runs / "pictures", ".")
    assert rows(out) == ["a.png", "b.png"] and "caf\\xe9.png: rename it to valid UTF-8" in err


def test_where_answers_can_be_written_is_looked_at_first(runs: Path, lichen: Lichen) -> None:
    def told(*words: str) -> str:
        return lichen.wrong("predict", runs / "pictures", "a.png", *words)

    Path("folder.png").mkdir()
    assert "--draw: there is no folder 'nowhere' to write 'a.png' into" in told("--draw", "nowhere/a.png")
    assert "--draw takes a file that ends in .png, .jpg" in told("--draw", "answer")
    assert "got 'answer.xyz'" in told("--draw", "answer.xyz")
    assert "'folder.png' is a folder" in told("--draw", "folder.png")
    assert "--json: there is no folder 'nowhere'" in told("--json", "nowhere/a.json")
    assert "'folder.png' is a folder" in told("--json", "folder.png")


def test_texts_in_quotes_in_files_and_in_tables(runs: Path, lichen: Lichen) -> None:
    Path("lines.txt").write_bytes(b"\xef\xbb\xbfgood film\n\nbad film\n")
    Path("table.csv").write_text("text,label\na good film,up\n")
    Path("table.jsonl").write_text('{"review": "a bad film"}\n')
    out, _ = lichen("predict", runs / "texts", "good", "lines.txt", "table.csv", "--json", "-")
    found = {scene["id"]: scene["text"] for scene in map(json.loads, out.splitlines())}
    assert found == {"1": "good", "lines.txt:1": "good film", "lines.txt:3": "bad film", "table.csv:2": "a good film"}
    out, _ = lichen("predict", runs / "texts", "table.jsonl", "--column", "review")
    assert rows(out) == ["a bad film"]
    told = lichen.wrong("predict", runs / "texts", "table.jsonl")
    assert "has no column 'text'" in told and "Name the column of the texts with --column." in told


def test_long_and_empty_texts(runs: Path, lichen: Lichen) -> None:
    Path("long.txt").write_text("good bad " * 1_200_000)
    out, err = lichen("predict", runs / "texts", "long.txt", "", "  ", "good film", "\ud800", "one\nline")
    assert [row[:9] for row in rows(out)] == ["good bad ", "good film", "one line"]
    assert len(out.splitlines()[0]) < 90
    assert "3 samples were left out: 2: its text is empty; 3: its text is blank; 5: its text is not valid" in err


def test_texts_that_cannot_be_used(runs: Path, lichen: Lichen) -> None:
    def told(*words: str) -> str:
        return lichen.wrong("predict", runs / "texts", *words)

    Path("binary").write_bytes(b"\x80\x81\x82")
    Path("nul.txt").write_bytes(b"go\0od")
    Path("empty.txt").write_text("\n \n")
    assert "'binary' is no text in UTF-8" in told("binary")
    assert "'a.png' is no text in UTF-8" in told("a.png")
    assert "holds NUL bytes" in told("nul.txt")
    assert "'empty.txt' holds no text" in told("empty.txt")
    assert "There is no file 'nowhere.txt'" in told("nowhere.txt")
    assert "is a folder, but this run reads texts" in told(str(Path.cwd()))
    assert "None of the inputs can be used. 1 sample was left out: 1: its text is empty." in told("")


def test_finding_pictures_by_texts(runs: Path, lichen: Lichen) -> None:
    words = ("predict", runs / "pairs", "a.png", "b.png", "nowhere.png")
    out, err = lichen(*words, "--query", "good film", "--query", "a bad film", "--draw", "answer.png", "--top", "2")
    assert rows(out) == ["good film", "a bad film"] and out.count("a.png") == out.count("b.png") == 2
    assert "1 sample was left out: nowhere.png" in err and "drawn: answer.png" in err
    with Image.open("answer.png") as drawn:
        assert drawn.width > drawn.height // 2
    assert "say what to search for among the inputs, --query" in lichen.wrong("predict", runs / "pairs", "a.png")
    assert "--query: its text is empty." in lichen.wrong(*words, "--query", "")


def test_drawings_of_what_fonts_lack(runs: Path, lichen: Lichen) -> None:
    """Warnings are errors in tests: a missing glyph is none."""
    lichen("predict", runs / "texts", "good 好电影 film", "--draw", "texts.png")
    lichen("predict", runs / "pictures", "a.png", "--draw", "pictures.PDF")
    assert Path("texts.png").stat().st_size > 1000 and Path("pictures.PDF").read_bytes().startswith(b"%PDF")
