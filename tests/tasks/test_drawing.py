"""Answers as pictures: what is on the sheet, whatever texts and names hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lichen.scene import Label, Scene
from lichen.tasks import drawing
from lichen.tasks.drawing import draw_labels, draw_ranking


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every figure that is drawn."""
    made: list[Any] = []
    original = drawing.blank_figure

    def blank(width: float, height: float) -> Any:
        made.append(original(width, height))
        return made[-1]

    monkeypatch.setattr(drawing, "blank_figure", blank)
    return made


def words(figure: Any) -> str:
    """All that is written on a figure."""
    titles = [axis.get_title() for axis in figure.axes]
    return " | ".join([*(text.get_text() for axis in figure.axes for text in axis.texts), *titles])


def scene(name: str, text: str | None = None, *labels: Label) -> Scene:
    return Scene(name, text=text, labels=labels or (Label("cat", 0.75), Label("dog", 0.25)))


def test_pictures_and_texts_with_their_best_labels(sheets: list[Any], tmp_path: Path) -> None:
    scenes = [scene("a.png"), scene("2", "a long text"), scene("3", None, *(Label(f"c{n}", 0.1) for n in range(5)))]
    draw_labels(scenes, {"a.png": Image.new("RGB", (30, 20))}, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as drawn:
        assert drawn.format == "PNG" and min(drawn.size) > 200
    (figure,) = sheets
    written = words(figure)
    assert sum(len(axis.images) for axis in figure.axes) == 1
    for expected in ("cat", "75 %", "25 %", "a long text", "c2", "a.png"):
        assert expected in written
    assert "c3" not in written


def test_money_is_no_formula(sheets: list[Any], tmp_path: Path) -> None:
    text = r"costs $5 and not $\frac{ or $x^"
    draw_labels([scene("1", text, Label(r"$\bad{", 0.5))], {}, tmp_path / "out.png")
    draw_ranking([scene("1", text, Label(r"$\bad{", 0.5))], {}, tmp_path / "out.png")
    assert all(r"\frac{" in words(figure) and r"$\bad{" in words(figure) for figure in sheets)


def test_long_texts_are_cut_and_long_words_broken(sheets: list[Any], tmp_path: Path) -> None:
    draw_labels([scene("1", "x" * 1000), scene("2", "word " * 300)], {}, tmp_path / "out.png")
    texts = [text.get_text() for axis in sheets[0].axes for text in axis.texts if len(text.get_text()) > 100]
    assert len(texts) == 2 and all(len(text) < 400 and text.endswith("…") for text in texts)
    assert texts[0].count("x") > 150 and all(len(line) < 80 for text in texts for line in text.splitlines())


def test_no_more_than_a_sheet_takes(sheets: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_MOST", 4)
    draw_labels([scene(str(number), f"text {number}") for number in range(30)], {}, tmp_path / "out.png")
    assert "text 3" in words(sheets[0]) and "text 4" not in words(sheets[0])
    assert sheets[0].get_suptitle() == "the first 4 of 30"


def test_a_ranking_has_a_row_a_query(sheets: list[Any], tmp_path: Path) -> None:
    labels = tuple(Label(f"{n}.png", 1 - n / 10) for n in range(7))
    queries = [Scene("1", text="a dog", labels=labels), Scene("2", text="a cat", labels=labels)]
    pictures = {f"{n}.png": Image.new("RGB", (8, 8), (n, 0, 0)) for n in range(6)}
    draw_ranking(queries, pictures, tmp_path / "out.png", best=6)
    (figure,) = sheets
    assert len(figure.axes) == 2 * 7
    assert sum(len(axis.images) for axis in figure.axes) == 2 * 6
    assert "a dog" in words(figure) and "0.50" in words(figure) and "0.40" not in words(figure)
