"""`lichen predict` with a run that writes: questions, answers, pictures, and what is refused."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lichen.cli.main import main
from lichen.scene import Scene

from .recipes_data import save_vit
from .shapes import Lichen

pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
RECIPE = """
task = "write"
[data]
kind = "playground"
size = "smoke"
pixels = 32
[backbone]
name = "vit"
[side]
method = "probe"
[head.decoder]
tasks = ["caption", "vqa", "aref", "gcap", "classify", "detect"]
layers = 1
width = 16
heads = 2
vocabulary = 320
bins = 8
[train]
steps = 2
batch = 8
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that writes, and the same with captions alone."""
    folder = tmp_path_factory.mktemp("write")
    save_vit(folder / "vit")
    (folder / "all.toml").write_text(RECIPE)
    with chdir(folder):
        assert main(["train", "all.toml", "--quiet", "--json"]) == 0
        words = ["train", "all.toml", "--quiet", "--json", "--set", 'head.decoder.tasks=["vqa"]', "--out", "runs/one"]
        assert main(words) == 0
    return folder / "runs"


@pytest.fixture
def runs(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runs; the current folder holds two pictures."""
    monkeypatch.chdir(tmp_path)
    for name, colour in (("a", "red"), ("b", "white")):
        Image.new("RGB", (60, 40), colour).save(f"{name}.png")
    return trained


def test_captions_of_pictures(runs: Path, lichen: Lichen) -> None:
    out, err = lichen("predict", runs / "all", "a.png", "b.png", "--task", "caption")
    assert [line.split("  ")[0] for line in out.splitlines()] == ["a.png", "b.png"] and err == ""
    lines, _ = lichen("predict", runs / "all", "a.png", "--task", "caption", "--json", "-")
    scene = Scene.from_json(lines)
    assert scene.size == (60, 40) and len(scene.captions) == 1 and scene.captions[0] in out


def test_several_questions_and_expressions_about_one_picture(runs: Path, lichen: Lichen) -> None:
    asked = ["--question", "what is it?", "--question", "is it red?", "--expression", "the dog", "--box", "0,0,30,40"]
    out, _ = lichen("predict", runs / "all", "a.png", *asked, "--json", "-")
    scene = Scene.from_json(out)
    assert [question.text for question in scene.questions] == ["what is it?", "is it red?"]
    assert all(question.answers for question in scene.questions)
    assert scene.expressions[0].text == "the dog" and scene.entities[0].box is not None
    assert 0 < (scene.entities[0].score or 0) <= 1, "every box has a score"
    assert scene.entities[1].box == (0.0, 0.0, 30.0, 40.0)


@pytest.mark.parametrize("task", ["classify", "refer", "describe", "detect"])
def test_tasks_without_words(task: str, runs: Path, lichen: Lichen) -> None:
    out, _ = lichen("predict", runs / "all", "a.png", "--task", task)
    assert out.startswith("a.png  ")


def test_answers_are_drawn(runs: Path, lichen: Lichen) -> None:
    for name in ("one.png", "one.jpg", "one.svg", "one.pdf"):
        _, err = lichen("predict", runs / "all", "a.png", "b.png", "--expression", "the dog", "--draw", name)
        assert err == f"drawn: {name}\n" and Path(name).stat().st_size > 1000
    with Image.open("one.png") as picture:
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20


@pytest.mark.parametrize(
    ("run", "options", "message"),
    [
        ("all", [], "say which by --task, one of caption, vqa, aref, gcap, classify, detect"),
        ("all", ["--task", "captoin"], "Did you mean 'caption'"),
        ("all", ["--task", "ocr"], "Unknown task of this run 'ocr'"),
        ("all", ["--task", "vqa"], "Say what to answer"),
        ("all", ["--question", " "], "--question is empty"),
        ("all", ["--expression", ""], "--expression is empty"),
        ("all", ["--box", "1,2,3"], "four numbers"),
        ("all", ["--box", "70,0,90,20"], "holds nothing of its picture, which has 60 x 40 pixels"),
        ("all", ["--question", "?", "--task", "caption"], "--question is for --task vqa"),
        ("all", ["--query", "a dog"], "takes no --query"),
        ("one", ["--expression", "the dog"], "this run has learnt vqa"),
        ("one", [], "Say what to answer"),
    ],
)
def test_what_cannot_be_asked_is_told(
    run: str, options: list[str], message: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(runs / run), "a.png", *options]) == 2
    assert message in capsys.readouterr().err


def test_bad_pictures_are_left_out_and_named(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.png").write_bytes(b"no picture")
    assert main(["predict", str(runs / "all"), "a.png", "c.png", "--task", "caption"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("a.png") and "c.png" in told.err
    assert main(["predict", str(runs / "all"), "c.png", "--task", "caption"]) == 2
    assert "None of the inputs can be used" in capsys.readouterr().err
