"""Letters that the built-in font lacks come from another one."""

from __future__ import annotations

import pytest

from lichen.scene.drawing.fonts import font_for, height_of, width_of


def test_ascii_is_written_in_the_font_that_pillow_brings() -> None:
    font = font_for("person 0.87", 15)
    assert font.getname()[0] == "Aileron"
    assert height_of(font) > 10
    assert width_of("person", font) > width_of("man", font) > 0
    assert font_for("person 0.87", 15) is font


def test_other_letters_come_from_a_font_that_has_them() -> None:
    pytest.importorskip("matplotlib")
    font = font_for("Zürich → скамейка", 15)
    assert font.getname()[0] != "Aileron"
    nothing = bytes(font.getmask("\U0010fffe"))
    assert all(bytes(font.getmask(letter)) != nothing for letter in "ü→к")


def test_a_given_font_comes_first() -> None:
    pytest.importorskip("matplotlib")
    file = str(font_for("ü", 15).path)
    assert font_for("person", 15, file).getname() == font_for("ü", 15).getname()
    # What no font has is drawn by the first, as its sign for that.
    assert font_for("\U0010fffe", 15).getname()[0] == "Aileron"
